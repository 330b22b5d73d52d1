//! The whole reason of one verdict: axes, evidence, laws, rules tried, what would change it.

use ratatui::style::Style;

use super::flows::{control, deed, host};
use super::sheet::{Fact, Section, Sheet};
use super::text::{bytes, number, rate, span, time_of_day};
use super::theme::Look;
use super::{calls, findings, inside, verdict_text};
use crate::model::reason::Reason;
use crate::model::row::{AlertRow, FlowRow, Jurisdiction, endpoint};
use crate::model::{Detail, Loading, Model, Subject};

/// Where the user is: the line above a detail.
pub(crate) fn trail(model: &Model) -> String {
    let Some(detail) = &model.detail else {
        return String::new();
    };
    let (list, destination, live) = match &detail.subject {
        Subject::Flow(flow) => {
            let listed = model.flows.get(&flow.id).is_some() && !model.flows.is_ghost(&flow.id);
            let live = if listed { "live" } else { "ended" };
            ("Flows", flow.destination_text(), live)
        }
        Subject::Alert(alert) => ("Alerts", alert.destination_text(), ""),
        Subject::Call(call) => ("Calls", call.service.clone(), call.state()),
        Subject::Finding(finding) => ("Findings", finding.name_text(), &*finding.state),
    };
    format!("{list} ▸ {destination}  {live}")
}

/// What was judged, and has a reason.
#[derive(Clone, Copy)]
enum Judged<'a> {
    Flow(&'a FlowRow),
    Alert(&'a AlertRow),
}

/// The detail as a sheet.
pub(crate) fn sheet(model: &Model, detail: &Detail, look: Look) -> Sheet {
    let judged = match &detail.subject {
        Subject::Flow(flow) => Judged::Flow(flow),
        Subject::Alert(alert) => Judged::Alert(alert),
        Subject::Call(call) => return calls::sheet(model, call, look),
        Subject::Finding(finding) => return findings::sheet(model, finding, look),
    };
    let reason = detail.reason.as_ref().unwrap_or(&Loading::Asked);
    judged_sheet(model, judged, reason, look)
}

fn judged_sheet(model: &Model, judged: Judged<'_>, reason: &Loading<Reason>, look: Look) -> Sheet {
    let mut sheet = Sheet::default();
    let judgement = match (reason, judged) {
        (Loading::Ready(reason), _) => &reason.judgement,
        (_, Judged::Flow(flow)) => &flow.judgement,
        (_, Judged::Alert(alert)) => alert.judgement(),
    };
    let (verdict, style) = verdict_text(judgement, look);
    let mut facts = vec![
        Fact::styled("verdict", verdict, style).and(format!("  {}", deed(judgement)), Style::new()),
        Fact::new("rule", rule_line(reason, judged)),
    ];
    if let Some(shadow) = &judgement.shadow {
        facts.push(Fact::styled("shadow", shadow.clone(), look.doubt()));
    }
    facts.extend(who(model, judged));
    sheet.left.push(Section::new("Verdict", 10, facts));
    match reason {
        Loading::Asked => sheet.left.push(Section::new(
            "Reason",
            10,
            vec![Fact::new("", "asked of the daemon")],
        )),
        Loading::Failed(why) => sheet.left.push(Section::new(
            "Reason",
            10,
            vec![Fact::styled("not told", why.clone(), look.bad())],
        )),
        Loading::Ready(reason) => reasons(&mut sheet, reason, look),
    }
    if let Judged::Flow(flow) = judged {
        sheet.right.push(traffic(model, flow));
    }
    sheet
}

fn rule_line(reason: &Loading<Reason>, judged: Judged<'_>) -> String {
    match reason {
        Loading::Ready(reason) => {
            let title = if reason.rule_title.is_empty() {
                String::new()
            } else {
                format!(" “{}”", reason.rule_title)
            };
            let exemption = reason
                .exemption
                .as_deref()
                .map_or_else(String::new, |id| format!(", exemption {id}"));
            format!("{}{title}{exemption}", reason.judgement.rule)
        }
        _ => match judged {
            Judged::Flow(flow) => flow.judgement.rule.clone(),
            Judged::Alert(alert) => alert.judgement().rule.clone(),
        },
    }
}

fn who(model: &Model, judged: Judged<'_>) -> Vec<Fact> {
    let (source, port, zone, destination, to_port, protocol) = match judged {
        Judged::Flow(flow) => (
            flow.source,
            flow.source_port,
            &flow.zone,
            flow.destination,
            flow.destination_port,
            format!("{} {}", flow.protocol, flow.application),
        ),
        Judged::Alert(alert) => (
            alert.source,
            alert.source_port,
            &alert.zone,
            alert.destination,
            alert.destination_port,
            alert.protocol.clone(),
        ),
    };
    let zone = if zone.is_empty() {
        "no zone".to_owned()
    } else {
        format!("zone {zone}")
    };
    let mut facts = vec![
        Fact::new("from", format!("{}  {zone}", inside(model, source, port))),
        Fact::new(
            "to",
            format!("{}  {protocol}", endpoint(destination, to_port)),
        ),
    ];
    if let Judged::Alert(alert) = judged {
        facts.push(Fact::new(
            "raised",
            format!(
                "{}Z, last {}Z, {} folded into one",
                time_of_day(alert.first_ms),
                time_of_day(alert.time_ms),
                number(alert.count)
            ),
        ));
    }
    facts
}

fn reasons(sheet: &mut Sheet, reason: &Reason, look: Look) {
    if let Some(note) = &reason.note {
        let note = vec![Fact::styled("note", note.clone(), look.doubt())];
        push(&mut sheet.left, "", 10, note);
    }
    push(&mut sheet.left, "Three axes", 10, axes(reason, look));
    push(&mut sheet.left, "Laws that reach it", 0, laws(reason, look));
    let changes = changes(reason, look);
    push(
        &mut sheet.left,
        "What would change the verdict",
        10,
        changes,
    );
    let instead = reason
        .alternatives
        .iter()
        .map(|name| Fact::styled("instead", name.clone(), look.good()))
        .collect();
    push(&mut sheet.left, "Sovereign alternatives", 10, instead);

    let title = "Rules tried · the first that matches decides";
    push(&mut sheet.right, title, 18, path(reason, look));
    let basis = reason
        .basis
        .iter()
        .map(|(title, date)| Fact::new(date.clone(), title.clone()))
        .collect();
    push(&mut sheet.right, "The rule rests on", 12, basis);
    let title = "Evidence · ✓ agrees, ≠ contradicts";
    push(&mut sheet.right, title, 13, evidence(reason, look));
    push(&mut sheet.right, "Decided with", 10, decided(reason));
}

fn path(reason: &Reason, look: Look) -> Vec<Fact> {
    reason
        .path
        .iter()
        .map(|step| {
            if step.matched {
                Fact::styled(step.rule.clone(), "▸ matches  ", look.strong())
                    .and(step.reason.clone(), Style::new())
                    .label_style(look.strong())
            } else {
                Fact::styled(
                    step.rule.clone(),
                    format!("· {}", step.reason),
                    look.quiet(),
                )
            }
        })
        .collect()
}

fn changes(reason: &Reason, look: Look) -> Vec<Fact> {
    if reason.counterfactuals.is_empty() {
        return vec![Fact::new(
            "",
            "the daemon names no single change that would",
        )];
    }
    reason
        .counterfactuals
        .iter()
        .map(|(change, verdict)| {
            let label = format!("{} {}", verdict.glyph(), verdict.word());
            Fact::new(label, format!("if {change}")).label_style(look.verdict(*verdict))
        })
        .collect()
}

fn laws(reason: &Reason, look: Look) -> Vec<Fact> {
    reason
        .laws
        .iter()
        .map(|(name, sentence)| {
            Fact::styled("", name.clone(), look.strong()).and(format!(": {sentence}"), Style::new())
        })
        .collect()
}

fn evidence(reason: &Reason, look: Look) -> Vec<Fact> {
    reason
        .evidence
        .iter()
        .map(|claim| {
            let (sign, style) = if claim.won {
                ("✓", Style::new())
            } else {
                ("≠", look.doubt())
            };
            let note = claim
                .note
                .as_deref()
                .map_or_else(String::new, |note| format!("  {note}"));
            Fact::styled(claim.axis.clone(), format!("{sign} {}", claim.value), style).and(
                format!(
                    "  {} {}  {}{note}",
                    claim.source, claim.date, claim.reference
                ),
                Style::new(),
            )
        })
        .collect()
}

fn decided(reason: &Reason) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("policy", reason.policy.clone()),
        Fact::new("mode", reason.mode.clone()),
        Fact::new("atlas", reason.atlas.clone()),
    ];
    if let Some(interface) = &reason.interface {
        facts.push(Fact::new("interface", interface.clone()));
    }
    if let Some(community_id) = &reason.community_id {
        facts.push(Fact::new("community", community_id.clone()));
    }
    facts
}

