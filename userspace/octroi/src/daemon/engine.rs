//! The slow path: what the kernel tells becomes flows, names, verdicts by name, and alerts.

use jiff::civil::Date;
use octroi_abi::event::{FlowEvent, end, kind};
use octroi_abi::flow::{AWAITS_NAME, ENFORCED, FlowKey, FlowState, NAMED, NAMES_MATTER};
use octroi_abi::rules::{MAX_RULES, RULE_DEFAULT, RULE_NONE, RULE_OPAQUE};
use octroi_datapath::{Datapath, Rewritten, VerdictChange};
use octroi_inspect::name::{
    AppProtocol, Ech, Evidence, NameEvent, NameSource, Namer, NamerLimits, Sample,
};
use octroi_policy::{Decision, EchSeen, Naming, Opaque, Verdict};

use super::clock::Clock;
use super::gate::InForce;
use super::handshake::Holds;
use super::registry::{End, FlowName, LiveFlow, Registry, address, tcp_closed};
use super::tell::Teller;
use crate::config::{Config, FlowsConfig};
use crate::judge::{Judge, Named, Question};

const TCP: u8 = 6;
const TCP_SYN: u8 = 0x02;

/// All that the slow path keeps.
pub(super) struct Engine {
    /// The atlas and the policy in force.
    pub(super) judge: Judge,
    /// Generation of the kernel's tables that `judge` was compiled to.
    pub(super) generation: u32,
    /// The live flows.
    pub(super) registry: Registry,
    /// Who tells the world.
    pub(super) teller: Teller,
    /// The clocks at the last sweep.
    pub(super) clock: Clock,
    /// Where the policy in force came from.
    pub(super) in_force: InForce,
    /// Frames that wait for the decision of their flow.
    pub(super) holds: Holds,
    pub(super) namer: Namer,
    names_enforced: bool,
    pub(super) limits: FlowsConfig,
}

impl Engine {
    /// An engine without flows.
    pub(super) fn new(
        judge: Judge,
        generation: u32,
        in_force: InForce,
        teller: Teller,
        config: &Config,
    ) -> Self {
        Self {
            judge,
            generation,
            in_force,
            registry: Registry::default(),
            teller,
            clock: Clock::now(),
            holds: Holds::default(),
            namer: Namer::new(NamerLimits::default()),
            names_enforced: config.names.enforce,
            limits: config.flows,
        }
    }

    /// Takes in one event of the kernel.
    pub(super) fn on_event(&mut self, datapath: &Datapath, event: &FlowEvent) {
        let state = event.account.state(event.time_ns);
        let shadow = Verdict::from_code(event.shadow_verdict)
            .filter(|_| event.shadow_rule != RULE_NONE)
            .map(|verdict| (event.shadow_rule, verdict));
        match event.kind {
            kind::OPAQUE => self.teller.opaque(&self.judge, &self.clock, event),
            kind::ENDED => {
                let known = self.registry.take(&event.key, state.first_ns);
                let mut flow =
                    known.unwrap_or_else(|| LiveFlow::new(event.key, state, event.ifindex));
                flow.state = state;
                self.teller
                    .alert_if_due(&self.judge, &self.clock, &mut flow);
                let end = match event.reason {
                    end::REOPENED => End::Closed,
                    _ => End::Evicted,
                };
                self.ended(&flow, end);
            }
            kind::CLOSED => {
                self.known(event.key, state, event.ifindex);
                if let Some(flow) = self.registry.get_mut(&event.key) {
                    flow.state = state;
                }
                // Its first event may have been lost: an alert that is due is raised now.
                self.decide(datapath, &event.key);
            }
            kind::REJUDGED => {
                self.known(event.key, state, event.ifindex);
                if let Some(flow) = self.registry.get_mut(&event.key) {
                    flow.alerted = false;
                    flow.state = state;
                    flow.shadow = shadow;
                }
                self.decide(datapath, &event.key);
            }
            _ => {
                self.known(event.key, state, event.ifindex);
                if let Some(flow) = self.registry.get_mut(&event.key) {
                    flow.shadow = shadow;
                }
                self.decide(datapath, &event.key);
            }
        }
    }

    /// Takes in the first payload bytes of a flow.
    pub(super) fn on_sample(
        &mut self,
        datapath: &Datapath,
        sample: &Sample<'_>,
        found: &mut Vec<NameEvent>,
    ) {
        found.clear();
        self.namer.observe(sample, found);
        for event in found.drain(..) {
            self.on_name(datapath, event);
        }
    }

