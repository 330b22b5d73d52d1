//! Text in cells: cleaning what strangers sent, cutting to a width, numbers and times people read.

use std::borrow::Cow;

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthChar;

/// Text of which every character takes one column. Names come from the traffic: control
/// characters, direction overrides and wide glyphs could forge what the screen says.
#[must_use]
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let narrow = |character: char| character.width() == Some(1);
    if text.chars().all(narrow) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .map(|character| if narrow(character) { character } else { '?' })
            .collect(),
    )
}

/// At most `width` characters of clean text, `…` at the end when it was cut.
#[must_use]
pub(crate) fn cut(text: &str, width: usize) -> Cow<'_, str> {
    if text.chars().count() <= width {
        return Cow::Borrowed(text);
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    if width > 0 {
        short.push('…');
    }
    Cow::Owned(short)
}

/// The columns of a text of which every character takes one column.
#[must_use]
pub(crate) fn columns(text: &str) -> u16 {
    u16::try_from(text.chars().count()).unwrap_or(u16::MAX)
}

/// Writes into the first row of `area`, cleaned and cut. Answers the columns used.
pub(crate) fn put(buffer: &mut Buffer, area: Rect, text: &str, style: Style) -> u16 {
    let area = area.intersection(buffer.area);
    if area.is_empty() {
        return 0;
    }
    let text = clean(text);
    let text = cut(&text, usize::from(area.width));
    buffer.set_stringn(area.x, area.y, &text, usize::from(area.width), style);
    columns(&text).min(area.width)
}

/// The same, at the right edge.
pub(crate) fn put_right(buffer: &mut Buffer, area: Rect, text: &str, style: Style) -> u16 {
    let shift = area.width.saturating_sub(columns(text));
    let area = Rect {
        x: area.x.saturating_add(shift),
        width: area.width - shift,
        ..area
    };
    put(buffer, area, text, style)
}

/// What is left of a one-row area after `used` columns.
#[must_use]
pub(crate) fn after(area: Rect, used: u16) -> Rect {
    let used = used.min(area.width);
    Rect {
        x: area.x + used,
        width: area.width - used,
        ..area
    }
}

/// One row of an area, empty when it has none such.
#[must_use]
pub(crate) fn row(area: Rect, index: u16) -> Rect {
    if index < area.height {
        Rect {
            y: area.y + index,
            height: 1,
            ..area
        }
    } else {
        Rect::default()
    }
}

/// Bytes in at most seven columns: `0 B`, `48.1 MB`, `1.20 GB` (powers of 1000).
#[must_use]
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    // Hundredths of the unit, in integers: no rounding up to "1000 kB".
    let mut unit = 0;
    let mut scale: u128 = 1;
    let count = u128::from(count);
    while count / scale >= 1_000 && unit + 1 < UNITS.len() {
        scale *= 1_000;
        unit += 1;
    }
    let hundredths = count * 100 / scale;
    let (whole, part) = (hundredths / 100, hundredths % 100);
    match whole {
        0..10 => format!("{whole}.{part:02} {}", UNITS[unit]),
        10..100 => format!("{whole}.{} {}", part / 10, UNITS[unit]),
        _ => format!("{whole} {}", UNITS[unit]),
    }
}

/// Bytes per second, `0` alone when idle.
#[must_use]
pub(crate) fn rate(count: u64) -> String {
    if count == 0 {
        "0".to_owned()
    } else {
        format!("{}/s", bytes(count))
    }
}

/// A number with thin groups of three: `48 211`.
#[must_use]
pub(crate) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A number in at most six columns: `9 999`, `12k`, `3M`.
#[must_use]
pub(crate) fn short(count: u64) -> String {
    const UNITS: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
    if count < 10_000 {
        return number(count);
    }
    let mut count = count / 1_000;
    let mut unit = 0;
    while count >= 10_000 && unit + 1 < UNITS.len() {
        count /= 1_000;
        unit += 1;
    }
    format!("{count}{}", UNITS[unit])
}