fn push(sections: &mut Vec<Section>, title: &str, label_width: u16, facts: Vec<Fact>) {
    if !facts.is_empty() {
        sections.push(Section::new(title, label_width, facts));
    }
}

fn axes(reason: &Reason, look: Look) -> Vec<Fact> {
    let place: &Jurisdiction = &reason.jurisdiction;
    let (host_text, host_style) = host(place, look);
    let (control_text, control_style) = control(place, look);
    let mut facts = vec![
        Fact::styled("hosting", host_text, host_style)
            .and(format!("  {}", place.class), Style::new()),
    ];
    let operator = place.operator.as_deref().unwrap_or("operator unknown");
    let chain = if reason.control_chain.len() > 1 {
        format!("  {}", reason.control_chain.join(" → "))
    } else {
        format!("  {operator}")
    };
    facts.push(Fact::styled("control", control_text, control_style).and(chain, Style::new()));
    if !reason.control_basis.is_empty() {
        facts.push(Fact::new("", format!("rests on: {}", reason.control_basis)));
    }
    let qualifications = if place.qualifications.is_empty() {
        ("none known".to_owned(), look.quiet())
    } else {
        (place.qualifications.join(", "), look.good())
    };
    facts.push(Fact::styled(
        "qualified",
        qualifications.0,
        qualifications.1,
    ));
    let mut more = |label: &str, value: &Option<String>| {
        if let Some(value) = value {
            facts.push(Fact::new(label, value.clone()));
        }
    };
    more("service", &reason.service);
    more("name", &reason.name);
    more("network", &reason.network);
    more("opaque", &reason.opaque);
    more("special", &reason.special);
    facts
}

fn traffic(model: &Model, flow: &FlowRow) -> Section {
    let facts = vec![
        Fact::new(
            "up",
            format!(
                "{}  {} packets, {} stopped",
                bytes(flow.bytes_out),
                number(flow.packets_out),
                number(flow.packets_stopped)
            ),
        ),
        Fact::new(
            "down",
            format!(
                "{}  {} packets",
                bytes(flow.bytes_in),
                number(flow.packets_in)
            ),
        ),
        Fact::new("rate", rate(flow.rate)),
        Fact::new(
            "age",
            format!(
                "{}  idle {}  {}",
                span(model.shown_ms() - flow.started_ms),
                span(model.shown_ms() - flow.last_ms),
                flow.stage
            ),
        ),
    ];
    Section::new("Traffic", 10, facts)
}
