//! The flows that live now, as userspace knows them: the kernel's account, and the names.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Range;
use std::time::Duration;

use octroi_abi::flow::{FlowKey, FlowState};
use octroi_abi::table::TIME_SHIFT;
use octroi_events::flow_id;
use octroi_inspect::name::{AppProtocol, NameSource};
use octroi_policy::{EchSeen, Naming, Verdict};

use crate::config::FlowsConfig;
use crate::judge::Named;

/// The kernel tells when a flow began in steps of this, by a clock that lags by at most a tick.
const TIME_STEP_NS: u64 = 1 << TIME_SHIFT;
const TCP: u8 = 6;
const UDP: u8 = 17;
const TCP_FIN: u8 = 0x01;
const TCP_RST: u8 = 0x04;
const TCP_ACK: u8 = 0x10;

/// What a flow was named, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FlowName {
    /// The name, lower case, without a trailing dot.
    pub(super) name: String,
    /// What told it.
    pub(super) source: NameSource,
}

/// One live flow.
#[derive(Clone, Debug)]
pub(super) struct LiveFlow {
    /// Both ends.
    pub(super) key: FlowKey,
    /// The kernel's account at the last event or sweep.
    pub(super) state: FlowState,
    /// See [`octroi_events::flow_id`].
    pub(super) id: u64,
    /// The first shadow rule that matched, and its verdict.
    pub(super) shadow: Option<(u16, Verdict)>,
    /// What it was named.
    pub(super) name: Option<FlowName>,
    /// What the name rests on; `Pending` while one may still come.
    pub(super) naming: Naming,
    /// CNAME targets through which the DNS answer for the name led.
    pub(super) chain: Vec<String>,
    /// Whether the client hid its name.
    pub(super) ech: EchSeen,
    /// What is spoken on it.
    pub(super) app: Option<AppProtocol>,
    /// Interface of its first packet.
    pub(super) ifindex: u32,
    /// An alert was raised for the verdict it has now.
    pub(super) alerted: bool,
    /// Bytes per second since the sweep before the last, outbound.
    pub(super) outbound_rate: u64,
    /// The same, replies.
    pub(super) reply_rate: u64,
    /// Sweep that saw it last.
    sweep: u64,
    swept_ns: u64,
}

impl LiveFlow {
    /// A flow of which nothing but the kernel's account is known.
    pub(super) fn new(key: FlowKey, state: FlowState, ifindex: u32) -> Self {
        Self {
            key,
            state,
            id: flow_id(&key, state.first_ns),
            shadow: None,
            name: None,
            naming: Naming::Pending,
            chain: Vec::new(),
            ech: EchSeen::None,
            app: None,
            ifindex,
            alerted: false,
            outbound_rate: 0,
            reply_rate: 0,
            sweep: 0,
            swept_ns: state.first_ns,
        }
    }
}

impl LiveFlow {
    /// What the judge may know of its name.
    pub(super) fn named(&self) -> Named<'_> {
        let spoken = self.app.filter(|&app| app != AppProtocol::Unknown);
        Named {
            name: self.name.as_ref().map(|name| name.name.as_str()),
            naming: self.naming,
            speaks: spoken.map(AppProtocol::name),
            ech: self.ech,
            chain: &self.chain,
        }
    }
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// FIN both ways, or RST.
    Closed,
    /// Nothing for the time its state allows.
    Idle,
    /// The kernel's table made room for another.
    Evicted,
    /// The daemon stops; the flow goes on.
    Shutdown,
    /// The gate of an older version counted it, and was taken over.
    Upgraded,
}

/// All live flows. Each stays in its place while it lives: who looks at all of them may do so a few
/// places at a time, and meets none twice.
#[derive(Debug, Default)]
pub(super) struct Registry {
    places: Vec<Option<LiveFlow>>,
    /// Places without a flow.
    free: Vec<usize>,
    by_key: HashMap<FlowKey, usize>,
    by_id: HashMap<u64, usize>,
    sweep: u64,
}

