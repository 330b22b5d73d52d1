//! Flows: read, removed, and given another verdict in place.

use std::ops::Range;

use octroi_abi::flow::{ENFORCED, FlowKey, FlowState, NAMED, NAMES_MATTER};
use octroi_abi::table::{Account, Decided, GENERATION_MASK, short_time};
use octroi_abi::verdict::Verdict;

use crate::load::Datapath;
use crate::table::FlowTable;

/// What userspace found for a flow by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerdictChange {
    /// Generation of the tables it judged by.
    pub generation: u32,
    /// Class of the destination.
    pub class: u16,
    /// Verdict.
    pub verdict: Verdict,
    /// Rule that decided.
    pub rule: u16,
    /// Clear in `monitor` mode.
    pub enforced: bool,
    /// A name learned later can change the verdict again.
    pub names_matter: bool,
}

/// What became of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rewritten {
    /// Done: the next packet of the flow meets the new verdict.
    Done,
    /// The flow was judged again under a newer generation: judge it by name again.
    Stale,
    /// The flow is gone, or another one has its key.
    NoSuchFlow,
}

impl Datapath {
    fn table(&self, key: &FlowKey) -> &FlowTable {
        if key.family == 4 {
            &self.flows_v4
        } else {
            &self.flows_v6
        }
    }

    /// Flows that there is room for, IPv4 and IPv6.
    #[must_use]
    pub fn flow_capacity(&self) -> [usize; 2] {
        [self.flows_v4.capacity(), self.flows_v6.capacity()]
    }

    /// Visits every flow and returns how many there were. Flows that come or go meanwhile may be
    /// missed. Nothing waits for it: the tables are read where the kernel writes them.
    pub fn flows(&self, visit: &mut dyn FnMut(FlowKey, FlowState)) -> usize {
        self.flows_in(0..self.flow_places(), visit)
    }

    /// Places of flows, of both tables.
    #[must_use]
    pub fn flow_places(&self) -> usize {
        self.flow_capacity().iter().sum()
    }

    /// As [`Datapath::flows`], some places only (of [`Datapath::flow_places`]): who must not keep
    /// others waiting goes on from there later. A flow never changes its place.
    pub fn flows_in(
        &self,
        places: Range<usize>,
        visit: &mut dyn FnMut(FlowKey, FlowState),
    ) -> usize {
        let now_ns = Self::monotonic_now_ns();
        let mut seen = |key: FlowKey, account: &Account| visit(key, account.state(now_ns));
        let border = self.flows_v4.capacity();
        let v4 = places.start.min(border)..places.end.min(border);
        let v6 = places.start.saturating_sub(border)..places.end.saturating_sub(border);
        self.flows_v4.visit(v4, &mut seen) + self.flows_v6.visit(v6, &mut seen)
    }

    /// One flow.
    #[must_use]
    pub fn flow(&self, key: &FlowKey) -> Option<FlowState> {
        let account = self.table(key).get(key)?;
        Some(account.state(Self::monotonic_now_ns()))
    }

    /// Forgets a flow: its next packet is a first one. Returns its last account, to the byte, if
    /// it was there.
    #[must_use]
    pub fn remove_flow(&self, key: &FlowKey) -> Option<FlowState> {
        let account = self.table(key).remove(key, |_| true)?;
        Some(account.state(Self::monotonic_now_ns()))
    }

    /// As [`Datapath::remove_flow`], but only the flow that began at `first_ns`, not a later one
    /// with its key.
    #[must_use]
    pub fn end_flow(&self, key: &FlowKey, first_ns: u64) -> Option<FlowState> {
        let first = short_time(first_ns);
        let account = self
            .table(key)
            .remove(key, |account| account.first == first)?;
        Some(account.state(Self::monotonic_now_ns()))
    }

    /// Gives a flow the verdict that userspace found by its name, in place: no packet counted
    /// meanwhile is lost.
    #[must_use]
    pub fn rewrite_verdict(
        &self,
        key: &FlowKey,
        first_ns: u64,
        change: &VerdictChange,
    ) -> Rewritten {
        let answer = self.table(key).decide(key, |account| {
            if account.first != short_time(first_ns) {
                return Err(Rewritten::NoSuchFlow);
            }
            let before = Decided::unpack(account.decided);
            if is_older(change.generation, before.generation) {
                return Err(Rewritten::Stale);
            }
            Ok((change.decided(before), change.class))
        });
        match answer {
            Some(Ok(true)) => Rewritten::Done,
            Some(Ok(false)) => Rewritten::Stale,
            Some(Err(refused)) => refused,
            None => Rewritten::NoSuchFlow,
        }
    }

    /// Puts a flow of an older gate back: its verdict, its names' mark and what its conversation has
    /// come to, but an account of zero. It belongs to no generation, so that its next packet is
    /// judged under the tables in force, and the stricter verdict holds if it was judged by name.
    /// A flow that is there already stays as it is. Returns whether it is there now.
    pub(crate) fn restore_flow(&self, key: &FlowKey, state: &FlowState) -> bool {
        let table = self.table(key);
        table.insert(key, &restored(key, state)) || table.get(key).is_some()
    }
}

/// Whether a generation was before another one: the shorter way round, for they wrap.
fn is_older(generation: u32, than: u32) -> bool {
    (generation.wrapping_sub(than) & GENERATION_MASK) > GENERATION_MASK / 2
}

impl VerdictChange {
    fn decided(&self, before: Decided) -> Decided {
        let mut flags = NAMED;
        if self.enforced {
            flags |= ENFORCED;
        }
        if self.names_matter {
            flags |= NAMES_MATTER;
        }
        Decided {
            generation: self.generation,
            rule: self.rule,
            verdict: self.verdict.code(),
            flags,
            ..before
        }
    }
}

/// The account of a flow that begins anew with the verdict it had.
fn restored(key: &FlowKey, state: &FlowState) -> Account {
    Account {
        inside_port: key.inside_port,
        outside_port: key.outside_port,
        protocol: key.protocol,
        outbound_tcp_flags: state.outbound_tcp_flags,
        reply_tcp_flags: state.reply_tcp_flags,
        decided: Decided {
            generation: 0,
            rule: state.rule,
            verdict: state.verdict,
            flags: state.flags,
            opaque: state.opaque,
            zone: state.zone,
        }
        .pack(),
        first: short_time(state.first_ns),
        last: short_time(state.last_ns),
        class: state.class,
        ..Account::default()
    }
}
