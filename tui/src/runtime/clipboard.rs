//! The clipboard, through the terminal: OSC 52 reaches the machine the user sits at, which a
//! local tool on a distant gateway would not.

use std::fmt;

use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;

/// The escape sequence that puts text on the clipboard; inside tmux also wrapped, so that it
/// passes through to the outer terminal (tmux(1), allow-passthrough).
pub(super) fn sequence(text: &str, inside_tmux: bool) -> Result<String, fmt::Error> {
    let mut plain = String::new();
    CopyToClipboard::to_clipboard_from(text).write_ansi(&mut plain)?;
    if inside_tmux {
        let wrapped = plain.replace('\u{1b}', "\u{1b}\u{1b}");
        Ok(format!("{plain}\u{1b}Ptmux;{wrapped}\u{1b}\\"))
    } else {
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_as_base64_and_through_tmux_too() {
        let plain = sequence("{}", false).unwrap();
        assert_eq!(plain, "\u{1b}]52;c;e30=\u{1b}\\");
        let both = sequence("{}", true).unwrap();
        assert!(both.starts_with(&plain));
        assert!(both.ends_with("\u{1b}Ptmux;\u{1b}\u{1b}]52;c;e30=\u{1b}\u{1b}\\\u{1b}\\"));
    }
}
