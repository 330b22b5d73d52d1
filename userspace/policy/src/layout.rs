//! Text for terminals and tickets: labelled lines, wrapped at 100 columns. In French the signs that
//! stand apart from their word (`:`, `;`, `?`, `!`, guillemets) do so by a space that never breaks.

use octroi_geo_db::catalogue::Language;

/// Widest line.
const WIDTH: usize = 100;
/// Column at which the text of a field begins.
const FIELD: usize = 15;
/// Narrowest and widest column at which the text of an item begins.
const ITEM: (usize, usize) = (14, 34);

/// A text under construction.
#[derive(Default)]
pub struct Page {
    language: Language,
    text: String,
    /// A heading that is written with its first item.
    heading: Option<String>,
    items: Vec<(String, String)>,
}

impl Page {
    /// An empty page.
    #[must_use]
    pub fn new(language: Language) -> Self {
        Self {
            language,
            ..Self::default()
        }
    }

    /// A line of its own, wrapped with an indent of four more.
    pub fn line(&mut self, indent: usize, text: &str) {
        self.flush();
        self.wrapped(&" ".repeat(indent), indent + 4, text);
    }

    /// An empty line, unless there is one.
    pub fn gap(&mut self) {
        self.flush();
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    /// A label and its text.
    pub fn field(&mut self, label: &str, text: &str) {
        self.flush();
        self.wrapped(&format!("{label:<FIELD$}"), FIELD, text);
    }

    /// A heading; it is left out when no item follows.
    pub fn section(&mut self, heading: &str) {
        self.flush();
        self.heading = Some(heading.to_owned());
    }

    /// A line of a section.
    pub fn item(&mut self, label: &str, text: &str) {
        self.items.push((label.to_owned(), text.to_owned()));
    }

    /// The text.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.flush();
        let end = self.text.trim_end().len();
        self.text.truncate(end);
        self.text
    }

    fn flush(&mut self) {
        let heading = self.heading.take();
        let items = std::mem::take(&mut self.items);
        if items.is_empty() {
            return;
        }
        self.gap();
        if let Some(heading) = heading {
            self.text.push_str(&heading);
            self.text.push('\n');
        }
        let widest = items.iter().map(|(label, _)| label.chars().count()).max();
        let column = (widest.unwrap_or(0) + 4).clamp(ITEM.0, ITEM.1);
        for (label, text) in items {
            let mut head = format!("  {label}");
            let used = head.chars().count();
            if used + 2 > column {
                self.text.push_str(&head);
                self.text.push('\n');
                head = " ".repeat(column);
            } else {
                head.push_str(&" ".repeat(column - used));
            }
            self.wrapped(&head, column, &text);
        }
    }

    /// Words of `text` behind `head`; later lines begin at `column`.
    fn wrapped(&mut self, head: &str, column: usize, text: &str) {
        let mut line = head.to_owned();
        let mut width = head.chars().count();
        let mut empty = true;
        let text = match self.language {
            Language::En => text.to_owned(),
            Language::Fr => unbroken(text),
        };
        for word in text.split(' ') {
            let length = word.chars().count();
            if !empty && width + 1 + length > WIDTH {
                self.text.push_str(line.trim_end());
                self.text.push('\n');
                line = " ".repeat(column);
                width = column;
                empty = true;
            }
            if !empty {
                line.push(' ');
                width += 1;
            }
            line.push_str(word);
            width += length;
            empty = false;
        }
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// Binds the signs of French that stand apart from their word to it.
fn unbroken(text: &str) -> String {
    const UNBROKEN: char = '\u{a0}';
    let mut out = String::with_capacity(text.len());
    for word in text.split(' ') {
        if !out.is_empty() {
            let apart = matches!(word, ":" | ";" | "!" | "?" | "»") || word.starts_with("»");
            let between = if apart || out.ends_with('«') {
                UNBROKEN
            } else {
                ' '
            };
            out.push(between);
        }
        out.push_str(word);
    }
    out
}

/// The first twelve digits of a digest.
#[must_use]
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_without_items_vanish() {
        let mut page = Page::default();
        page.line(0, "head");
        page.section("nothing");
        page.section("something");
        page.item("a", "b");
        assert_eq!(page.finish(), "head\n\nsomething\n  a           b");
    }

    #[test]
    fn french_signs_stay_with_their_word() {
        let mut page = Page::new(Language::Fr);
        page.line(0, "verdict : « rejeté » ; pourquoi ?");
        assert_eq!(
            page.finish(),
            "verdict\u{a0}: «\u{a0}rejeté\u{a0}»\u{a0}; pourquoi\u{a0}?"
        );
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        let mut page = Page::default();
        page.section("s");
        page.item("label", &"word ".repeat(60));
        let text = page.finish();
        assert!(text.lines().count() > 2);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
    }
}
