//! What the terminal sends, as messages.

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use crate::message::{Key, Message};
use crate::view::Regions;

/// Rows one notch of the wheel moves.
const WHEEL_ROWS: isize = 3;

/// The messages of an event.
pub(super) fn messages(event: Event, regions: &Regions) -> Vec<Message> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => pressed(key),
        Event::Mouse(mouse) => moused(mouse, regions).into_iter().collect(),
        Event::Paste(text) => vec![Message::Paste(text)],
        Event::Resize(width, height) => vec![Message::Resize(width, height)],
        Event::Key(_) | Event::FocusGained | Event::FocusLost => Vec::new(),
    }
}

fn pressed(key: KeyEvent) -> Vec<Message> {
    let Some(pressed) = key_of(key) else {
        return Vec::new();
    };
    let mut messages = Vec::new();
    // Escape and a key in quick succession arrive as Alt and the key (tmux holds an Escape back
    // for half a second). No key here is bound to Alt: it is what was typed.
    if key.modifiers.contains(KeyModifiers::ALT) {
        messages.push(Message::Key(Key::Escape));
    }
    messages.push(Message::Key(pressed));
    messages
}

fn key_of(key: KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char(letter) if control => Key::Control(letter.to_ascii_lowercase()),
        KeyCode::Char(letter) => Key::Char(letter),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        _ => return None,
    })
}

fn moused(mouse: MouseEvent, regions: &Regions) -> Option<Message> {
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => regions
            .at(mouse.column, mouse.row)
            .cloned()
            .map(Message::Click),
        MouseEventKind::ScrollDown => Some(Message::Scroll(WHEEL_ROWS)),
        MouseEventKind::ScrollUp => Some(Message::Scroll(-WHEEL_ROWS)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_through_with_and_without_control() {
        let keys = |code, modifiers| pressed(KeyEvent::new(code, modifiers));
        let one = |key| vec![Message::Key(key)];
        let none = KeyModifiers::NONE;
        assert_eq!(keys(KeyCode::Char('j'), none), one(Key::Char('j')));
        assert_eq!(
            keys(KeyCode::Char('C'), KeyModifiers::CONTROL),
            one(Key::Control('c'))
        );
        assert_eq!(
            keys(KeyCode::Char('S'), KeyModifiers::SHIFT),
            one(Key::Char('S'))
        );
        assert_eq!(
            keys(KeyCode::Char('2'), KeyModifiers::ALT),
            [Message::Key(Key::Escape), Message::Key(Key::Char('2'))]
        );
        assert_eq!(keys(KeyCode::F(1), none), []);
    }
}
