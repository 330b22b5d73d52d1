//! What keys and updates do to calls and findings.

use octroi_tui::adapter;
use octroi_tui::message::{Effect, Key, Message};
use octroi_tui::model::row::RowId;
use octroi_tui::model::{Model, Subject};
use octroi_tui::update::update;

use crate::behaviour::{key, press};
use crate::support::sample;

/// The sample's first update, with its calls and findings.
fn watched() -> Model {
    let mut model = Model::new((80, 24));
    let first = adapter::update(sample::update(3, 0));
    update(&mut model, Message::Update(Box::new(first)));
    model
}

#[test]
fn an_open_finding_is_acknowledged_once_and_by_hand() {
    let mut model = watched();
    assert_eq!(model.findings_new, 1, "one of three is open");
    assert_eq!(press(&mut model, "a"), [], "on the flows it means nothing");
    press(&mut model, "5");
    assert_eq!(model.findings_new, 0, "seen");
    let acknowledge = Effect::Acknowledge(RowId::from("4107"));
    assert_eq!(press(&mut model, "a"), std::slice::from_ref(&acknowledge));
    key(&mut model, Key::Enter);
    assert!(model.detail.as_ref().expect("a detail").reason.is_none());
    assert_eq!(press(&mut model, "a"), [acknowledge]);
    let told = "finding 4107 is acknowledged by soc".to_owned();
    update(&mut model, Message::Acknowledged(told.clone()));
    assert_eq!(model.notice.as_ref().map(|(text, _)| text), Some(&told));
    // The next one is acknowledged already.
    press(&mut model, "n");
    assert_eq!(press(&mut model, "a"), []);
    let notice = &model.notice.as_ref().expect("a notice").0;
    assert!(notice.contains("acknowledged already"), "{notice}");
}

#[test]
fn an_open_call_follows_its_row_and_what_is_frozen_waits() {
    let mut model = watched();
    press(&mut model, "4");
    key(&mut model, Key::Enter);
    let seconds = |model: &Model| match &model.detail.as_ref().expect("a detail").subject {
        Subject::Call(call) => call.seconds,
        _ => 0,
    };
    assert_eq!(seconds(&model), 754);
    let later = |tick| Message::Update(Box::new(adapter::update(sample::update(3, tick))));
    update(&mut model, later(5));
    assert_eq!(seconds(&model), 759);
    press(&mut model, "f");
    update(&mut model, later(9));
    assert_eq!(seconds(&model), 759);
    press(&mut model, "f");
    assert_eq!(seconds(&model), 763);
    assert_eq!(model.findings.len(), 3, "what did not change was not sent");
}

#[test]
fn calls_and_findings_are_told_in_lines_when_they_change() {
    let mut teller = octroi_tui::plain::Teller::default();
    let lines = teller.lines(&adapter::update(sample::update(0, 0)));
    let of =
        |what: &str| -> Vec<&String> { lines.iter().filter(|line| line.contains(what)).collect() };
    assert_eq!(
        (of(" call ").len(), of(" finding ").len()),
        (3, 3),
        "{lines:#?}"
    );
    for (what, says) in [
        (" call running with Microsoft Teams", "control US law"),
        (" call over with WhatsApp", "reject (recorded only)"),
        (" finding high open", "grabify.link is listed"),
        (" finding low closed", "resembles grabify.link"),
    ] {
        let line = of(what);
        assert!(
            line.len() == 1 && line[0].contains(says),
            "{what}: {lines:#?}"
        );
    }
    let again = teller.lines(&adapter::update(sample::update(0, 1)));
    assert!(
        again.iter().all(|line| !line.contains(" call ")),
        "{again:#?}"
    );
}
