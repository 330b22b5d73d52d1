//! Every screen as text, at three sizes; the cells' styles as letters for one of each kind.

use octroi_tui::adapter;
use octroi_tui::message::{Effect, Key, Message};
use octroi_tui::model::{Connection, Model};
use octroi_tui::update::update;
use octroi_tui::view::{self, Look};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::support::sample;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 60)];
const COLOR: Look = Look {
    color: true,
    ascii: false,
};

/// The dashboard of the sample, after some keys. Asked reasons are answered.
fn dashboard(size: (u16, u16), keys: &[Key]) -> Model {
    let mut model = Model::new(size);
    update(&mut model, Message::Connection(Connection::Up));
    let first = adapter::update(sample::update(40, 0));
    update(&mut model, Message::Update(Box::new(first)));
    press(&mut model, keys);
    model
}

fn press(model: &mut Model, keys: &[Key]) {
    for &key in keys {
        for effect in update(model, Message::Key(key)) {
            if let Effect::Explain(flow) = effect {
                let index = flow.id.parse::<u64>().expect("a number") - 9_000;
                let reason = adapter::flow_reason(&sample::detail(index));
                let answer = Message::Reason(flow.id, Ok(Box::new(reason)));
                update(model, answer);
            }
        }
    }
}

fn draw(model: &Model, look: Look) -> Buffer {
    let backend = TestBackend::new(model.size.0, model.size.1);
    let mut terminal = Terminal::new(backend).expect("a test terminal");
    terminal
        .draw(|frame| {
            view::draw(model, look, frame);
        })
        .expect("a frame");
    terminal.backend().buffer().clone()
}

fn map(buffer: &Buffer, cell: impl Fn(&Cell) -> String) -> String {
    let mut text = String::new();
    for line in buffer.content.chunks(usize::from(buffer.area.width)) {
        let line: String = line.iter().map(&cell).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn text(buffer: &Buffer) -> String {
    map(buffer, |cell| cell.symbol().to_owned())
}

/// One letter for each style: the colour's first letter, upper case when reversed; `b` bold,
/// `d` dim, `.` plain.
fn styles(buffer: &Buffer) -> String {
    map(buffer, |cell| {
        let letter = match cell.fg {
            Color::Red => 'r',
            Color::Yellow => 'y',
            Color::Magenta => 'm',
            Color::Green => 'g',
            Color::Cyan => 'c',
            _ if cell.modifier.contains(Modifier::BOLD) => 'b',
            _ if cell.modifier.contains(Modifier::DIM) => 'd',
            _ => '.',
        };
        if cell.modifier.contains(Modifier::REVERSED) {
            letter.to_ascii_uppercase().to_string()
        } else {
            letter.to_string()
        }
    })
}

fn snapshot(name: &str, keys: &[Key]) {
    for size in SIZES {
        let buffer = draw(&dashboard(size, keys), COLOR);
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text(&buffer));
    }
}

#[test]
fn flows() {
    snapshot("flows", &[]);
}

#[test]
fn jurisdictions() {
    snapshot("jurisdictions", &[Key::Char('2'), Key::Char('j')]);
}

#[test]
fn alerts() {
    snapshot("alerts", &[Key::Char('3'), Key::Char('j')]);
}

#[test]
fn calls() {
    snapshot("calls", &[Key::Char('4')]);
}

#[test]
fn call_detail() {
    snapshot("call_detail", &[Key::Char('4'), Key::Enter]);
}

#[test]
fn findings() {
    snapshot("findings", &[Key::Char('5')]);
}

#[test]
fn finding_detail() {
    let keys = [Key::Char('5'), Key::Char('j'), Key::Enter];
    snapshot("finding_detail", &keys);
}

#[test]
fn status() {
    snapshot("status", &[Key::Char('6')]);
}

#[test]
fn flow_detail() {
    snapshot("flow_detail", &[Key::Enter]);
}

#[test]
fn alert_detail() {
    snapshot(
        "alert_detail",
        &[Key::Char('3'), Key::Char('j'), Key::Enter],
    );
}

#[test]
fn help() {
    snapshot("help", &[Key::Char('?')]);
}

#[test]
fn styles_carry_signals() {
    let flows = draw(&dashboard((80, 24), &[Key::Char('j')]), COLOR);
    insta::assert_snapshot!("styles_flows_80x24", styles(&flows));
    let detail = draw(&dashboard((80, 24), &[Key::Enter]), COLOR);
    insta::assert_snapshot!("styles_flow_detail_80x24", styles(&detail));
}

#[test]
fn without_colour_no_cell_has_one_and_verdicts_still_read() {
    let look = Look {
        color: false,
        ascii: false,
    };
    for keys in [
        &[][..],
        &[Key::Char('2')],
        &[Key::Char('3')],
        &[Key::Char('4')],
        &[Key::Char('5')],
        &[Key::Char('6')],
        &[Key::Enter],
    ] {
        let buffer = draw(&dashboard((120, 36), keys), look);
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset));
    }
    let flows = text(&draw(&dashboard((120, 36), &[]), look));
    for verdict in ["· ALLOW", "! FLAG", "← REJECT", "✗ BLOCK"] {
        assert!(flows.contains(verdict), "{verdict}");
    }
}

