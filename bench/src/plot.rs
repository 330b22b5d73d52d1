//! The plot: bars beside each other, as SVG that is readable on a light and on a dark page.

use std::fmt::Write as _;

/// A bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What it stands for.
    pub label: String,
    /// How long it is, in the unit of its panel.
    pub value: f64,
    /// What stands behind it, the number in words.
    pub words: String,
    /// One of ours.
    pub ours: bool,
}

/// Bars of one unit under one title.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What is shown, with its unit.
    pub title: String,
    /// From top to bottom.
    pub bars: Vec<Bar>,
    /// Each step to the right is ten times as much.
    pub logarithmic: bool,
    /// A line at a budget, and what it says.
    pub line: Option<(f64, String)>,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 270.0;
const RIGHT: f64 = 130.0;
const TITLE_HEIGHT: f64 = 34.0;
const BAR_HEIGHT: f64 = 18.0;
const STEP: f64 = 25.0;
const BELOW: f64 = 20.0;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}\
.title{font-weight:600;font-size:14px}\
.words,.budget{fill:#59636e}\
.bar{fill:#8c959f}.ours{fill:#0969da}\
.line{stroke:#cf222e;stroke-width:1.5;stroke-dasharray:4 3}\
@media(prefers-color-scheme:dark){\
text{fill:#e6edf3}.words,.budget{fill:#9198a1}\
.bar{fill:#6e7681}.ours{fill:#4493f8}.line{stroke:#f85149}}";

/// Draws panels under each other.
#[must_use]
pub fn svg(panels: &[Panel]) -> String {
    let heights = panels.iter().map(|panel| {
        let bars: f64 = panel.bars.iter().map(|_| STEP).sum();
        TITLE_HEIGHT + bars + BELOW
    });
    let height: f64 = heights.sum();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<style>{STYLE}</style>\n"
    );
    let mut top = 0.0;
    for panel in panels {
        top = draw(panel, top, &mut text);
    }
    text.push_str("</svg>\n");
    text
}

fn draw(panel: &Panel, top: f64, text: &mut String) -> f64 {
    let mut y = top + TITLE_HEIGHT;
    let _ = writeln!(
        text,
        "<text class=\"title\" x=\"8\" y=\"{:.0}\">{}</text>",
        top + 20.0,
        escaped(&panel.title)
    );
    let scale = Scale::of(panel);
    let first = y;
    for bar in &panel.bars {
        let width = scale.length(bar.value).max(1.0);
        let middle = y + BAR_HEIGHT * 0.75;
        let _ = writeln!(
            text,
            "<text x=\"{:.0}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"bar{}\" x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" rx=\"2\"/>\
             <text class=\"words\" x=\"{:.1}\" y=\"{middle:.1}\">{}</text>",
            LEFT - 8.0,
            escaped(&bar.label),
            if bar.ours { " ours" } else { "" },
            LEFT + width + 6.0,
            escaped(&bar.words)
        );
        y += STEP;
    }
    if let Some((at, words)) = &panel.line {
        let x = LEFT + scale.length(*at);
        let _ = writeln!(
            text,
            "<line class=\"line\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
             <text class=\"budget\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            first - 4.0,
            y,
            first - 8.0,
            escaped(words)
        );
    }
    y + BELOW
}

/// From values to lengths.
struct Scale {
    logarithmic: bool,
    lowest: f64,
    highest: f64,
}

impl Scale {
    fn of(panel: &Panel) -> Self {
        let values = panel.bars.iter().map(|bar| bar.value);
        let values = values.chain(panel.line.iter().map(|(at, _)| *at));
        let positive = values.filter(|value| *value > 0.0 && value.is_finite());
        let (mut lowest, mut highest) = (f64::INFINITY, 0.0_f64);
        for value in positive {
            lowest = lowest.min(value);
            highest = highest.max(value);
        }
        Self {
            logarithmic: panel.logarithmic,
            // A little room: the shortest bar is to be seen.
            lowest: if lowest.is_finite() {
                lowest / 2.0
            } else {
                1.0
            },
            highest: if highest > 0.0 { highest } else { 1.0 },
        }
    }

    fn length(&self, value: f64) -> f64 {
        if value.is_nan() || value <= 0.0 {
            return 0.0;
        }
        let share = if self.logarithmic {
            (value / self.lowest).ln() / (self.highest / self.lowest).ln()
        } else {
            value / self.highest
        };
        share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, value: f64) -> Bar {
        Bar {
            label: label.to_owned(),
            value,
            words: format!("{value}"),
            ours: label == "atlas",
        }
    }

    fn widths(text: &str) -> Vec<f64> {
        text.split("<rect ")
            .skip(1)
            .map(|rest| {
                let width = rest.split("width=\"").nth(1).unwrap();
                width.split('"').next().unwrap().parse().unwrap()
            })
            .collect()
    }

    fn panel(logarithmic: bool) -> Panel {
        Panel {
            title: "Look-up, ns & more".to_owned(),
            bars: vec![bar("atlas", 10.0), bar("<trie>", 1000.0), bar("none", 0.0)],
            logarithmic,
            line: None,
        }
    }

    #[test]
    fn lengths_follow_the_scale() {
        let room = WIDTH - LEFT - RIGHT;
        let linear = widths(&svg(&[panel(false)]));
        assert!((linear[1] - room).abs() < 0.1 && (linear[0] - room / 100.0).abs() < 0.1);
        let logarithmic = widths(&svg(&[panel(true)]));
        assert!((logarithmic[1] - room).abs() < 0.1);
        assert!(logarithmic[0] > 60.0, "{logarithmic:?}");
        assert!((logarithmic[2] - 1.0).abs() < 0.1, "nothing is a hair");
    }

    #[test]
    fn it_is_one_well_formed_drawing_for_light_and_dark() {
        let mut second = panel(true);
        second.line = Some((20.0, "budget 20 ns".to_owned()));
        let text = svg(&[panel(false), second]);
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
        assert!(text.contains("prefers-color-scheme:dark"));
        assert!(text.contains("ns &amp; more") && text.contains("&lt;trie&gt;"));
        assert_eq!(
            text.matches("<text").count(),
            text.matches("</text>").count()
        );
        assert_eq!(text.matches("<line").count(), 1);
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }

    #[test]
    fn nothing_at_all_is_still_a_drawing() {
        let empty = Panel {
            bars: Vec::new(),
            ..panel(true)
        };
        assert!(!svg(&[empty]).contains("NaN"));
    }
}
