//! What keys and updates do to the model: scripts, and the promises that hold under any script.

use std::sync::Arc;

use octroi_tui::adapter;
use octroi_tui::message::{Effect, Key, Message, Target, Update};
use octroi_tui::model::list::HOLD_MS;
use octroi_tui::model::row::{FlowRow, RowId};
use octroi_tui::model::{Connection, Loading, Model, Screen};
use octroi_tui::update::update;
use proptest::prelude::*;

use crate::support::{places, sample};

/// The sample's update with the flows of these numbers only.
fn flows(indices: &[u64], tick: u64) -> Message {
    let mut told = sample::update(0, tick);
    if let Some(page) = &mut told.flows {
        page.rows = indices
            .iter()
            .map(|&index| places::flow(index, tick))
            .collect();
        page.live = page.rows.len() as u64;
        page.matching = page.live;
    }
    Message::Update(Box::new(adapter::update(told)))
}

fn told(model: &mut Model, indices: &[u64], tick: u64) {
    update(model, flows(indices, tick));
}

pub(crate) fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    keys.chars()
        .flat_map(|key| update(model, Message::Key(Key::Char(key))))
        .collect()
}

pub(crate) fn key(model: &mut Model, key: Key) -> Vec<Effect> {
    update(model, Message::Key(key))
}

fn order(model: &Model) -> Vec<u64> {
    model
        .flows
        .iter()
        .map(|flow| flow.id.parse::<u64>().expect("a number") - 9_000)
        .collect()
}

fn selected(model: &Model) -> Option<u64> {
    let id = model.flows.selected_id()?;
    Some(id.parse::<u64>().expect("a number") - 9_000)
}

fn id(index: u64) -> RowId {
    RowId::from((9_000 + index).to_string())
}

/// A model that was told flows 0 to 9 (0 is the youngest).
fn ten() -> Model {
    let mut model = Model::new((80, 24));
    told(&mut model, &(0..10).collect::<Vec<_>>(), 0);
    model
}

#[test]
fn the_cursor_follows_its_row_and_not_its_place() {
    let mut model = ten();
    press(&mut model, "jjj");
    assert_eq!(selected(&model), Some(3));
    update(&mut model, Message::Clock(HOLD_MS));
    // Oldest first: row 3 stands elsewhere, the cursor with it.
    press(&mut model, "S");
    assert_eq!(selected(&model), Some(3));
    assert_eq!(model.flows.cursor(), 6);
}

#[test]
fn until_it_is_moved_the_cursor_stays_on_the_first_row() {
    let mut model = Model::new((80, 24));
    told(&mut model, &[4, 5], 0);
    assert_eq!(selected(&model), Some(4));
    told(&mut model, &[2, 4, 5], 1);
    assert_eq!(selected(&model), Some(2), "the youngest came first");
    press(&mut model, "jg");
    told(&mut model, &[1, 2, 4, 5], 2);
    assert_eq!(selected(&model), Some(1), "g follows again");
}

#[test]
fn movement_holds_the_order_for_three_seconds_and_new_rows_wait_below() {
    let mut model = Model::new((80, 24));
    told(&mut model, &[3, 5, 7], 0);
    update(&mut model, Message::Clock(100));
    press(&mut model, "j");
    told(&mut model, &[0, 3, 5, 7], 1);
    assert_eq!(order(&model), [3, 5, 7, 0]);
    assert_eq!(model.next_deadline_ms(), Some(100 + HOLD_MS));
    update(&mut model, Message::Clock(99 + HOLD_MS));
    assert_eq!(order(&model), [3, 5, 7, 0]);
    update(&mut model, Message::Clock(100 + HOLD_MS));
    assert_eq!(order(&model), [0, 3, 5, 7]);
    assert_eq!(model.next_deadline_ms(), None);
}

