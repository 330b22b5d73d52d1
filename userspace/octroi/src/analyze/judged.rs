//! A flow before the judge: zone, destination, name, verdict, and what is kept of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::RandomState;
use octroi_api::filter::Filter;
use octroi_geo_db::catalogue::Language;
use octroi_geo_db::profile::Profile;
use octroi_inspect::flow::{self, Flow};
use octroi_inspect::name::{AppProtocol, Ech, Evidence, NameEvent};
use octroi_inspect::packet::Unparsed;
use octroi_inspect::survey::Naming;
use octroi_policy::{Decision, EchSeen, Opaque, Verdict};

use super::desk::{Desk, Opening};
use super::flow_line::FlowLine;
use super::names::Names;
use super::report::{AlertKey, Report};
use super::watch::{self, Noted};
use crate::judge::{Named, Question};

/// Answers remembered by each shard.
const MAX_REMEMBERED: usize = 4_096;
/// Answers remembered for one destination, port and zone.
const NAMES_REMEMBERED: usize = 8;

/// Destination and whatever else but the name makes two flows the same question.
type Asked = (u8, IpAddr, u8, u16, Opaque);

/// Judges each flow that ends, and adds it to the report. Each shard has one.
pub(crate) struct Judging {
    opening: Arc<Opening>,
    /// Once a flow was judged.
    ready: Option<Ready>,
    rows: usize,
    filter: Arc<Filter>,
    names: Option<Names>,
    noted: Noted,
    capture: usize,
    /// The system that announces a destination is told.
    with_asn: bool,
}

struct Ready {
    desk: Arc<Desk>,
    report: Report,
    answers: Answers,
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

/// What was found of a destination.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) decision: Decision,
    pub(super) profile: Arc<Profile>,
    pub(super) asn: Option<u32>,
}

impl Judging {
    pub(super) fn new(
        opening: Arc<Opening>,
        filter: Arc<Filter>,
        rows: usize,
        with_names: bool,
        with_asn: bool,
    ) -> Self {
        Self {
            opening,
            ready: None,
            rows,
            filter,
            names: with_names.then(|| Names::new(rows)),
            noted: Noted::default(),
            capture: 0,
            with_asn,
        }
    }

    pub(super) fn begin_capture(&mut self, number: usize) {
        self.capture = number;
    }

    /// What all shards found together.
    pub(super) fn into_report(
        shards: Vec<Self>,
        desk: &Arc<Desk>,
        rows: usize,
        with_reasons: bool,
    ) -> Report {
        let mut whole = Report::new(desk, rows);
        let mut names = Names::new(rows);
        let mut noted = Vec::new();
        for shard in shards {
            noted.push(shard.noted);
            if let Some(ready) = shard.ready {
                whole.add(ready.report);
            }
            if let Some(more) = shard.names {
                names.merge(more);
            }
        }
        (whole.names, whole.names_left_out) = names.into_lines();
        whole.watched = watch::told(noted, desk);
        whole.explain(desk, with_reasons);
        whole
    }

    /// Judges a flow and counts it. The flow as a line: always with `always`, else when it may be
    /// among the largest; `None` when the filter leaves it out, or there is no judge.
    pub(super) fn judge(&mut self, flow: &Flow<Naming>, always: bool) -> Option<FlowLine> {
        let ready = Ready::of(&mut self.ready, &self.opening, self.rows)?;
        let desk = &ready.desk;
        let ends = ends(flow, desk);
        let named = if ends.from_outside {
            Named::default()
        } else {
            named(&flow.data)
        };
        let question = Question {
            zone: ends.zone,
            destination: ends.destination,
            protocol: flow.key.protocol,
            port: ends.destination_port,
            named,
            opaque: flow.opaque,
            at: desk.at,
        };
        let answer = ready.answers.of(&question, desk, self.with_asn);
        let bytes = flow.outbound_bytes + flow.reply_bytes;
        let decision = &answer.decision;
        let is_alert = decision.verdict != Verdict::Allow || decision.shadow.is_some();
        let filtered = !self.filter.is_all();
        // Most flows are only counted.
        let capture = self.capture;
        let make = || FlowLine::new(capture, flow, &ends, &answer, desk);
        let line = (always || filtered || ready.report.wants(bytes)).then(make);
        if filtered && !line.as_ref().is_some_and(|line| self.filter.matches(line)) {
            ready.report.left_out_by_filter += 1;
            return None;
        }
        self.noted.flow(flow, &ends, &answer, desk);
        let packets = flow.outbound_packets + flow.reply_packets;
        ready.report.count(&answer, packets, bytes);
        ready
            .report
            .places
            .count(self.capture, flow, &ends, &answer);
        if is_alert {
            let key = AlertKey::of(flow, &ends, decision);
            let first = || line.clone().unwrap_or_else(make);
            ready.report.alert(key, bytes, first);
        }
        if line.is_none() {
            ready.report.leave_out();
        }
        line
    }

    /// Keeps a flow for the list of the largest.
    pub(super) fn keep(&mut self, line: FlowLine) {
        if let Some(ready) = &mut self.ready {
            ready.report.keep(line);
        }
    }

    /// The whole reason of a flow's verdict.
    pub(super) fn residency(&self, line: &FlowLine) -> Option<octroi_events::Residency> {
        let desk = &self.ready.as_ref()?.desk;
        Some(desk.judge.residency(&line.question(desk), Language::En))
    }

    pub(super) fn name(&mut self, event: &NameEvent, inside_tunnel: bool) {
        self.noted.name(event);
        if let Some(names) = &mut self.names {
            names.add(event, inside_tunnel);
        }
    }

