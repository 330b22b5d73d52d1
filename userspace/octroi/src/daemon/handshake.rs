//! Names before the fact: frames that the kernel held are read, their flow is decided, and they go on
//! into that verdict. DNS queries are judged one by one, and refused in the place of the resolver.
//!
//! Whatever goes wrong here, nothing goes on: a frame that is not let go is sent again by its sender,
//! and held anew.

use std::collections::HashSet;

use octroi_abi::event::HeldHeader;
use octroi_abi::flow::{AWAITS_NAME, FlowKey};
use octroi_abi::table::long_time;
use octroi_datapath::{Answers, Datapath, HeldRecord, MAX_FRAME_BYTES, Release, answer, is_sound};
use octroi_inspect::flow;
use octroi_inspect::name::{Heard, Message, NameEvent, NameSource, NamerStats, Sample, refusal};
use octroi_policy::{Decision, Naming, Opaque, QueryVerdict, Verdict};
use tracing::debug;

use super::engine::{Engine, question};
use super::hold::{Held, Waiting};
use super::registry::{FlowName, LiveFlow};
use crate::judge::{Named, Question};

const DNS: u16 = 53;
const UDP: u8 = 17;
/// "Blocked" (RFC 8914 section 4.16): by the policy of who runs the network.
const EDE_BLOCKED: u16 = 15;

/// What holding frames needs.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// What waits.
    pub(super) waiting: Waiting,
    /// Interfaces where a held frame can be put back.
    pub(super) releases: HashSet<u32>,
    /// Where answers to refused queries go out.
    pub(super) answers: Option<Answers>,
}

impl Engine {
    /// Takes in a frame that the kernel held.
    pub(super) fn on_held(
        &mut self,
        datapath: &Datapath,
        record: &HeldRecord<'_>,
        found: &mut Vec<NameEvent>,
    ) {
        let header = record.header;
        self.holds.waiting.counts.held += 1;
        let first_ns = long_time(header.first, header.time_ns);
        let state = datapath.flow(&header.key);
        let Some(state) = state.filter(|state| state.first_ns == first_ns) else {
            // The flow is gone; a later one with its ends is held by itself.
            self.holds.waiting.counts.sent_again += 1;
            return;
        };
        self.known(header.key, state, header.ifindex);
        if !is_sound(&header, record.frame()) {
            // Its receiver would drop it, or that cannot be told: what it says decides nothing.
            self.holds.waiting.counts.unsound += 1;
            return;
        }
        let awaits = state.flags & AWAITS_NAME != 0;
        if let Some(flow) = self.registry.get_mut(&header.key) {
            flow.state = state;
        }
        if !awaits {
            // Decided while it was on its way here.
            self.let_go(datapath, vec![held(record)], Release::Decided);
            return;
        }
        let sample = Sample {
            key: header.key,
            first_ns,
            time_ns: header.time_ns,
            outbound: true,
            sequence: header.sequence,
            tcp_flags: header.tcp_flags,
            payload: record.payload(),
            cut: (record.payload().len() as u64) < u64::from(header.payload_bytes),
        };
        if header.key.outside_port == DNS && header.key.protocol == UDP {
            self.query(datapath, record);
        } else if sample.payload.is_empty() {
            self.opening(datapath, record, &sample, found);
        } else {
            self.hello(datapath, record, &sample, found);
        }
    }

    /// What opens a connection: it passes when some name that its client knows the address by may be
    /// reached there, or no name is known.
    fn opening(
        &mut self,
        datapath: &Datapath,
        record: &HeldRecord<'_>,
        sample: &Sample<'_>,
        found: &mut Vec<NameEvent>,
    ) {
        let key = record.header.key;
        found.clear();
        self.namer.observe(sample, found);
        found.clear();
        let how = match self.forbidden_by_all_names(&key) {
            Some((name, chain)) => {
                if let Some(flow) = self.registry.get_mut(&key) {
                    flow.name = Some(name);
                    flow.naming = Naming::Dns;
                    flow.chain = chain;
                }
                self.decide(datapath, &key);
                Release::Decided
            }
            None => Release::Undecided,
        };
        self.let_go(datapath, vec![held(record)], how);
    }