#[test]
fn o_pins_the_order_until_o_again() {
    let mut model = Model::new((80, 24));
    told(&mut model, &[3, 5], 0);
    press(&mut model, "o");
    told(&mut model, &[0, 3, 5], 1);
    update(&mut model, Message::Clock(60_000));
    assert_eq!(order(&model), [3, 5, 0]);
    press(&mut model, "o");
    assert_eq!(order(&model), [0, 3, 5]);
}

#[test]
fn a_row_that_ends_under_the_cursor_stays_until_the_cursor_leaves() {
    let mut model = ten();
    press(&mut model, "jj");
    told(&mut model, &[0, 1, 3, 4], 1);
    assert_eq!(selected(&model), Some(2));
    assert!(model.flows.is_ghost(&id(2)));
    told(&mut model, &[0, 1, 3, 4], 2);
    assert_eq!(selected(&model), Some(2), "still there");
    press(&mut model, "j");
    assert_eq!(selected(&model), Some(3));
    assert_eq!(order(&model), [0, 1, 3, 4]);
}

#[test]
fn freezing_keeps_the_rows_and_thawing_takes_what_came() {
    let mut model = ten();
    press(&mut model, "f");
    told(&mut model, &[0, 1], 5);
    told(&mut model, &[0, 1, 2], 6);
    assert_eq!(model.flows.len(), 10, "nothing changes, nothing expires");
    assert_eq!(model.frozen.as_ref().map(|frozen| frozen.updates), Some(2));
    assert!(model.now_ms > sample_now(), "the clock goes on");
    assert_eq!(model.shown_ms(), sample_now(), "ages do not");
    press(&mut model, "f");
    assert_eq!(order(&model), [0, 1, 2]);
}

fn sample_now() -> i64 {
    adapter::update(sample::update(0, 0)).now_ms
}

#[test]
fn a_wrong_filter_is_explained_and_the_last_good_one_stays() {
    let mut model = ten();
    press(&mut model, "/verdict:block");
    let effects = key(&mut model, Key::Enter);
    assert!(matches!(&effects[..], [Effect::Watch(wanted)] if wanted.filter == "verdict:block"));
    press(&mut model, "/ contry:US");
    assert_eq!(key(&mut model, Key::Enter), []);
    let (message, column) = model.filter.error.clone().expect("an error");
    assert_eq!(column, "verdict:block ".len());
    assert!(message.contains("contry"));
    assert_eq!(model.filter.applied, "verdict:block");
    assert_eq!(key(&mut model, Key::Escape), []);
    assert_eq!(model.filter.applied, "verdict:block");
    assert!(model.filter.editing.is_none() && model.filter.error.is_none());
    // Escape outside the line drops the filter.
    let effects = key(&mut model, Key::Escape);
    assert!(matches!(&effects[..], [Effect::Watch(wanted)] if wanted.filter.is_empty()));
}

#[test]
fn letters_in_the_filter_line_are_text() {
    let mut model = ten();
    assert_eq!(press(&mut model, "/q1jkfoP?"), []);
    let line = model.filter.editing.as_ref().expect("the line is open");
    assert_eq!(line.value(), "q1jkfoP?");
    assert_eq!(model.screen, Screen::Flows);
    assert!(!model.masked && !model.help && model.frozen.is_none());
    update(&mut model, Message::Paste("name:\nexample".to_owned()));
    let line = model.filter.editing.as_ref().expect("still open");
    assert_eq!(line.value(), "q1jkfoP?name:example");
    assert_eq!(key(&mut model, Key::Control('c')), [Effect::Quit]);
}

#[test]
fn text_pasted_elsewhere_is_no_command() {
    let mut model = ten();
    assert_eq!(update(&mut model, Message::Paste("qf4".to_owned())), []);
    assert_eq!(model.screen, Screen::Flows);
    assert!(model.frozen.is_none());
}

#[test]
fn a_filter_the_daemon_refuses_opens_the_line_again() {
    let mut model = ten();
    update(&mut model, Message::FilterRefused("too long".to_owned(), 0));
    assert!(model.filter.editing.is_some());
    assert_eq!(model.filter.error, Some(("too long".to_owned(), 0)));
}