impl Registry {
    /// Flows known.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Places there are: with a flow, or without.
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// A flow.
    pub(super) fn get(&self, key: &FlowKey) -> Option<&LiveFlow> {
        self.places.get(*self.by_key.get(key)?)?.as_ref()
    }

    /// The flow of a key.
    pub(super) fn get_mut(&mut self, key: &FlowKey) -> Option<&mut LiveFlow> {
        self.places.get_mut(*self.by_key.get(key)?)?.as_mut()
    }

    /// The flow of an id.
    pub(super) fn by_id(&self, id: u64) -> Option<&LiveFlow> {
        self.places.get(*self.by_id.get(&id)?)?.as_ref()
    }

    /// The flows in some places.
    pub(super) fn among(&self, places: Range<usize>) -> impl Iterator<Item = &LiveFlow> {
        let end = places.end.min(self.places.len());
        self.places[places.start.min(end)..end].iter().flatten()
    }

    /// Keys of the flows in some places of which is known how they are named, or that they have no
    /// name.
    pub(super) fn named_among(&self, places: Range<usize>) -> Vec<FlowKey> {
        self.among(places)
            .filter(|flow| flow.naming != Naming::Pending)
            .map(|flow| flow.key)
            .collect()
    }

    /// Takes in the kernel's account of a flow. Returns the flow, whether it is new here, and the
    /// flow it replaces (same five-tuple, another conversation).
    pub(super) fn take_in(
        &mut self,
        key: FlowKey,
        state: FlowState,
        ifindex: u32,
    ) -> (&mut LiveFlow, bool, Option<LiveFlow>) {
        let replaced = match self.get(&key) {
            Some(known) if known.state.first_ns != state.first_ns => self.remove(&key),
            _ => None,
        };
        let known = self.by_key.get(&key).copied();
        let place = known.unwrap_or_else(|| {
            let place = self.free.pop().unwrap_or(self.places.len());
            if place == self.places.len() {
                self.places.push(None);
            }
            self.by_key.insert(key, place);
            place
        });
        let slot = &mut self.places[place];
        let is_new = slot.is_none();
        let sweep = self.sweep;
        let flow = slot.get_or_insert_with(|| LiveFlow {
            sweep,
            ..LiveFlow::new(key, state, ifindex)
        });
        if is_new {
            self.by_id.insert(flow.id, place);
        } else if ifindex != 0 {
            flow.ifindex = ifindex;
        }
        (flow, is_new, replaced)
    }

    /// Begins a sweep of the kernel's table.
    pub(super) fn begin_sweep(&mut self) {
        self.sweep += 1;
    }

    /// One entry of the kernel's table, in a sweep. Returns whether the flow was unknown here (its
    /// event was lost), and the flow it replaces.
    pub(super) fn swept(
        &mut self,
        key: FlowKey,
        state: FlowState,
        now_ns: u64,
    ) -> (bool, Option<LiveFlow>) {
        let sweep = self.sweep;
        let (flow, is_new, replaced) = self.take_in(key, state, 0);
        let elapsed_ns = now_ns.saturating_sub(flow.swept_ns).max(1);
        let rate = |now: u64, before: u64| {
            let bytes = u128::from(now.saturating_sub(before));
            u64::try_from(bytes * 1_000_000_000 / u128::from(elapsed_ns)).unwrap_or(u64::MAX)
        };
        if !is_new {
            flow.outbound_rate = rate(state.outbound_bytes, flow.state.outbound_bytes);
            flow.reply_rate = rate(state.reply_bytes, flow.state.reply_bytes);
        }
        flow.state = state;
        flow.sweep = sweep;
        flow.swept_ns = now_ns;
        (is_new, replaced)
    }