/// A duration in at most six columns: `0:31`, `59:59`, `3h04`, `12d03h`.
#[must_use]
pub(crate) fn span(milliseconds: i64) -> String {
    let seconds = milliseconds.max(0) / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    if days > 99 {
        format!("{days}d")
    } else if days > 0 {
        format!("{days}d{:02}h", hours % 24)
    } else if hours > 0 {
        format!("{hours}h{:02}", minutes % 60)
    } else {
        format!("{minutes}:{:02}", seconds % 60)
    }
}

/// The time of day, UTC: `12:04:31`.
#[must_use]
pub(crate) fn time_of_day(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map_or_else(
        |_| "--:--:--".to_owned(),
        |time| time.strftime("%H:%M:%S").to_string(),
    )
}

/// A moment in a list, at most eight columns: the time of day, or the day when that is not the one
/// of `now`.
#[must_use]
pub(crate) fn when(milliseconds: i64, now: i64) -> String {
    const DAY_MS: i64 = 86_400_000;
    if milliseconds.div_euclid(DAY_MS) == now.div_euclid(DAY_MS) {
        return time_of_day(milliseconds);
    }
    Timestamp::from_millisecond(milliseconds).map_or_else(
        |_| "--:--:--".to_owned(),
        |time| time.strftime("%b %d").to_string(),
    )
}

/// A moment in full, UTC: `2026-11-21 12:04:31Z`.
#[must_use]
pub(crate) fn moment(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map_or_else(
        |_| "unknown time".to_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

/// From one moment to another; the day once when it is one.
#[must_use]
pub(crate) fn between(from: i64, to: i64) -> String {
    let (from, to) = (moment(from), moment(to));
    match (from.split_once(' '), to.split_once(' ')) {
        (Some((day, _)), Some((same, time))) if day == same => format!("{from} to {time}"),
        _ => format!("{from} to {to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_fit_seven_columns() {
        let table = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (9_999, "9.99 kB"),
            (48_100_000, "48.1 MB"),
            (999_999, "999 kB"),
            (1_200_000_000, "1.20 GB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (count, text) in table {
            assert_eq!(bytes(count), text);
            assert!(bytes(count).len() <= 7);
        }
    }

    #[test]
    fn hostile_names_cannot_forge_the_screen() {
        assert_eq!(clean("a\u{1b}[31mb"), "a?[31mb");
        assert_eq!(clean("evil\u{202e}moc"), "evil?moc");
        assert_eq!(clean("📍"), "?");
        assert_eq!(clean("e\u{301}"), "e?");
        assert_eq!(clean("Préfecture"), "Préfecture");
    }

    #[test]
    fn cut_marks_what_is_missing() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcdef", 1), "…");
        assert_eq!(cut("abcdef", 0), "");
    }

    #[test]
    fn times_and_numbers() {
        assert_eq!(span(-5), "0:00");
        assert_eq!(span(31_000), "0:31");
        assert_eq!(span(3_840_000), "1h04");
        assert_eq!(span(90_000_000), "1d01h");
        assert_eq!(number(48_211), "48 211");
        assert_eq!(number(7), "7");
        assert_eq!(short(9_999), "9 999");
        assert_eq!(short(12_345), "12k");
        assert_eq!(short(u64::MAX), "18E");
        assert_eq!(time_of_day(1_795_262_671_000), "12:04:31");
        assert_eq!(time_of_day(i64::MAX), "--:--:--");
        assert_eq!(when(1_795_262_671_000, 1_795_262_999_000), "12:04:31");
        assert_eq!(when(1_795_262_671_000, 1_795_362_671_000), "Nov 21");
        assert_eq!(moment(1_795_262_671_000), "2026-11-21 12:04:31Z");
        let (early, late) = (1_795_262_671_000, 1_795_263_671_000);
        assert_eq!(between(early, late), "2026-11-21 12:04:31Z to 12:21:11Z");
        assert_eq!(
            between(early, late + 86_400_000),
            "2026-11-21 12:04:31Z to 2026-11-22 12:21:11Z"
        );
    }
}