#[test]
fn enter_asks_for_the_reason_and_escape_comes_back_to_the_row() {
    let mut model = ten();
    press(&mut model, "jj");
    let effects = key(&mut model, Key::Enter);
    assert!(matches!(&effects[..], [Effect::Explain(flow)] if flow.id == id(2)));
    // An answer to another question is not shown.
    update(&mut model, Message::Reason(id(7), Err("late".to_owned())));
    let reason = |model: &Model| {
        model
            .detail
            .as_ref()
            .and_then(|detail| detail.reason.clone())
    };
    assert_eq!(reason(&model), Some(Loading::Asked));
    update(&mut model, Message::Reason(id(2), Err("gone".to_owned())));
    assert_eq!(reason(&model), Some(Loading::Failed("gone".to_owned())));
    let effects = press(&mut model, "n");
    assert!(matches!(&effects[..], [Effect::Explain(flow)] if flow.id == id(3)));
    key(&mut model, Key::Escape);
    assert!(model.detail.is_none());
    assert_eq!(selected(&model), Some(3));
}

#[test]
fn an_alert_brings_its_reason_along() {
    let mut model = Model::new((80, 24));
    let first = adapter::update(sample::update(10, 0));
    update(&mut model, Message::Update(Box::new(first)));
    assert_eq!(model.alerts_new, 7);
    press(&mut model, "3");
    assert_eq!(model.alerts_new, 0, "seen");
    assert_eq!(key(&mut model, Key::Enter), []);
    let detail = model.detail.as_ref().expect("a detail");
    assert!(matches!(&detail.reason, Some(Loading::Ready(reason)) if !reason.laws.is_empty()));
}

