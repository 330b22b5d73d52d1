//! Calls and findings as records of the filter language.

use std::net::IpAddr;
use std::sync::Arc;

use octroi_events::{CountryCode, Severity};

use super::field::{Field, Record, Value};
use super::rows::{At, seconds, text};
use crate::watched::{CallRow, FindingRow};

fn name(names: &[Arc<str>], index: usize) -> Option<Value<'_>> {
    text(names.get(index).map(|name| &**name))
}

fn address(addresses: &[IpAddr], index: usize) -> Option<Value<'static>> {
    addresses.get(index).copied().map(Value::Address)
}

impl Record for At<'_, CallRow> {
    fn value(&self, field: Field) -> Option<Value<'_>> {
        let record = &self.row.record;
        let call = &record.call;
        Some(match field {
            Field::Verdict => call.verdict.name().into(),
            Field::Zone => return text(call.zone.as_deref()),
            Field::Source => Value::Address(call.client),
            Field::Destination => return address(&call.peers, 0),
            // Media over anything else is not recognised.
            Field::Protocol => Value::Number(17),
            Field::Control => {
                return text(record.control_country.as_ref().map(CountryCode::as_str));
            }
            Field::Reach => record.reach.name().into(),
            Field::Operator => (&*call.operator_id).into(),
            Field::Service => (&*call.service).into(),
            Field::Name => return name(&call.names, 0),
            Field::Bytes => Value::Number(self.row.bytes()),
            Field::Up => Value::Number(call.outbound_bytes),
            Field::Down => Value::Number(call.reply_bytes),
            Field::Packets => Value::Number(self.row.packets()),
            Field::Rate => Value::Number(self.row.bytes() / call.seconds.max(1)),
            Field::Age => Value::Number(seconds(record.start, self.now)),
            Field::Lasted => Value::Number(call.seconds),
            Field::State => self.row.state().into(),
            Field::Severity => return text(call.severity().map(Severity::name)),
            Field::SourcePort
            | Field::DestinationPort
            | Field::Hosting
            | Field::Confidence
            | Field::Naming
            | Field::Ech
            | Field::Asn
            | Field::Rule
            | Field::Class
            | Field::App
            | Field::Family
            | Field::Finding => return None,
        })
    }

    fn further(&self, field: Field, index: usize) -> Option<Value<'_>> {
        let call = &self.row.record.call;
        match field {
            Field::Destination => address(&call.peers, index + 1),
            Field::Name => name(&call.names, index + 1),
            _ => None,
        }
    }
}

impl Record for At<'_, FindingRow> {
    fn value(&self, field: Field) -> Option<Value<'_>> {
        let finding = &self.row.finding;
        Some(match field {
            Field::Zone => return text(finding.zone.as_deref()),
            Field::Source => Value::Address(finding.client),
            Field::Destination => return finding.destination.map(Value::Address),
            Field::Name => return name(&finding.names, 0),
            Field::Age => Value::Number(seconds(finding.first, self.now)),
            Field::State => finding.state().into(),
            Field::Severity => finding.matter.severity().name().into(),
            Field::Family => (&**finding.matter.family()).into(),
            Field::Finding => finding.matter.kind().into(),
            _ => return None,
        })
    }

    fn further(&self, field: Field, index: usize) -> Option<Value<'_>> {
        match field {
            Field::Name => name(&self.row.finding.names, index + 1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use octroi_events::finding::{Activity, Matter};
    use octroi_events::{CallRecord, Finding};

    use super::*;
    use crate::filter::Filter;

    fn call(event: Option<u64>) -> CallRow {
        let record: CallRecord = serde_json::from_value(serde_json::json!({
            "time": "2026-11-22T12:10:00Z",
            "start": "2026-11-22T12:00:00Z",
            "end": "2026-11-22T12:05:00Z",
            "client": "10.10.0.10",
            "zone": "cabinet",
            "service": "ms-teams",
            "service_name": "Microsoft Teams",
            "operator_id": "microsoft",
            "seconds": 300,
            "outbound_packets": 1_000,
            "outbound_bytes": 200_000,
            "reply_packets": 2_000,
            "reply_bytes": 1_800_000,
            "flows": 2,
            "flow_ids": [7, 8],
            "peers": ["52.112.0.10", "52.113.0.11"],
            "names": ["teams.microsoft.com", "teams.live.com"],
            "evidence": ["media_shape", "stun"],
            "certainty": "high",
            "verdict": "flag",
            "enforced": true,
            "control_country": "US",
            "reach": "controlled",
        }))
        .expect("a call");
        CallRow {
            id: 7,
            event,
            record,
        }
    }

    fn finding() -> FindingRow {
        let time = "2026-11-22T12:00:00Z".parse().expect("a time");
        FindingRow::new(
            5,
            Finding {
                time,
                id: 9,
                activity: Activity::Create,
                matter: Matter::IpLogger {
                    host: "grabify.link".into(),
                    family: "grabify".into(),
                    dual_use: false,
                    source: "a list".into(),
                },
                client: "10.10.0.10".parse().expect("an address"),
                zone: None,
                names: vec!["grabify.link".into(), "x.grabify.link".into()],
                seen_by: vec!["query".into()],
                destination: None,
                first: time,
                last: time,
                count: 1,
                acknowledged: None,
            },
        )
    }

    fn holds<T>(row: &T, text: &str) -> bool
    where
        for<'a> At<'a, T>: Record,
    {
        let now = "2026-11-22T12:10:00Z".parse().expect("a time");
        Filter::parse(text)
            .expect("a filter")
            .matches(&At { row, now })
    }

    #[test]
    fn a_call_is_found_by_any_of_its_peers_and_names() {
        let row = call(None);
        for text in [
            "",
            "state:running",
            "service:ms-teams,zoom control:US",
            "dst:52.113.0.0/16",
            "52.113.0.11",
            "name=teams.live.com",
            "name:microsoft.com",
            "live.com",
            "lasted>=5m lasted<6m age:10m",
            "sev:medium verdict:flag proto:udp",
            "up=200k down>1M bytes=2M packets:3k",
            "dst!=52.114.0.1",
            "family:none",
        ] {
            assert!(holds(&row, text), "{text}");
        }
        for text in [
            "state:over",
            "dst!=52.113.0.11",
            "name!=teams.microsoft.com",
            "name=live.com",
            "hosting:US",
            "lasted>5m",
            "finding:ip_logger",
        ] {
            assert!(!holds(&row, text), "{text}");
        }
        assert!(holds(&call(Some(3)), "state:over"));
    }

    #[test]
    fn a_finding_is_found_by_what_it_is_about() {
        let mut row = finding();
        for text in [
            "finding:ip_logger family:grabify sev:high state:open",
            "src:10.10.0.0/16 zone:none dst:none",
            "name=x.grabify.link",
            "grabify",
        ] {
            assert!(holds(&row, text), "{text}");
        }
        for text in ["finding:look_alike", "verdict:block", "lasted>0s"] {
            assert!(!holds(&row, text), "{text}");
        }
        row.finding.activity = Activity::Close;
        assert!(holds(&row, "state:closed"));
    }
}