#[test]
fn in_ascii_mode_every_cell_is_ascii() {
    let look = Look {
        color: true,
        ascii: true,
    };
    for keys in [
        &[][..],
        &[Key::Char('2')],
        &[Key::Char('3')],
        &[Key::Char('4')],
        &[Key::Char('5')],
        &[Key::Char('6')],
        &[Key::Enter],
        &[Key::Char('?')],
    ] {
        let model = dashboard((80, 24), keys);
        let folded = draw(&model, look);
        assert!(folded.content.iter().all(|cell| cell.symbol().is_ascii()));
        // Every sign has a stand-in of its own: none became the question mark of last resort.
        let marks = |buffer: &Buffer| text(buffer).matches('?').count();
        assert_eq!(
            marks(&folded),
            marks(&draw(&model, COLOR)),
            "{}",
            text(&folded)
        );
    }
    let flows = draw(&dashboard((80, 24), &[]), look);
    insta::assert_snapshot!("flows_ascii_80x24", text(&flows));
}

#[test]
fn the_filter_line_shows_its_error_under_the_caret() {
    let mut model = dashboard((80, 24), &[Key::Char('/')]);
    for character in "verdict:block contry:US".chars() {
        update(&mut model, Message::Key(Key::Char(character)));
    }
    update(&mut model, Message::Key(Key::Enter));
    insta::assert_snapshot!("filter_error_80x24", text(&draw(&model, COLOR)));
}

#[test]
fn frozen_lossy_and_away_are_seen_in_the_header() {
    let mut model = dashboard((120, 36), &[Key::Char('f'), Key::Char('P')]);
    let later = octroi_tui::message::Update {
        lost: 1_204,
        ..adapter::update(sample::update(12, 42))
    };
    update(&mut model, Message::Update(Box::new(later)));
    update(
        &mut model,
        Message::Connection(Connection::Down {
            why: "connect to /run/octroi/octroi.sock: refused (start it with `octroi run`)"
                .to_owned(),
            retry_seconds: 4,
        }),
    );
    let buffer = draw(&model, COLOR);
    insta::assert_snapshot!("troubled_120x36", text(&buffer));
    let header: String = text(&buffer).lines().next().unwrap_or_default().to_owned();
    assert!(header.contains("LOST 1 204"), "{header}");
    assert!(header.contains("FROZEN 0:42"), "{header}");
    let lost = header.chars().take_while(|&c| c != 'L').count();
    assert_eq!(buffer.content[lost].fg, Color::Red);
    model.size = (80, 24);
    let narrow = text(&draw(&model, COLOR));
    for word in ["LOST 1 204", "FROZEN 0:42", "away 4 s", "ENFORCE"] {
        assert!(narrow.contains(word), "{word}\n{narrow}");
    }
}

#[test]
fn masked_addresses_are_nowhere() {
    for keys in [
        &[][..],
        &[Key::Char('3')],
        &[Key::Char('4')],
        &[Key::Char('4'), Key::Enter],
        &[Key::Char('5')],
        &[Key::Char('5'), Key::Enter],
        &[Key::Enter],
    ] {
        let mut model = dashboard((200, 60), &[Key::Char('P')]);
        press(&mut model, keys);
        let screen = text(&draw(&model, COLOR));
        assert!(screen.contains(view::MASK));
        assert!(!screen.contains("10.20.4"), "{screen}");
    }
}

#[test]
fn before_the_first_word_the_screen_says_so() {
    let model = Model::new((80, 24));
    insta::assert_snapshot!("connecting_80x24", text(&draw(&model, COLOR)));
}

#[test]
fn every_size_is_drawn_without_a_panic() {
    let screens: [&[Key]; 12] = [
        &[],
        &[Key::Char('2')],
        &[Key::Char('3')],
        &[Key::Char('4')],
        &[Key::Char('5')],
        &[Key::Char('6')],
        &[Key::Enter],
        &[Key::Char('3'), Key::Enter],
        &[Key::Char('4'), Key::Enter],
        &[Key::Char('5'), Key::Enter],
        &[Key::Char('?')],
        &[Key::Char('/'), Key::Char('('), Key::Enter],
    ];
    for keys in screens {
        for size in [
            (1, 1),
            (1, 60),
            (2, 2),
            (3, 3),
            (20, 5),
            (79, 24),
            (80, 23),
            (300, 1),
            (300, 100),
        ] {
            let mut model = dashboard((80, 24), keys);
            update(&mut model, Message::Resize(size.0, size.1));
            for look in [COLOR, Look::default()] {
                draw(&model, look);
            }
        }
    }
    let mut model = dashboard((80, 24), &[]);
    update(&mut model, Message::Resize(70, 20));
    insta::assert_snapshot!("flows_70x20", text(&draw(&model, COLOR)));
}