    /// The latest name by which a client knows an address, with its aliases, when the policy stops
    /// every one of them.
    fn forbidden_by_all_names(&self, key: &FlowKey) -> Option<(FlowName, Vec<String>)> {
        let flow = self.registry.get(key)?;
        let mut latest = None;
        for binding in self.namer.bindings_for(key) {
            let chain: Vec<String> = binding.chain.iter().map(|alias| (**alias).into()).collect();
            let question = Question {
                named: Named {
                    name: Some(&binding.name),
                    naming: Naming::Dns,
                    chain: &chain,
                    ..Named::default()
                },
                ..question(flow, self.judge.day())
            };
            let decision = self.judge.decide(&question);
            if !decision.enforced || !decision.verdict.stops() {
                return None;
            }
            let name = FlowName {
                name: binding.name.to_string(),
                source: NameSource::Dns,
            };
            latest = Some((name, chain));
        }
        latest
    }

    /// Something that the client says: its name is in it, or will come, or will not.
    fn hello(
        &mut self,
        datapath: &Datapath,
        record: &HeldRecord<'_>,
        sample: &Sample<'_>,
        found: &mut Vec<NameEvent>,
    ) {
        let key = record.header.key;
        if !self.holds.waiting.keep(record.header, record.frame()) {
            return;
        }
        found.clear();
        let before = given_up(&self.namer.stats());
        let heard = self.namer.observe(sample, found);
        let is_unreadable = given_up(&self.namer.stats()) != before;
        let mut forbidden = None;
        for event in found.drain(..) {
            if event.source == NameSource::Query {
                forbidden = forbidden.or_else(|| self.judge_query(&key, &event.name));
            }
            self.on_name(datapath, event);
        }
        if let Some((decision, name)) = forbidden {
            self.refused(&key, &decision, name);
            self.rewrite(datapath, &key, &decision);
            let frames = self.holds.waiting.take(&key);
            self.let_go(datapath, frames, Release::Decided);
            return;
        }
        let is_query = key.outside_port == DNS;
        match heard {
            Heard::Pending => {}
            Heard::Talk => self.go_on(datapath, &key, Release::Undecided),
            // Each query of a DNS stream is judged: it is never settled.
            Heard::Settled if is_query && !is_unreadable => {
                self.go_on(datapath, &key, Release::Undecided);
            }
            Heard::Settled => {
                if self.settle(datapath, &key, is_unreadable) {
                    self.go_on(datapath, &key, Release::Decided);
                }
            }
        }
    }

    /// Decides a flow whose client has said all that names it. What could not be read is judged by the
    /// policy's word for what is malformed. Returns whether it is decided.
    fn settle(&mut self, datapath: &Datapath, key: &FlowKey, is_unreadable: bool) -> bool {
        let Some(flow) = self.registry.get(key) else {
            return false;
        };
        if flow.state.flags & AWAITS_NAME == 0 {
            // By what its name alone stopped.
            return true;
        }
        let mut question = question(flow, self.judge.day());
        if is_unreadable && question.opaque == Opaque::None {
            question.opaque = Opaque::Malformed;
        }
        let decision = self.judge.decide(&question);
        let done = self.rewrite(datapath, key, &decision);
        self.alert_if_due(key);
        done
    }

    /// A datagram to a resolver.
    fn query(&mut self, datapath: &Datapath, record: &HeldRecord<'_>) {
        let key = record.header.key;
        let payload = record.payload();
        let questions = match Message::read(payload) {
            Ok(message)
                if !message.is_response
                    && !message.questions.is_empty()
                    && message.questions.iter().all(|asked| asked.name.is_some()) =>
            {
                message.questions
            }
            _ => {
                // No question that could be judged: the policy's word for what cannot be read.
                let verdict = self.judge.policy.opaque_verdict(Opaque::Malformed);
                if verdict.stops() {
                    self.holds.waiting.counts.queries_refused += 1;
                } else {
                    self.let_go(datapath, vec![held(record)], Release::Undecided);
                }
                return;
            }
        };
        let names = || {
            questions
                .iter()
                .filter_map(|question| question.name.as_deref())
        };
        for name in names() {
            self.teller.asked(&self.judge, flow::inside(&key), name);
        }
        let forbidden = names().find_map(|name| self.judge_query(&key, name));
        let Some((decision, name)) = forbidden else {
            self.let_go(datapath, vec![held(record)], Release::Undecided);
            return;
        };
        self.refused(&key, &decision, name);
        if decision.verdict == Verdict::Reject {
            self.answer(record, &decision);
        }
    }

