//! A flow of an analysis as a row of the filter language: the one language of the command line,
//! the API and the dashboard.

use octroi_api::filter::{Field, Record, Value};
use octroi_events::Severity;
use octroi_geo_db::profile::CountryCode;

use super::flow_line::FlowLine;

fn text(value: Option<&str>) -> Option<Value<'_>> {
    value.map(Value::from)
}

fn number(value: u64) -> Value<'static> {
    Value::Number(value)
}

/// As in the API, but for time: `age` is how long the flow lasted, and `rate` its mean.
impl Record for FlowLine {
    fn value(&self, field: Field) -> Option<Value<'_>> {
        let profile = &self.profile;
        match field {
            Field::Verdict => Some(self.verdict.into()),
            Field::Zone => text(Some(&self.zone)),
            Field::Source => Some(Value::Address(self.source)),
            Field::Destination => Some(Value::Address(self.destination)),
            Field::SourcePort => Some(number(self.source_port.into())),
            Field::DestinationPort => Some(number(self.destination_port.into())),
            Field::Protocol => Some(number(self.protocol.into())),
            Field::Hosting => text(profile.hosting.country.as_ref().map(CountryCode::as_str)),
            Field::Control => text(profile.control.country.as_ref().map(CountryCode::as_str)),
            Field::Confidence => Some(profile.hosting.confidence.name().into()),
            Field::Reach => Some(profile.control.reach.name().into()),
            Field::Operator => text(self.operator.as_deref()),
            Field::Service => text(self.service.as_deref()),
            Field::Name => text(self.name.as_deref()),
            Field::Naming => Some(self.naming().name().into()),
            Field::Ech => Some(self.ech_seen().name().into()),
            Field::Asn => self.asn.map(|asn| number(asn.into())),
            Field::Rule => text(Some(&self.rule)),
            Field::Class => Some(self.class.name().into()),
            Field::Bytes => Some(number(self.bytes())),
            Field::Up => Some(number(self.outbound_bytes)),
            Field::Down => Some(number(self.reply_bytes)),
            Field::Packets => Some(number(self.outbound_packets + self.reply_packets)),
            Field::Rate => Some(number(self.bytes() / self.seconds().max(1))),
            Field::Age | Field::Lasted => Some(number(self.seconds())),
            Field::App => text(self.app_protocol),
            Field::State => Some(self.stage().name().into()),
            Field::Severity => self
                .severity()
                .map(|severity| Severity::name(severity).into()),
            Field::Family | Field::Finding => None,
        }
    }
}
