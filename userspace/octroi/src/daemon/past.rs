//! Flows asked for by an id: those that live, and those that the latest alerts told of.

use octroi_api::{AlertRow, ApiError, ErrorCode, PastFlow};
use octroi_inspect::community_id_of;

use super::gate::Gate;
use super::reason;

/// The flow of an id: flow id, Community ID or event id. What lives comes before what was alerted
/// of; of several alerts the newest.
pub(super) fn find(gate: &Gate, id: &str) -> Result<PastFlow, ApiError> {
    let number: Option<u64> = id.parse().ok();
    let live = number.and_then(|number| {
        let engine = gate.engine();
        let flow = engine.registry.by_id(number)?;
        Some(reason::detail(&engine, flow))
    });
    let live = live.or_else(|| {
        // Only a Community ID has a colon.
        id.contains(':').then_some(())?;
        gate.find_flow(|engine, flow| {
            (octroi_inspect::community_id(&flow.key) == id).then(|| reason::detail(engine, flow))
        })
    });
    if let Some(detail) = live {
        return Ok(PastFlow {
            time: detail.row.first,
            told_by: "live".into(),
            event_id: None,
            flow_id: detail.row.id,
            community_id: detail.community_id,
            source: detail.row.source,
            destination: detail.row.destination,
            source_port: detail.row.source_port,
            destination_port: detail.row.destination_port,
            protocol: detail.row.protocol,
            residency: detail.residency,
        });
    }
    let event_id = |row: &AlertRow| gate.origin.id(row.id);
    let engine = gate.engine();
    let told = engine.teller.log().newest_first().find(|row| {
        id.parse().is_ok_and(|id: u64| row.flow_id == id)
            || event_id(row) == id
            || id.contains(':') && community_id(row) == id
    });
    told.map(|row| PastFlow {
        time: row.time,
        told_by: "alert".into(),
        event_id: Some(event_id(row).into()),
        flow_id: row.flow_id,
        community_id: Some(community_id(row).into()),
        source: row.source,
        destination: row.destination,
        source_port: row.source_port,
        destination_port: row.destination_port,
        protocol: row.protocol,
        residency: (*row.residency).clone(),
    })
    .ok_or_else(|| {
        ApiError::new(
            ErrorCode::NotFound,
            format!("no live flow and none of the latest alerts has the id {id}"),
        )
        .with_remedy("older events stand in the event file: add --from /var/log/octroi/eve.json")
    })
}

/// The Community ID of an alert's flow; of ICMP as the echo that such flows are.
fn community_id(row: &AlertRow) -> String {
    let (source_port, destination_port) = match row.protocol {
        1 => (8, 0),
        58 => (128, 0),
        _ => (
            row.source_port.unwrap_or(0),
            row.destination_port.unwrap_or(0),
        ),
    };
    community_id_of(
        row.source,
        row.destination,
        row.protocol,
        source_port,
        destination_port,
    )
}