    /// The decision on a name that must not be asked for; `None`: it may be.
    fn judge_query(&self, key: &FlowKey, name: &str) -> Option<(Decision, String)> {
        let flow = self.registry.get(key)?;
        let policy = &self.judge.policy;
        let catalogue = self.judge.atlas.catalogue();
        match policy.judge_query(catalogue, flow.state.zone, name, self.judge.day()) {
            QueryVerdict::Forbidden { rule, verdict } if policy.enforced() => {
                let decision = Decision {
                    verdict,
                    rule,
                    enforced: true,
                    shadow: None,
                    names_matter: true,
                };
                Some((decision, name.to_owned()))
            }
            QueryVerdict::Forbidden { .. } | QueryVerdict::Open => None,
        }
    }

    /// Counts and tells a refused query: as a flow of its own, whose name is the one that was asked.
    fn refused(&mut self, key: &FlowKey, decision: &Decision, name: String) {
        self.holds.waiting.counts.queries_refused += 1;
        let Some(flow) = self.registry.get(key) else {
            return;
        };
        let mut told: LiveFlow = flow.clone();
        told.name = Some(FlowName {
            name,
            source: NameSource::Query,
        });
        told.state.verdict = decision.verdict.code();
        told.state.rule = decision.rule;
        told.alerted = false;
        self.teller
            .alert_if_due(&self.judge, &self.clock, &mut told);
    }

    /// Answers a refused query in the place of the resolver.
    fn answer(&mut self, record: &HeldRecord<'_>, decision: &Decision) {
        let policy = &self.judge.policy;
        let rule = policy.rule(decision.rule);
        let why = rule.map_or_else(
            || format!("policy {}", policy.name),
            |rule| format!("policy {}, rule {}: {}", policy.name, rule.id, rule.title),
        );
        let sent = refusal(record.payload(), EDE_BLOCKED, &why)
            .and_then(|message| answer(record.frame(), &record.header.key, &message))
            .zip(self.holds.answers.as_ref())
            .map(|(frame, answers)| answers.send(record.header.ifindex, &frame));
        match sent {
            Some(Ok(())) => return,
            Some(Err(error)) => debug!("a refused query was not answered: {error}"),
            None => debug!("a refused query cannot be answered: it was dropped"),
        }
        self.holds.waiting.counts.unanswered += 1;
    }

    /// Lets the frames of a flow go on.
    fn go_on(&mut self, datapath: &Datapath, key: &FlowKey, how: Release) {
        let frames = self.holds.waiting.take(key);
        self.let_go(datapath, frames, how);
    }

    fn let_go(&mut self, datapath: &Datapath, frames: Vec<Held>, how: Release) {
        // What came first may have waited for its client: the last completed it.
        let completed_ns = frames.iter().map(|held| held.header.time_ns).max();
        for Held { header, mut frame } in frames {
            let released = self.holds.can_release(&header)
                && match datapath.release(&header, &mut frame, how) {
                    Ok(()) => true,
                    Err(error) => {
                        debug!("{error}");
                        false
                    }
                };
            let counts = &mut self.holds.waiting.counts;
            if released {
                counts.released += 1;
            } else {
                counts.sent_again += 1;
            }
        }
        if let Some(since_ns) = completed_ns {
            let took_ns = Datapath::monotonic_now_ns().saturating_sub(since_ns);
            self.holds.waiting.counts.took(took_ns);
        }
    }
}

impl Holds {
    fn can_release(&self, header: &HeldHeader) -> bool {
        header.length == header.frame_bytes
            && header.frame_bytes as usize <= MAX_FRAME_BYTES
            && self.releases.contains(&header.ifindex)
    }
}

fn held(record: &HeldRecord<'_>) -> Held {
    Held {
        header: record.header,
        frame: record.frame().into(),
    }
}

/// How often something that may have held a name could not be read.
fn given_up(stats: &NamerStats) -> u64 {
    stats.invalid_names
        + stats.quic_undecryptable
        + stats.quic_unknown_version
        + stats.streams_malformed
        + stats.streams_too_long
        + stats.streams_contradicted
        + stats.memory_refused
}