    pub(super) fn on_name(&mut self, datapath: &Datapath, event: NameEvent) {
        self.teller.heard(&self.judge, &event);
        if self.registry.get_mut(&event.key).is_none() {
            // The sample overtook the flow's own event.
            match datapath.flow(&event.key) {
                Some(state) if state.first_ns == event.first_ns => {
                    self.known(event.key, state, 0);
                }
                _ => return,
            }
        }
        let Some(flow) = self.registry.get_mut(&event.key) else {
            return;
        };
        if flow.state.first_ns != event.first_ns {
            return;
        }
        let is_other_speech =
            event.protocol != AppProtocol::Unknown && flow.app != Some(event.protocol);
        if is_other_speech {
            flow.app = Some(event.protocol);
        }
        if event.source == NameSource::Nameless {
            if flow.name.is_none() {
                flow.naming = Naming::Nameless;
            }
            flow.ech = ech_seen(event.ech);
            self.decide(datapath, &event.key);
            return;
        }
        if !event.source.names_destination() {
            return;
        }
        let naming = naming(event.evidence);
        let told = FlowName {
            name: event.name,
            source: event.source,
        };
        let replaces = match &flow.name {
            None => true,
            Some(known) if known.name == told.name => {
                known.source == NameSource::Dns || is_other_speech
            }
            // What the client says on this very flow is worth more than what DNS bound to the
            // address.
            Some(known) if known.source == NameSource::Dns => true,
            // Several hosts in one conversation: the strictest decides, a later one opens nothing.
            Some(_) => {
                let question = question(flow, self.judge.day());
                let question = Question {
                    named: Named {
                        name: Some(&told.name),
                        naming,
                        chain: &event.chain,
                        ech: ech_seen(event.ech),
                        ..question.named
                    },
                    ..question
                };
                self.judge.decide(&question).verdict.code() > flow.state.verdict
            }
        };
        if replaces {
            flow.name = Some(told);
            flow.naming = naming;
            flow.chain = event.chain;
            flow.ech = ech_seen(event.ech);
            self.decide(datapath, &event.key);
        }
    }

    /// Makes sure that a flow is known; a DNS answer may name it at once.
    pub(super) fn known(&mut self, key: FlowKey, state: FlowState, ifindex: u32) {
        let (flow, is_new, replaced) = self.registry.take_in(key, state, ifindex);
        if is_new && let Some(binding) = self.namer.binding_for(&key) {
            flow.naming = Naming::Dns;
            flow.chain = binding.chain.iter().map(ToString::to_string).collect();
            flow.name = Some(FlowName {
                name: binding.name.to_string(),
                source: NameSource::Dns,
            });
        }
        if let Some(old) = replaced {
            if let Some(flow) = self.registry.get_mut(&key)
                && key.protocol == TCP
                && flow.state.outbound_tcp_flags & TCP_SYN == 0
            {
                // No handshake: the kernel's table had given the conversation up, and it goes on.
                // Its client will not say its name again.
                flow.name.clone_from(&old.name);
                flow.naming = old.naming;
                flow.chain.clone_from(&old.chain);
                flow.ech = old.ech;
                flow.app = old.app;
            }
            self.ended(&old, End::Closed);
        }
    }

    /// Decides a flow with all that is known of it now, has the kernel do it where that differs
    /// from what the kernel does, and tells whoever should know.
    pub(super) fn decide(&mut self, datapath: &Datapath, key: &FlowKey) {
        let Some(flow) = self.registry.get_mut(key) else {
            return;
        };
        if self.names_enforced
            && flow.naming != Naming::Pending
            && judged_by_policy(flow.state.rule)
        {
            let question = question(flow, self.judge.day());
            let decision = self.judge.decide(&question);
            // What awaits its name is settled when all of it is read (see `handshake`), unless what
            // is known already stops it.
            let awaits = flow.state.flags & AWAITS_NAME != 0;
            let is_due = if awaits {
                decision.enforced && decision.verdict.stops()
            } else {
                differs(&decision, flow)
            };
            if is_due {
                self.rewrite(datapath, key, &decision);
            }
        }
        self.alert_if_due(key);
    }