#[test]
fn a_jurisdiction_opens_its_flows() {
    let mut model = Model::new((80, 24));
    let first = adapter::update(sample::update(10, 0));
    update(&mut model, Message::Update(Box::new(first)));
    press(&mut model, "2");
    let place = model
        .jurisdictions
        .selected()
        .expect("a row")
        .jurisdiction
        .clone();
    let effects = key(&mut model, Key::Enter);
    assert_eq!(model.screen, Screen::Flows);
    let [Effect::Watch(wanted)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let filter = octroi_api::Filter::parse(&wanted.filter).expect("a filter");
    let now = sample::update(0, 0).now;
    for index in 0..10 {
        let row = places::flow(index, 0);
        let alike = row.hosting.map(|code| code.to_string()) == place.host
            && row.control.map(|code| code.to_string()) == place.control;
        let passes = filter.matches(&octroi_api::filter::At { row: &row, now });
        assert_eq!(passes, alike, "{} {index}", wanted.filter);
    }
}

#[test]
fn sorting_flows_tells_the_daemon_which_come_first() {
    let mut model = ten();
    let effects = press(&mut model, "s");
    assert!(matches!(&effects[..], [Effect::Watch(wanted)] if wanted.sort == model.flows.sort()));
    press(&mut model, "2");
    assert_eq!(press(&mut model, "s"), []);
}

#[test]
fn every_column_begins_in_its_own_direction() {
    let mut model = ten();
    press(&mut model, "s");
    let strictness = |model: &Model| -> Vec<_> {
        model
            .flows
            .iter()
            .map(|flow| flow.judgement.verdict)
            .collect()
    };
    assert!(
        strictness(&model).is_sorted_by(|a, b| a >= b),
        "blocked first"
    );
    press(&mut model, "S");
    assert!(strictness(&model).is_sorted());
    press(&mut model, "s");
    let names: Vec<String> = model.flows.iter().map(FlowRow::destination_text).collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn a_click_selects_and_a_second_click_opens() {
    let mut model = ten();
    assert_eq!(update(&mut model, Message::Click(Target::Row(id(4)))), []);
    assert_eq!(selected(&model), Some(4));
    let effects = update(&mut model, Message::Click(Target::Row(id(4))));
    assert!(matches!(&effects[..], [Effect::Explain(_)]));
    key(&mut model, Key::Escape);
    update(&mut model, Message::Click(Target::Sort(1)));
    assert_eq!(model.flows.sort().column, 1);
    update(&mut model, Message::Click(Target::Screen(Screen::Status)));
    assert_eq!(model.screen, Screen::Status);
    // A row that left between the frame and the click.
    update(&mut model, Message::Click(Target::Screen(Screen::Flows)));
    update(&mut model, Message::Click(Target::Row(id(99))));
    assert_eq!(selected(&model), Some(4));
}

#[test]
fn copying_gives_one_json_object_and_masks_it() {
    let mut model = ten();
    let effects = press(&mut model, "c");
    let [Effect::Copy(text)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(value["source"], "10.20.4.17");
    assert_eq!(value["judgement"]["verdict"], "block");
    let effects = press(&mut model, "Pc");
    assert!(matches!(&effects[..], [Effect::Copy(text)] if !text.contains("10.20.4")));
    let mut empty = Model::new((80, 24));
    assert_eq!(press(&mut empty, "c"), [], "nothing to copy");
}

#[test]
fn what_changes_nothing_on_screen_is_not_drawn() {
    let mut model = ten();
    model.dirty = false;
    told(&mut model, &(0..10).collect::<Vec<_>>(), 0);
    assert!(!model.dirty, "the same update again");
    update(&mut model, Message::Clock(1_000));
    assert!(!model.dirty, "nothing was held");
    update(&mut model, Message::Connection(Connection::Up));
    assert!(!model.dirty, "it was up");
    told(&mut model, &(0..10).collect::<Vec<_>>(), 1);
    assert!(model.dirty, "a second later");
}

#[test]
fn alerts_of_a_new_watch_replace_the_old_ones() {
    let mut model = Model::new((80, 24));
    update(
        &mut model,
        Message::Update(Box::new(adapter::update(sample::update(10, 0)))),
    );
    assert_eq!(model.alerts.len(), 7);
    let mut one = adapter::update(sample::update(10, 0));
    one.alerts.as_mut().expect("alerts").rows.truncate(1);
    update(&mut model, Message::Update(Box::new(one.clone())));
    assert_eq!(model.alerts.len(), 1);
    let mut more = adapter::update(sample::update(10, 0));
    more.alerts.as_mut().expect("alerts").all = false;
    update(&mut model, Message::Update(Box::new(more)));
    assert_eq!(model.alerts.len(), 7);
}

#[test]
fn while_the_daemon_is_away_its_data_stays() {
    let mut model = ten();
    let down = Connection::Down {
        why: "closed".to_owned(),
        retry_seconds: 1,
    };
    update(&mut model, Message::Connection(down));
    assert_eq!(model.flows.len(), 10);
    told(&mut model, &[1], 9);
    assert_eq!(model.connection, Connection::Up);
}

fn any_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        prop::sample::select("1234jkgGsSofPcnN/?qx:-é".chars().collect::<Vec<_>>())
            .prop_map(Key::Char),
        prop::sample::select(vec!['c', 'd', 'u', 'l', 'w', 'a']).prop_map(Key::Control),
        prop::sample::select(vec![
            Key::Enter,
            Key::Escape,
            Key::Tab,
            Key::BackTab,
            Key::Up,
            Key::Down,
            Key::PageUp,
            Key::PageDown,
            Key::Home,
            Key::End,
            Key::Left,
            Key::Backspace,
        ]),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        6 => any_key().prop_map(Message::Key),
        3 => (prop::collection::vec(0_u64..30, 0..20), 0_u64..5)
            .prop_map(|(indices, tick)| flows(&indices, tick)),
        1 => (0_u64..30, 0_u64..3).prop_map(|(count, tick)| {
            Message::Update(Box::new(adapter::update(sample::update(count, tick))))
        }),
        2 => (0_u64..20_000).prop_map(Message::Clock),
        1 => (0_u64..30).prop_map(|index| Message::Click(Target::Row(id(index)))),
        1 => (0_usize..9).prop_map(|sort| Message::Click(Target::Sort(sort))),
        1 => (0_u16..300, 0_u16..120).prop_map(|(width, height)| Message::Resize(width, height)),
        1 => (-9_isize..9).prop_map(Message::Scroll),
        1 => ".{0,12}".prop_map(Message::Paste),
        1 => (0_u64..30).prop_map(|index| Message::Reason(id(index), Err("no".to_owned()))),
        1 => (".{0,12}", 0_usize..20).prop_map(|(why, at)| Message::FilterRefused(why, at)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_script_panics_and_every_cursor_stands_on_a_row(
        script in prop::collection::vec(any_message(), 0..60),
    ) {
        let mut model = Model::new((80, 24));
        for message in script {
            update(&mut model, message);
            prop_assert!(model.flows.is_consistent());
            prop_assert!(model.alerts.is_consistent());
            prop_assert!(model.jurisdictions.is_consistent());
            prop_assert_eq!(model.flows.selected().is_some(), !model.flows.is_empty());
            prop_assert!(model.flows.top() <= model.flows.cursor());
        }
    }

    #[test]
    fn while_the_order_is_held_no_two_rows_swap(
        before in prop::collection::vec(0_u64..30, 1..20),
        updates in prop::collection::vec((prop::collection::vec(0_u64..30, 0..20), 0_u64..9), 1..6),
        column in 0_usize..7,
    ) {
        let mut model = Model::new((80, 24));
        told(&mut model, &before, 0);
        update(&mut model, Message::Click(Target::Sort(column)));
        press(&mut model, "j");
        for (indices, tick) in updates {
            let was = order(&model);
            told(&mut model, &indices, tick);
            let is = order(&model);
            let kept: Vec<u64> = was.iter().copied().filter(|id| is.contains(id)).collect();
            let seen: Vec<u64> = is.iter().copied().filter(|id| was.contains(id)).collect();
            prop_assert_eq!(&kept, &seen, "the order of the kept rows");
            prop_assert_eq!(&is[..kept.len()], &kept[..], "new rows stand below");
        }
    }

    #[test]
    fn the_order_is_the_same_however_rows_arrive(
        mut indices in prop::collection::hash_set(0_u64..60, 2..30)
            .prop_map(|set| set.into_iter().collect::<Vec<_>>()),
        column in 0_usize..7,
    ) {
        let sorted = |indices: &[u64]| {
            let mut model = Model::new((80, 24));
            update(&mut model, Message::Click(Target::Sort(column)));
            told(&mut model, indices, 0);
            order(&model)
        };
        let once = sorted(&indices);
        indices.reverse();
        prop_assert_eq!(once, sorted(&indices));
    }
}

#[test]
fn a_thousand_flows_sort_and_stay_within_a_frame() {
    let mut model = Model::new((200, 60));
    let rows: Vec<FlowRow> = (0..1_000)
        .flat_map(|index| {
            let one = adapter::update(octroi_api::Update {
                flows: Some(octroi_api::FlowsPage {
                    rows: vec![places::flow(index, 0)],
                    ..sample::update(0, 0).flows.expect("flows")
                }),
                ..sample::update(0, 0)
            });
            one.flows.expect("flows").rows
        })
        .collect();
    let part = octroi_tui::model::FlowsPart {
        total: 48_211,
        matched: 48_211,
        rows,
    };
    let message = Update {
        flows: Some(part),
        ..Update::default()
    };
    update(&mut model, Message::Update(Box::new(message)));
    assert_eq!(model.flows.len(), 1_000);
    key(&mut model, Key::End);
    assert_eq!(model.flows.cursor(), 999);
    assert!(model.flows.top() > 900);
    let last: Arc<str> = model.flows.order()[999].clone();
    assert_eq!(model.flows.selected_id(), Some(&last));
}
