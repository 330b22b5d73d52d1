//! Text of strangers as text of a page.

use std::fmt;

/// Displays as text: no markup, no attribute can be made of it, and no character that changes the
/// order or the place of others.
pub(super) struct Text<'a>(pub(super) &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Left-to-right and right-to-left marks and overrides, joiners, line separators.
                '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}'
                | '\u{feff}' => f.write_char('\u{fffd}')?,
                character if character.is_control() => f.write_char('\u{fffd}')?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_strangers_text_is_markup() {
        let hostile = "<b a='\"&\u{202e}\u{0}\n>é";
        assert_eq!(
            Text(hostile).to_string(),
            "&lt;b a=&#39;&quot;&amp;\u{fffd}\u{fffd}\u{fffd}&gt;é"
        );
    }
}