    /// Gives a flow another verdict, in the kernel and here. Returns whether that was done.
    pub(super) fn rewrite(
        &mut self,
        datapath: &Datapath,
        key: &FlowKey,
        decision: &Decision,
    ) -> bool {
        let Some(flow) = self.registry.get_mut(key) else {
            return false;
        };
        let change = change(decision, self.generation, flow.state.class);
        match datapath.rewrite_verdict(key, flow.state.first_ns, &change) {
            Rewritten::Done => {
                if differs(decision, flow) {
                    flow.alerted = false;
                }
                note(decision, self.generation, flow);
                true
            }
            // Judged again under newer tables: the event of that is on its way.
            Rewritten::Stale | Rewritten::NoSuchFlow => false,
        }
    }

    /// Raises the alert of a flow, unless its decision is still to come.
    pub(super) fn alert_if_due(&mut self, key: &FlowKey) {
        if let Some(flow) = self.registry.get_mut(key)
            && flow.state.flags & AWAITS_NAME == 0
        {
            self.teller.alert_if_due(&self.judge, &self.clock, flow);
        }
    }

    /// A flow whose event was lost: which shadow rule matched is found again.
    pub(super) fn recovered(&mut self, key: &FlowKey) {
        let day = self.judge.day();
        if let Some(flow) = self.registry.get_mut(key) {
            flow.shadow = self.judge.decide(&question(flow, day)).shadow;
        }
    }

    /// Closes the account of every flow: the daemon stops (the flows go on).
    pub(super) fn shutdown(&mut self) {
        self.clock = Clock::now();
        for flow in self.registry.drain() {
            self.ended(&flow, End::Shutdown);
        }
        self.teller.last_calls(&self.judge, &self.clock);
    }

    pub(super) fn ended(&mut self, flow: &LiveFlow, end: End) {
        if flow.state.flags & AWAITS_NAME != 0 {
            // Nobody will decide it any more.
            self.teller
                .alert_if_due(&self.judge, &self.clock, &mut flow.clone());
        }
        let end = if end == End::Idle && tcp_closed(&flow.state) {
            End::Closed
        } else {
            end
        };
        self.teller.record(&self.judge, &self.clock, flow, end);
    }
}

/// What a name rests on, in the words of the policy.
const fn naming(evidence: Evidence) -> Naming {
    match evidence {
        Evidence::Dns => Naming::Dns,
        Evidence::Confirmed => Naming::Confirmed,
        Evidence::Unasked => Naming::Unasked,
        Evidence::Contradicted => Naming::Contradicted,
    }
}

/// How the client hid its name, in the words of the policy.
const fn ech_seen(ech: Ech) -> EchSeen {
    match ech {
        Ech::None => EchSeen::None,
        Ech::Grease => EchSeen::Grease,
        Ech::Possible => EchSeen::Possible,
        Ech::Real => EchSeen::Real,
    }
}

/// Whether a rule of the policy decided, not the gate itself (control and gateway traffic).
fn judged_by_policy(rule: u16) -> bool {
    rule < MAX_RULES || matches!(rule, RULE_DEFAULT | RULE_OPAQUE)
}

/// What the policy is asked about a flow.
pub(super) fn question(flow: &LiveFlow, at: Date) -> Question<'_> {
    Question {
        zone: flow.state.zone,
        destination: address(flow.key.outside, flow.key.family),
        protocol: flow.key.protocol,
        port: flow.key.outside_port,
        named: flow.named(),
        opaque: Opaque::from_code(flow.state.opaque).unwrap_or(Opaque::Malformed),
        at,
    }
}

fn differs(decision: &Decision, flow: &LiveFlow) -> bool {
    let state = &flow.state;
    decision.verdict.code() != state.verdict
        || decision.rule != state.rule
        || decision.enforced != (state.flags & ENFORCED != 0)
        || decision.shadow != flow.shadow
}

fn note(decision: &Decision, generation: u32, flow: &mut LiveFlow) {
    flow.shadow = decision.shadow;
    let state = &mut flow.state;
    state.verdict = decision.verdict.code();
    state.rule = decision.rule;
    state.generation = generation;
    state.flags = NAMED
        | if decision.enforced { ENFORCED } else { 0 }
        | if decision.names_matter {
            NAMES_MATTER
        } else {
            0
        };
}

fn change(decision: &Decision, generation: u32, class: u16) -> VerdictChange {
    VerdictChange {
        generation,
        class,
        verdict: decision.verdict,
        rule: decision.rule,
        enforced: decision.enforced,
        names_matter: decision.names_matter,
    }
}