    /// After a sweep: removes from some places and returns the flows that the kernel's table does not
    /// hold any more (`Evicted`), and those whose time is over, which the caller removes from that
    /// table.
    pub(super) fn ended_among(
        &mut self,
        places: Range<usize>,
        now_ns: u64,
        began_ns: u64,
        limits: &FlowsConfig,
    ) -> Vec<(LiveFlow, End)> {
        let mut ended = Vec::new();
        for flow in self.among(places) {
            if flow.sweep < self.sweep {
                // A flow that began while the sweep ran is not missed, it is young.
                if flow.state.first_ns + 2 * TIME_STEP_NS <= began_ns {
                    ended.push((flow.key, End::Evicted));
                }
            } else if let Some(end) = over(flow, now_ns, limits) {
                ended.push((flow.key, end));
            }
        }
        ended
            .into_iter()
            .filter_map(|(key, end)| self.remove(&key).map(|flow| (flow, end)))
            .collect()
    }

    /// Removes and returns every flow.
    pub(super) fn drain(&mut self) -> Vec<LiveFlow> {
        self.by_id.clear();
        self.by_key.clear();
        self.free.clear();
        self.places.drain(..).flatten().collect()
    }

    /// Removes and returns the flow of a key that began at this moment.
    pub(super) fn take(&mut self, key: &FlowKey, first_ns: u64) -> Option<LiveFlow> {
        let known = self.get(key)?;
        (known.state.first_ns == first_ns).then(|| self.remove(key))?
    }

    fn remove(&mut self, key: &FlowKey) -> Option<LiveFlow> {
        let place = self.by_key.remove(key)?;
        let flow = self.places.get_mut(place)?.take()?;
        self.free.push(place);
        self.by_id.remove(&flow.id);
        Some(flow)
    }
}

/// Whether a TCP flow was closed: RST, or FIN both ways.
pub(super) fn tcp_closed(state: &FlowState) -> bool {
    let either = state.outbound_tcp_flags | state.reply_tcp_flags;
    let both = state.outbound_tcp_flags & state.reply_tcp_flags;
    either & TCP_RST != 0 || both & TCP_FIN != 0
}

fn over(flow: &LiveFlow, now_ns: u64, limits: &FlowsConfig) -> Option<End> {
    let idle_ns = now_ns.saturating_sub(flow.state.last_ns);
    let state = &flow.state;
    let (patience_s, end) = match flow.key.protocol {
        TCP if tcp_closed(state) => (limits.tcp_closed_s, End::Closed),
        TCP if (state.outbound_tcp_flags | state.reply_tcp_flags) & TCP_FIN != 0 => {
            (limits.tcp_half_closed_s, End::Idle)
        }
        TCP if state.reply_tcp_flags & TCP_ACK != 0 && state.stopped_packets == 0 => {
            (limits.tcp_established_s, End::Idle)
        }
        TCP => (limits.tcp_opening_s, End::Idle),
        UDP => (limits.udp_s, End::Idle),
        _ => (limits.other_s, End::Idle),
    };
    (u128::from(idle_ns) >= Duration::from_secs(patience_s).as_nanos()).then_some(end)
}

