//! `octroi flows`: live flows with their verdicts.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use octroi_api::{FlowRow, FlowsPage, Sort, SortKey};
use octroi_policy::protocol::protocol_name;

use super::table::{Table, bytes, seconds};
use super::{FlowsArguments, client};

/// Prints the flows of the filter.
pub(super) fn run(arguments: &FlowsArguments) -> Result<ExitCode> {
    let order = sort(arguments.sort.as_deref())?;
    let limit = u32::try_from(arguments.limit)?;
    let page = client::converse(&arguments.client.socket, async |daemon| {
        Ok(daemon
            .flows(Some(arguments.filter.clone()), order, limit)
            .await?)
    })?;
    if arguments.client.json {
        println!("{}", serde_json::to_string_pretty(&page.rows)?);
    } else {
        print!("{}", render(&page));
    }
    Ok(ExitCode::SUCCESS)
}

fn sort(word: Option<&str>) -> Result<Sort> {
    let Some(word) = word else {
        return Ok(Sort {
            key: SortKey::Age,
            ascending: false,
        });
    };
    let (word, ascending) = match word.strip_prefix('+') {
        Some(rest) => (rest, true),
        None => (word, false),
    };
    let Some(key) = SortKey::of(word) else {
        let known: Vec<_> = SortKey::ALL.iter().map(|key| key.name()).collect();
        bail!(
            "--sort {word}: give one of {} (with + before it: smallest first)",
            known.join(", ")
        )
    };
    Ok(Sort { key, ascending })
}

fn render(page: &FlowsPage) -> String {
    let mut table = Table::new(&[
        "AGE>",
        "VERDICT",
        "ZONE",
        "SOURCE",
        "DESTINATION",
        "PROTO",
        "NAMED",
        "HOSTING",
        "CONTROL",
        "OPERATOR",
        "UP>",
        "DOWN>",
        "RULE",
    ]);
    for row in &page.rows {
        let age = page.now.duration_since(row.first).as_secs();
        table.row(vec![
            seconds(u64::try_from(age).unwrap_or(0)),
            verdict(row),
            row.zone.as_deref().unwrap_or("-").to_owned(),
            endpoint(row.source, row.source_port, None),
            endpoint(
                row.destination,
                row.destination_port,
                row.name.as_ref().map(|name| &name.text),
            ),
            protocol_name(row.protocol),
            named(row),
            hosting(row),
            control(row),
            operator(row),
            bytes(row.outbound_bytes),
            bytes(row.reply_bytes),
            row.rule.to_string(),
        ]);
    }
    let mut text = table.render();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} of {} matching flows shown; {} live",
        page.rows.len(),
        page.matching,
        page.live
    );
    text
}

fn verdict(row: &FlowRow) -> String {
    let word = row.verdict.name();
    if row.enforced || !row.verdict.stops() {
        word.to_owned()
    } else {
        format!("({word})")
    }
}

/// What is spoken, what the name rests on, and how it is hidden when it is.
fn named(row: &FlowRow) -> String {
    use octroi_events::{EchSeen, Naming};
    let spoken = row.app_protocol.as_deref();
    let naming = (row.naming != Naming::Pending).then(|| row.naming.name());
    let hidden = match row.ech {
        Some(EchSeen::Real) => Some("ech"),
        Some(EchSeen::Possible) => Some("ech?"),
        Some(EchSeen::None | EchSeen::Grease) | None => None,
    };
    let parts: Vec<&str> = [spoken, naming, hidden].into_iter().flatten().collect();
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join(" ")
    }
}

fn endpoint(address: IpAddr, port: Option<u16>, name: Option<&Arc<str>>) -> String {
    let host = match (name, address) {
        (Some(name), _) => format!("{name} [{address}]"),
        (None, IpAddr::V6(v6)) if port.is_some() => format!("[{v6}]"),
        (None, address) => address.to_string(),
    };
    port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
}

fn hosting(row: &FlowRow) -> String {
    use octroi_events::HostingConfidence::{Contested, Located};
    match (row.hosting, row.confidence) {
        (Some(country), Located) => country.to_string(),
        (Some(country), Contested) => format!("{country}?"),
        (_, confidence) => confidence.name().to_owned(),
    }
}

fn control(row: &FlowRow) -> String {
    let country = row
        .control
        .map_or_else(|| "-".to_owned(), |country| country.to_string());
    format!("{country} {}", row.reach.name())
}

fn operator(row: &FlowRow) -> String {
    match (&row.service, &row.operator, row.asn) {
        (Some(service), Some(operator), _) => format!("{operator}/{service}"),
        (None, Some(operator), _) => operator.to_string(),
        (_, None, Some(asn)) => format!("AS{asn}"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_unambiguous() {
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(endpoint(v6, Some(443), None), "[2001:db8::1]:443");
        let name: Arc<str> = "a.fr".into();
        assert_eq!(
            endpoint(v6, Some(443), Some(&name)),
            "a.fr [2001:db8::1]:443"
        );
    }

    #[test]
    fn sort_keys_are_checked() {
        assert_eq!(
            sort(Some("+bytes")).unwrap(),
            Sort {
                key: SortKey::Bytes,
                ascending: true
            }
        );
        assert!(
            sort(Some("size"))
                .unwrap_err()
                .to_string()
                .contains("give one of rate")
        );
    }
}
