//! A past flow: what was decided then and on what grounds, next to what would be decided today.

use std::collections::HashSet;

use anyhow::{Context, Result};
use octroi_api::{ExplainRequest, PastFlow};
use octroi_events::{NameSource, Residency, page};
use octroi_policy::layout::Page;
use octroi_policy::{Naming, Opaque};
use serde::Serialize;

use super::compare::{Difference, differences, plain};
use super::words::Phrase;
use super::{Answer, Desk, eve};
use crate::cli::{ExplainArguments, client};
use crate::judge::{self, Named, Question};

/// A past flow, then and today.
#[derive(Debug, Serialize)]
pub(super) struct PastAnswer {
    /// The flow with its reason as it was told.
    #[serde(flatten)]
    past: PastFlow,
    /// Ids of other events that tell of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<String>,
    /// The reason today.
    today: Box<Residency>,
    /// Fields in which both differ.
    differences: Vec<Difference>,
}

/// Finds a flow by its id and judges it again.
///
/// # Errors
/// No daemon, no such flow, unreadable files.
pub(super) fn answer(desk: &Desk, arguments: &ExplainArguments, id: &str) -> Result<Answer> {
    let (past, also, today) = if arguments.from.is_empty() {
        of_daemon(desk, arguments, id)?
    } else {
        let mut found = eve::find(&arguments.from, id)?.into_iter();
        let past = found.next().context("an event was found and lost")?;
        let mut seen = HashSet::new();
        let also = found
            .filter_map(|other| other.event_id)
            .map(|id| id.to_string())
            .filter(|id| Some(id.as_str()) != past.event_id.as_deref() && seen.insert(id.clone()));
        let also = also.collect();
        let today = judged(desk, &past);
        (past, also, today)
    };
    Ok(Answer::Flow(Box::new(PastAnswer {
        differences: differences(&past.residency, &today),
        past,
        also,
        today: Box::new(today),
    })))
}

/// The daemon's flow; judged again by the daemon too, unless another policy is asked.
fn of_daemon(
    desk: &Desk,
    arguments: &ExplainArguments,
    id: &str,
) -> Result<(PastFlow, Vec<String>, Residency)> {
    client::converse(&arguments.socket, async |daemon| {
        let past = daemon.past(id.to_owned()).await?;
        let here =
            arguments.policy.is_some() || arguments.atlas.is_some() || arguments.at.is_some();
        let today = if here {
            judged(desk, &past)
        } else {
            let request = ExplainRequest {
                destination: past.destination,
                name: past.residency.name.as_deref().map(str::to_owned),
                source: Some(past.source),
                zone: None,
                protocol: Some(past.protocol),
                port: Some(past.destination_port.unwrap_or(0)),
                naming: Some(named(&past.residency).naming),
                speaks: past.residency.speaks.as_deref().map(str::to_owned),
                ech: past.residency.ech_seen,
            };
            daemon.explain(request).await?.residency
        };
        Ok((past, Vec::new(), today))
    })
}

/// A past flow before the judge of this desk: the same zone by name, else by the source's address.
fn judged(desk: &Desk, past: &PastFlow) -> Residency {
    let policy = &desk.judge.policy;
    let told = &past.residency;
    let by_name = told
        .zone
        .as_deref()
        .map(|zone| judge::zone_number(policy, zone));
    let zone = match by_name {
        Some(Ok(zone)) => zone,
        _ => policy.zone_of(past.source),
    };
    let opaque = told
        .opaque
        .as_deref()
        .and_then(|word| Opaque::ALL.into_iter().find(|kind| kind.name() == word));
    let question = Question {
        opaque: opaque.unwrap_or(Opaque::None),
        ..question(desk, past, zone)
    };
    desk.judge.residency(&question, desk.language)
}

fn question<'a>(desk: &Desk, past: &'a PastFlow, zone: u8) -> Question<'a> {
    Question {
        zone,
        destination: past.destination,
        protocol: past.protocol,
        port: past.destination_port.unwrap_or(0),
        named: named(&past.residency),
        opaque: Opaque::None,
        at: desk.at,
    }
}

/// What the record says of the flow's name.
fn named(told: &Residency) -> Named<'_> {
    let naming = match (told.name.as_deref(), told.name_src, told.name_dns_bound) {
        _ if told.naming != Naming::Pending => told.naming,
        (None, ..) => Naming::Pending,
        (Some(_), Some(NameSource::Dns), _) => Naming::Dns,
        (Some(_), _, Some(false)) => Naming::Unasked,
        (Some(_), ..) => Naming::Confirmed,
    };
    Named {
        name: told.name.as_deref(),
        naming,
        speaks: told.speaks.as_deref(),
        ech: told.ech_seen.unwrap_or_default(),
        ..Named::default()
    }
}

/// The answer as text: then, today, and what differs.
pub(super) fn page(desk: &Desk, answer: &PastAnswer) -> String {
    let language = desk.language;
    let say = |phrase: Phrase| phrase.text().get(language).to_owned();
    let past = &answer.past;
    let catalogue = desk.judge.atlas.catalogue();
    let asked = page::Asked {
        destination: past.destination.to_string(),
        protocol: past.protocol,
        port: past.destination_port.unwrap_or(0),
    };
    let mut head = Page::new(language);
    let time = past.time.strftime("%Y-%m-%d %H:%M:%S UTC");
    let id = past
        .event_id
        .as_deref()
        .map_or_else(|| past.flow_id.to_string(), str::to_owned);
    head.line(
        0,
        &format!(
            "{time}  {} -> {}  {} {id}",
            past.source, past.destination, past.told_by
        ),
    );
    let mut differ = Page::new(language);
    differ.section(&say(Phrase::Differences));
    for difference in &answer.differences {
        differ.item(
            &difference.field,
            &format!(
                "{} -> {}",
                plain(&difference.then),
                plain(&difference.today)
            ),
        );
    }
    if answer.differences.is_empty() {
        differ.item("=", &say(Phrase::NoDifference));
    }
    let then = page::render(&past.residency, &asked, catalogue, language);
    let today = page::render(&answer.today, &asked, catalogue, language);
    let mut foot = Page::new(language);
    foot.line(0, &say(Phrase::SameSentences));
    [
        head.finish(),
        differ.finish(),
        format!("== {} ==", say(Phrase::AsTold)),
        then,
        foot.finish(),
        format!("== {} ==", say(Phrase::Today)),
        today,
    ]
    .join("\n\n")
}