/// An address of a [`FlowKey`]: mapped addresses are IPv4 only in IPv4 packets.
pub(super) fn address(bytes: [u8; 16], family: u8) -> IpAddr {
    let address = Ipv6Addr::from(bytes);
    match address.to_ipv4_mapped() {
        Some(v4) if family == 4 => IpAddr::V4(v4),
        _ => IpAddr::V6(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16) -> FlowKey {
        FlowKey {
            inside: std::net::Ipv4Addr::new(10, 0, 0, 1)
                .to_ipv6_mapped()
                .octets(),
            outside: std::net::Ipv4Addr::new(51, 210, 0, 1)
                .to_ipv6_mapped()
                .octets(),
            inside_port: port,
            outside_port: 443,
            protocol: TCP,
            family: 4,
            reserved: [0; 2],
        }
    }

    fn state(first_ns: u64, last_ns: u64) -> FlowState {
        FlowState {
            first_ns,
            last_ns,
            outbound_packets: 1,
            outbound_bytes: 60,
            reply_packets: 0,
            reply_bytes: 0,
            stopped_packets: 0,
            generation: 1,
            rule: 0,
            class: 0,
            verdict: 0,
            flags: 1,
            zone: 1,
            opaque: 0,
            outbound_tcp_flags: 2,
            reply_tcp_flags: 0,
        }
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_five_tuple_used_again_is_another_flow() {
        let mut registry = Registry::default();
        let (first, is_new, _) = registry.take_in(key(1), state(1, 1), 7);
        let first_id = first.id;
        assert!(is_new);
        let (second, is_new, replaced) = registry.take_in(key(1), state(2, 2), 7);
        assert!(is_new);
        assert_ne!(second.id, first_id);
        assert_eq!(replaced.map(|flow| flow.id), Some(first_id));
        assert_eq!(registry.len(), 1);
        assert!(registry.by_id(first_id).is_none());
    }

    #[test]
    fn a_sweep_recovers_lost_events_and_finds_evicted_and_idle_flows() {
        let limits = FlowsConfig::default();
        let mut registry = Registry::default();
        registry.take_in(key(1), state(1, 1), 7);
        registry.take_in(key(2), state(1, 1), 7);
        registry.begin_sweep();
        let (unknown, _) = registry.swept(key(3), state(1, 10 * SECOND), 10 * SECOND);
        assert!(unknown);
        let (unknown, _) = registry.swept(key(2), state(1, 1), 100 * SECOND);
        assert!(!unknown);
        let mut ended = registry.ended_among(0..3, 65 * SECOND, 9 * SECOND, &limits);
        ended.sort_by_key(|(flow, _)| flow.key.inside_port);
        let ended: Vec<_> = ended
            .iter()
            .map(|(flow, end)| (flow.key.inside_port, *end))
            .collect();
        assert_eq!(ended, [(1, End::Evicted), (2, End::Idle)]);
        assert_eq!(registry.len(), 1);
    }

    #[test]
    fn a_flow_keeps_its_place_and_a_place_is_used_again() {
        let mut registry = Registry::default();
        for port in 0..8 {
            registry.take_in(key(port), state(1, 1), 7);
        }
        let ports = |registry: &Registry, places| -> Vec<u16> {
            let flows = registry.among(places);
            flows.map(|flow| flow.key.inside_port).collect()
        };
        assert_eq!(ports(&registry, 2..5), [2, 3, 4]);
        assert!(registry.take(&key(3), 2).is_none(), "began at another time");
        assert!(registry.take(&key(3), 1).is_some());
        assert_eq!(ports(&registry, 2..5), [2, 4]);
        registry.take_in(key(9), state(5, 5), 7);
        assert_eq!(ports(&registry, 2..5), [2, 9, 4]);
        assert_eq!((registry.places(), registry.len()), (8, 8));
        assert_eq!(ports(&registry, 7..1_000), [7]);
        assert!(ports(&registry, 8..9).is_empty());
        let id = registry.get(&key(9)).unwrap().id;
        assert_eq!(registry.by_id(id).unwrap().key, key(9));
        assert_eq!(registry.drain().len(), 8);
        assert_eq!((registry.places(), registry.len()), (0, 0));
        assert!(registry.by_id(id).is_none());
    }

    #[test]
    fn rates_are_bytes_per_second_between_sweeps() {
        let mut registry = Registry::default();
        registry.begin_sweep();
        registry.swept(key(1), state(0, 0), SECOND);
        let mut later = state(0, 2 * SECOND);
        later.outbound_bytes += 5_000;
        later.reply_bytes += 1_000;
        registry.begin_sweep();
        registry.swept(key(1), later, 3 * SECOND);
        let flow = registry.get_mut(&key(1)).unwrap();
        assert_eq!((flow.outbound_rate, flow.reply_rate), (2_500, 500));
    }

    #[test]
    fn mapped_addresses_are_told_from_real_ones() {
        let mapped = std::net::Ipv4Addr::new(8, 8, 8, 8)
            .to_ipv6_mapped()
            .octets();
        assert_eq!(address(mapped, 4).to_string(), "8.8.8.8");
        assert_eq!(address(mapped, 6).to_string(), "::ffff:8.8.8.8");
    }
}