    pub(super) fn without_flow(&mut self, wire_bytes: u32, unparsed: &Unparsed) {
        let Some(ready) = Ready::of(&mut self.ready, &self.opening, self.rows) else {
            return;
        };
        let desk = &ready.desk;
        let policy = &desk.judge.policy;
        // Nothing is known of a destination that cannot be read: the policy's word for the kind
        // of opacity decides alone.
        let decision = match unparsed.addresses {
            None => policy.evaluate_opaque(unparsed.opaque),
            Some((source, destination)) => {
                let zone = policy.zone_of(source);
                let question = Question {
                    zone: if zone == 0 { desk.zone } else { zone },
                    destination,
                    protocol: 0,
                    port: 0,
                    named: Named::default(),
                    opaque: unparsed.opaque,
                    at: desk.at,
                };
                ready.answers.of(&question, desk, false).decision
            }
        };
        ready
            .report
            .count_without_flow(unparsed.opaque, &decision, wire_bytes);
    }
}

impl Ready {
    fn of<'a>(ready: &'a mut Option<Self>, opening: &Opening, rows: usize) -> Option<&'a mut Self> {
        if ready.is_none() {
            let desk = opening.wait()?;
            *ready = Some(Self {
                report: Report::new(&desk, rows),
                answers: Answers::default(),
                desk,
            });
        }
        ready.as_mut()
    }
}

/// Answers to questions that come again: a thousand flows to one place are judged once.
#[derive(Default)]
struct Answers {
    by_question: HashMap<Asked, Vec<Remembered>, RandomState>,
    count: usize,
}

struct Remembered {
    named: OwnNamed,
    answer: Answer,
}

impl Answers {
    fn of(&mut self, question: &Question<'_>, desk: &Desk, with_asn: bool) -> Answer {
        let asked = (
            question.zone,
            question.destination,
            question.protocol,
            question.port,
            question.opaque,
        );
        let known = self.by_question.get(&asked).map(Vec::as_slice);
        let is_it = |known: &&Remembered| known.named.is(&question.named);
        if let Some(known) = known.unwrap_or_default().iter().find(is_it) {
            return known.answer.clone();
        }
        let judge = &desk.judge;
        let answer = Answer {
            decision: judge.decide(question),
            profile: judge.profile(judge.class_of(question.destination), &question.named),
            asn: with_asn
                .then(|| judge.asn_number_of(question.destination))
                .flatten(),
        };
        if self.count >= MAX_REMEMBERED {
            self.by_question.clear();
            self.count = 0;
        }
        let remembered = self.by_question.entry(asked).or_default();
        if remembered.len() >= NAMES_REMEMBERED {
            remembered.remove(0);
        } else {
            self.count += 1;
        }
        remembered.push(Remembered {
            named: OwnNamed::new(&question.named),
            answer: answer.clone(),
        });
        answer
    }
}

/// [`Named`], to be kept.
struct OwnNamed {
    name: Option<Box<str>>,
    naming: octroi_policy::Naming,
    speaks: Option<Box<str>>,
    ech: EchSeen,
    chain: Box<[String]>,
}

impl OwnNamed {
    fn new(named: &Named<'_>) -> Self {
        Self {
            name: named.name.map(Into::into),
            naming: named.naming,
            speaks: named.speaks.map(Into::into),
            ech: named.ech,
            chain: named.chain.into(),
        }
    }

    fn is(&self, named: &Named<'_>) -> bool {
        self.name.as_deref() == named.name
            && self.naming == named.naming
            && self.speaks.as_deref() == named.speaks
            && self.ech == named.ech
            && *self.chain == *named.chain
    }
}

/// Which side is inside. A flow that was begun from outside towards a zone is judged by its
/// answers, as the gate does.
fn ends(flow: &Flow<Naming>, desk: &Desk) -> Ends {
    let policy = &desk.judge.policy;
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
        zone: if zone == 0 { desk.zone } else { zone },
        source: inside,
        destination: outside,
        source_port: flow.key.inside_port,
        destination_port: flow.key.outside_port,
        from_outside: false,
    }
}

/// What the judge may know of a flow's name.
fn named(data: &Naming) -> Named<'_> {
    let name = data.name.as_deref();
    Named {
        name: name.map(|name| &*name.name),
        naming: naming(data),
        speaks: speaks(data),
        ech: ech_seen(data.ech),
        chain: name.map_or(&[], |name| &name.chain),
    }
}

/// What a flow's name rests on.
pub(super) fn naming(data: &Naming) -> octroi_policy::Naming {
    match data.name.as_deref().map(|name| name.evidence) {
        Some(Evidence::Dns) => octroi_policy::Naming::Dns,
        Some(Evidence::Confirmed) => octroi_policy::Naming::Confirmed,
        Some(Evidence::Unasked) => octroi_policy::Naming::Unasked,
        Some(Evidence::Contradicted) => octroi_policy::Naming::Contradicted,
        None if data.nameless => octroi_policy::Naming::Nameless,
        None => octroi_policy::Naming::Pending,
    }
}

/// What a flow was seen to speak.
pub(super) fn speaks(data: &Naming) -> Option<&'static str> {
    data.protocol.map(AppProtocol::name)
}

/// An encrypted hello in the policy's words.
pub(super) const fn ech_seen(ech: Ech) -> EchSeen {
    match ech {
        Ech::None => EchSeen::None,
        Ech::Grease => EchSeen::Grease,
        Ech::Possible => EchSeen::Possible,
        Ech::Real => EchSeen::Real,
    }
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
