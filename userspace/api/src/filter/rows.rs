//! The rows of the API as records of the filter language.

use jiff::Timestamp;
use octroi_events::{CountryCode, EchSeen, Residency, Verdict};

use super::field::{Field, Record, Value};
use crate::rows::{AlertRow, FlowRow};

/// A row seen at a moment: `age` is counted from it.
#[derive(Clone, Copy, Debug)]
pub struct At<'a, T> {
    /// The row.
    pub row: &'a T,
    /// The server's clock.
    pub now: Timestamp,
}

/// Whole seconds between two moments; 0 when the clock went back.
pub(super) fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_second() - from.as_second()).unwrap_or(0)
}

pub(super) fn text(value: Option<&str>) -> Option<Value<'_>> {
    value.map(Value::from)
}

fn number<N: Into<u64>>(value: Option<N>) -> Option<Value<'static>> {
    value.map(|value| Value::Number(value.into()))
}

impl Record for At<'_, FlowRow> {
    fn value(&self, field: Field) -> Option<Value<'_>> {
        let row = self.row;
        Some(match field {
            Field::Verdict => row.verdict.name().into(),
            Field::Zone => return text(row.zone.as_deref()),
            Field::Source => Value::Address(row.source),
            Field::Destination => Value::Address(row.destination),
            Field::SourcePort => return number(row.source_port),
            Field::DestinationPort => return number(row.destination_port),
            Field::Protocol => Value::Number(row.protocol.into()),
            Field::Hosting => return text(row.hosting.as_ref().map(CountryCode::as_str)),
            Field::Control => return text(row.control.as_ref().map(CountryCode::as_str)),
            Field::Confidence => row.confidence.name().into(),
            Field::Reach => row.reach.name().into(),
            Field::Operator => return text(row.operator.as_deref()),
            Field::Service => return text(row.service.as_deref()),
            Field::Name => return text(row.name.as_ref().map(|name| &*name.text)),
            Field::Naming => row.naming.name().into(),
            Field::Ech => return text(row.ech.map(EchSeen::name)),
            Field::Asn => return number(row.asn),
            Field::Rule => (&*row.rule).into(),
            Field::Class => row.class.name().into(),
            Field::Bytes => Value::Number(row.bytes()),
            Field::Up => Value::Number(row.outbound_bytes),
            Field::Down => Value::Number(row.reply_bytes),
            Field::Packets => Value::Number(row.packets()),
            Field::Rate => Value::Number(row.rate()),
            Field::Age => Value::Number(seconds(row.first, self.now)),
            Field::App => return text(row.app_protocol.as_deref()),
            Field::State => row.stage.name().into(),
            Field::Severity | Field::Lasted | Field::Family | Field::Finding => return None,
        })
    }
}

impl Record for At<'_, AlertRow> {
    fn value(&self, field: Field) -> Option<Value<'_>> {
        let row = self.row;
        Some(match field {
            Field::Source => Value::Address(row.source),
            Field::Destination => Value::Address(row.destination),
            Field::SourcePort => return number(row.source_port),
            Field::DestinationPort => return number(row.destination_port),
            Field::Protocol => Value::Number(row.protocol.into()),
            Field::Name => return text(row.name.as_ref().map(|name| &*name.text)),
            Field::Age => Value::Number(seconds(row.time, self.now)),
            Field::App => return text(row.app_protocol.as_deref()),
            Field::Severity => row.severity.name().into(),
            Field::Bytes
            | Field::Up
            | Field::Down
            | Field::Packets
            | Field::Rate
            | Field::State
            | Field::Lasted
            | Field::Family
            | Field::Finding => return None,
            field => return residency_value(&row.residency, field),
        })
    }
}

/// The fields that a reason holds.
fn residency_value(residency: &Residency, field: Field) -> Option<Value<'_>> {
    Some(match field {
        Field::Verdict => Verdict::name(residency.verdict).into(),
        Field::Zone => return text(residency.zone.as_deref()),
        Field::Hosting => return text(residency.host_country.as_ref().map(CountryCode::as_str)),
        Field::Control => {
            return text(residency.control_country.as_ref().map(CountryCode::as_str));
        }
        Field::Confidence => residency.confidence.name().into(),
        Field::Reach => residency.reach.name().into(),
        Field::Operator => return text(residency.operator_id.as_deref()),
        Field::Service => return text(residency.service.as_deref()),
        Field::Naming => residency.naming.name().into(),
        Field::Ech => return text(residency.ech_seen.map(EchSeen::name)),
        Field::Asn => return number(residency.asn),
        Field::Rule => (&*residency.rule).into(),
        Field::Class => residency.class.name().into(),
        _ => return None,
    })
}
