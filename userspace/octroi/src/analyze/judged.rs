//! A flow before the judge: zone, destination, name, verdict, and what is kept of it.

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::civil::Date;
use octroi_geo_db::catalogue::Language;
use octroi_geo_db::profile::Profile;
use octroi_inspect::flow::{self, Flow};
use octroi_inspect::name::NameEvent;
use octroi_inspect::packet::Unparsed;
use octroi_inspect::survey::{Naming, Sink};
use octroi_policy::{Decision, Opaque};

use super::flow_line::FlowLine;
use super::names::Names;
use super::report::{AlertKey, CaptureLine, Report};
use crate::judge::{Judge, Named, Question};

/// Verdicts remembered for flows without a name.
const MAX_REMEMBERED: usize = 65_536;

/// The judge, and what the command line adds.
pub(crate) struct Desk {
    pub(crate) judge: Judge,
    /// Zone of sources that are in none.
    pub(crate) zone: u8,
    /// Day of the evaluation.
    pub(crate) at: Date,
}

/// What makes two nameless flows the same question.
type Asked = (u8, IpAddr, u8, u16, Opaque);

/// Judges each flow that ends, and adds it to the report.
pub(crate) struct Judging {
    desk: Desk,
    report: Report,
    names: Option<Names>,
    remembered: HashMap<Asked, Decision>,
    capture: usize,
}

/// The ends of a flow as the policy sees them.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub(super) zone: u8,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    /// The destination began the flow: what is judged are the answers to it.
    pub(super) from_outside: bool,
}

impl Judging {
    pub(crate) fn new(desk: Desk, rows: usize, with_names: bool) -> Self {
        Self {
            report: Report::new(&desk, rows),
            desk,
            names: with_names.then(|| Names::new(rows)),
            remembered: HashMap::default(),
            capture: 0,
        }
    }

    pub(crate) fn begin_capture(&mut self) {
        self.capture = self.report.captures.len();
    }

    pub(crate) fn end_capture(&mut self, line: CaptureLine) {
        self.report.captures.push(line);
    }

    pub(crate) fn into_report(mut self) -> Report {
        self.report.names = self.names.map(Names::into_lines).unwrap_or_default();
        self.report.explain(&self.desk);
        self.report
    }

    /// The whole reason of a flow's verdict.
    pub(super) fn residency(&self, line: &FlowLine) -> octroi_events::Residency {
        let question = line.question(&self.desk);
        self.desk.judge.residency(&question, Language::En)
    }

    /// Judges a flow and counts it.
    pub(super) fn judge(&mut self, flow: &Flow<Naming>) -> FlowLine {
        let ends = self.ends(flow);
        let name = flow.data.name.as_ref().filter(|_| !ends.from_outside);
        let question = Question {
            zone: ends.zone,
            destination: ends.destination,
            protocol: flow.key.protocol,
            port: ends.destination_port,
            named: Named::asked(name.map(|name| &*name.name)),
            opaque: flow.opaque,
            at: self.desk.at,
        };
        let decision = self.decide(&question);
        let judge = &self.desk.judge;
        let profile = judge.profile(judge.class_of(ends.destination), &question.named);
        self.report
            .count(&profile, &decision, flow_packets(flow), flow_bytes(flow));
        let line = FlowLine::new(self.capture, flow, &ends, &profile, &decision, &self.desk);
        if line.is_alert() {
            self.report.alert(AlertKey::of(&line), &line);
        }
        line
    }

    fn decide(&mut self, question: &Question<'_>) -> Decision {
        if question.named.name.is_some() {
            return self.desk.judge.decide(question);
        }
        let asked = (
            question.zone,
            question.destination,
            question.protocol,
            question.port,
            question.opaque,
        );
        if let Some(decision) = self.remembered.get(&asked) {
            return *decision;
        }
        let decision = self.desk.judge.decide(question);
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.clear();
        }
        self.remembered.insert(asked, decision);
        decision
    }

    /// Which side is inside. A flow that was begun from outside towards a zone is judged by its
    /// answers, as the gate does.
    fn ends(&self, flow: &Flow<Naming>) -> Ends {
        let policy = &self.desk.judge.policy;
        let (inside, outside) = (flow::inside(&flow.key), flow::outside(&flow.key));
        let zone = policy.zone_of(inside);
        if zone == 0 {
            let other = policy.zone_of(outside);
            if other != 0 {
                return Ends {
                    zone: other,
                    source: outside,
                    destination: inside,
                    source_port: flow.key.outside_port,
                    destination_port: flow.key.inside_port,
                    from_outside: true,
                };
            }
        }
        Ends {
            zone: if zone == 0 { self.desk.zone } else { zone },
            source: inside,
            destination: outside,
            source_port: flow.key.inside_port,
            destination_port: flow.key.outside_port,
            from_outside: false,
        }
    }
}

impl Sink for Judging {
    fn flow(&mut self, flow: Flow<Naming>) {
        let line = self.judge(&flow);
        self.report.keep(line);
    }

    fn name(&mut self, event: &NameEvent, inside_tunnel: bool) {
        if let Some(names) = &mut self.names {
            names.add(event, inside_tunnel);
        }
    }

    fn without_flow(&mut self, _time_ns: u64, wire_bytes: u32, unparsed: &Unparsed) {
        // Nothing is known of a destination that cannot be read: the policy's word for the kind
        // of opacity decides alone.
        let zone = unparsed
            .addresses
            .map_or(0, |(source, _)| self.desk.judge.policy.zone_of(source));
        let question = Question {
            zone: if zone == 0 { self.desk.zone } else { zone },
            destination: unparsed
                .addresses
                .map_or(IpAddr::from([0, 0, 0, 0]), |(_, destination)| destination),
            protocol: 0,
            port: 0,
            named: Named::default(),
            opaque: unparsed.opaque,
            at: self.desk.at,
        };
        let decision = if unparsed.addresses.is_some() {
            self.decide(&question)
        } else {
            Decision {
                verdict: self.desk.judge.policy.opaque_verdict(unparsed.opaque),
                rule: octroi_abi::rules::RULE_OPAQUE,
                enforced: self.desk.judge.policy.enforced(),
                shadow: None,
                names_matter: false,
            }
        };
        self.report
            .count_without_flow(unparsed.opaque, &decision, wire_bytes);
    }
}

fn flow_packets(flow: &Flow<Naming>) -> u64 {
    flow.outbound_packets + flow.reply_packets
}

fn flow_bytes(flow: &Flow<Naming>) -> u64 {
    flow.outbound_bytes + flow.reply_bytes
}

/// Where a profile says its destination stands, in one or two words.
pub(super) fn hosting(profile: &Profile) -> String {
    use octroi_geo_db::profile::HostingConfidence as Confidence;
    if let Some(special) = profile.special {
        return special.name().to_owned();
    }
    let hosting = &profile.hosting;
    match (hosting.country, hosting.confidence) {
        (Some(country), Confidence::Located) => country.to_string(),
        (Some(country), confidence) => format!("{country} ({})", confidence.name()),
        (None, confidence) => confidence.name().to_owned(),
    }
}

/// Whose law a profile says reaches it, in one or two words.
pub(super) fn control(profile: &Profile) -> String {
    if profile.special.is_some() {
        return "-".to_owned();
    }
    let control = &profile.control;
    match control.country {
        Some(country) => format!("{country} ({})", control.reach.name()),
        None => control.reach.name().to_owned(),
    }
}
