//! Fourth screen: the gateway, its policy, where every packet ended, what was lost.

use ratatui::style::Style;

use super::sheet::{Fact, Section, Sheet};
use super::text::{bytes, number, span};
use super::theme::Look;
use crate::model::status::{RuleLine, Status};
use crate::model::{Connection, Model};

/// The status as a sheet.
pub(crate) fn sheet(model: &Model, look: Look) -> Sheet {
    let status = &model.status;
    let mut sheet = Sheet::default();
    if status.gateway.is_empty() && status.enforcing.is_none() {
        let text = super::flows::nothing(model, "status");
        let text = match model.connection {
            Connection::Up => "the daemon has not told its status yet",
            _ => text,
        };
        sheet
            .left
            .push(Section::new("Gateway", 12, vec![Fact::new("", text)]));
        return sheet;
    }
    let problems = status
        .warnings
        .iter()
        .map(|warning| Fact::styled("!", warning.clone(), look.bad()))
        .collect();
    push(&mut sheet.left, "To be looked at", 2, problems);
    push(&mut sheet.left, "Gateway", 12, gateway(status, look));
    push(&mut sheet.left, "Policy", 12, policy(status, look));
    let zones = model
        .policy
        .zones
        .iter()
        .map(|(name, prefixes)| Fact::new(name.clone(), prefixes.clone()))
        .collect();
    push(&mut sheet.left, "Zones", 12, zones);
    let mut rules: Vec<Fact> = model
        .policy
        .rules
        .iter()
        .map(|rule| rule_fact(model, rule, look))
        .collect();
    if let Some(default) = model.policy.default {
        rules.push(Fact::styled(
            "default",
            format!("{} {}", default.glyph(), default.word()),
            look.verdict(default),
        ));
    }
    push(&mut sheet.left, "Rules · first match wins", 18, rules);

    push(
        &mut sheet.right,
        "Packets by outcome",
        26,
        outcomes(status, look),
    );
    let opaque: Vec<Fact> = status
        .opaque
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| Fact::new(name.clone(), number(*count)))
        .collect();
    push(&mut sheet.right, "Opaque packets", 26, opaque);
    push(&mut sheet.right, "Losses", 26, losses(model, look));
    push(&mut sheet.right, "Sinks", 26, sinks(status, look));
    let sources = status
        .sources
        .iter()
        .map(|(id, date)| Fact::new(id.clone(), date.clone()))
        .collect();
    push(&mut sheet.right, "Atlas sources", 26, sources);
    sheet
}

fn push(sections: &mut Vec<Section>, title: &str, label_width: u16, facts: Vec<Fact>) {
    if !facts.is_empty() {
        sections.push(Section::new(title, label_width, facts));
    }
}

fn gateway(status: &Status, look: Look) -> Vec<Fact> {
    let uptime = i64::try_from(status.uptime_seconds.saturating_mul(1_000)).unwrap_or(i64::MAX);
    let mut facts = vec![
        Fact::new("name", status.gateway.clone()),
        Fact::new("daemon", format!("{}  up {}", status.version, span(uptime))),
    ];
    if let Some(resident) = status.resident_bytes {
        facts.push(Fact::new("memory", bytes(resident)));
    }
    for (name, how) in &status.interfaces {
        facts.push(Fact::new("interface", format!("{name}  {how}")));
    }
    let share = (u128::from(status.flows_live) * 1_000)
        .checked_div(u128::from(status.flows_capacity))
        .unwrap_or(0);
    let flows = format!(
        "{} of {}  {}.{} %",
        number(status.flows_live),
        number(status.flows_capacity),
        share / 10,
        share % 10
    );
    let style = if share >= 900 {
        look.doubt()
    } else {
        Style::new()
    };
    facts.push(Fact::styled("flow table", flows, style));
    for (label, text) in &status.facts {
        facts.push(Fact::new(label.clone(), text.clone()));
    }
    facts
}

fn policy(status: &Status, look: Look) -> Vec<Fact> {
    let mode = match status.enforcing {
        Some(true) => Fact::styled("mode", "ENFORCE", look.good())
            .and("  verdicts are enforced", Style::new()),
        Some(false) => Fact::styled("mode", "MONITOR", look.doubt())
            .and("  verdicts are recorded, every packet passes", Style::new()),
        None => Fact::new("mode", "not told"),
    };
    let version = status.policy_version.as_deref().unwrap_or("no version");
    let digest: String = status.policy_sha256.chars().take(16).collect();
    vec![
        mode,
        Fact::new("policy", format!("{}  {version}", status.policy_name)),
        Fact::new("sha256", digest),
        Fact::new(
            "atlas",
            format!("{}  built {}", status.atlas_version, status.atlas_built),
        ),
    ]
}

fn rule_fact(model: &Model, rule: &RuleLine, look: Look) -> Fact {
    let shadow = if rule.shadow { " (shadow)" } else { "" };
    // Counted among the rows at hand: the daemon sends the policy only when it changes.
    let listed = model
        .flows
        .iter()
        .filter(|flow| flow.judgement.rule == rule.rule)
        .count() as u64;
    Fact::styled(
        rule.rule.clone(),
        format!("{} {:<7}", rule.verdict.glyph(), rule.verdict.word()),
        look.verdict(rule.verdict),
    )
    .and(
        format!("{} listed{shadow}  ", number(listed)),
        look.strong(),
    )
    .and(
        if rule.conditions.is_empty() {
            rule.title.clone()
        } else {
            format!("{}: {}", rule.title, rule.conditions)
        },
        Style::new(),
    )
}

fn outcomes(status: &Status, look: Look) -> Vec<Fact> {
    let line =
        |outbound: u64, reply: u64| format!("{:>13} ↑ {:>13} ↓", number(outbound), number(reply));
    let mut facts = vec![
        Fact::styled(
            "seen",
            line(status.packets.0, status.packets.1),
            look.strong(),
        )
        .label_style(look.strong()),
    ];
    for outcome in &status.outcomes {
        let style = if outcome.outbound + outcome.reply == 0 {
            look.quiet()
        } else {
            Style::new()
        };
        facts.push(Fact::styled(
            outcome.name.clone(),
            line(outcome.outbound, outcome.reply),
            style,
        ));
    }
    facts
}

fn losses(model: &Model, look: Look) -> Vec<Fact> {
    let mut facts: Vec<Fact> = model
        .status
        .losses
        .iter()
        .map(|(name, count)| {
            let style = if *count > 0 { look.bad() } else { look.quiet() };
            Fact::styled(name.clone(), number(*count), style)
        })
        .collect();
    if model.lost() == 0 {
        facts.insert(0, Fact::styled("in all", "nothing was lost", look.good()));
    } else {
        let text = format!(
            "{}: what is shown is not all there was",
            number(model.lost())
        );
        facts.insert(0, Fact::styled("in all", text, look.bad()));
    }
    facts
}

fn sinks(status: &Status, look: Look) -> Vec<Fact> {
    let mut facts = Vec::new();
    for sink in &status.sinks {
        let state = match &sink.error {
            None => ("✓ ".to_owned(), look.good()),
            Some(why) => (format!("! {why}  "), look.bad()),
        };
        let style = if sink.lost > 0 {
            look.bad()
        } else {
            Style::new()
        };
        facts.push(
            Fact::styled(sink.name.clone(), state.0, state.1)
                .and(format!("{} written  ", number(sink.written)), Style::new())
                .and(format!("{} lost", number(sink.lost)), style),
        );
    }
    if facts.is_empty() {
        facts.push(Fact::styled("none", "events go nowhere", look.doubt()));
    }
    facts
}
