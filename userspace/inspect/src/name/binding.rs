//! Which name a client asked for when it was given an address.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::flow::mapped;

/// A binding holds at least this long: clients connect a little after the answer expired.
pub const MIN_TTL_NS: u64 = 60 * 1_000_000_000;
/// And at most this long, whatever the answer says.
pub const MAX_TTL_NS: u64 = 3_600 * 1_000_000_000;

/// How long an answer is believed.
pub(super) fn lifetime_ns(ttl_seconds: u32) -> u64 {
    (u64::from(ttl_seconds) * 1_000_000_000).clamp(MIN_TTL_NS, MAX_TTL_NS)
}

/// Names kept of one address for one client.
const NAMES_PER_ADDRESS: usize = 16;

type Pair = ([u8; 16], [u8; 16]);

/// A name that an address was given for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The name asked.
    pub name: Box<str>,
    /// Aliases through which the answer led to the address, in order.
    pub chain: Box<[Box<str>]>,
    until_ns: u64,
}

/// The names of one address for one client.
#[derive(Default)]
struct Bound {
    names: Vec<Binding>,
    /// Until when a name that was pushed out would have been bound.
    forgotten_until_ns: u64,
}

/// DNS answers: (client, address) to the name asked. Bounded: the oldest are forgotten.
#[derive(Default)]
pub struct Bindings {
    names: HashMap<Pair, Bound, RandomState>,
    order: VecDeque<Pair>,
    limit: usize,
    evicted: u64,
    names_forgotten: u64,
}

impl Bindings {
    /// At most `limit` pairs of client and address.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            ..Self::default()
        }
    }

    /// `client` asked for `name` and was answered `address`, through the aliases of `chain`.
    pub fn bind(
        &mut self,
        client: IpAddr,
        address: IpAddr,
        name: &str,
        chain: &[String],
        ttl_seconds: u32,
        now_ns: u64,
    ) {
        let until_ns = now_ns.saturating_add(lifetime_ns(ttl_seconds));
        let pair = (mapped(client), mapped(address));
        if !self.names.contains_key(&pair) {
            if self.order.len() >= self.limit
                && let Some(oldest) = self.order.pop_front()
            {
                self.names.remove(&oldest);
                self.evicted += 1;
            }
            self.order.push_back(pair);
        }
        let bound = self.names.entry(pair).or_default();
        bound
            .names
            .retain(|other| other.until_ns > now_ns && *other.name != *name);
        if bound.names.len() >= NAMES_PER_ADDRESS {
            let forgotten = bound.names.remove(0);
            self.names_forgotten += 1;
            bound.forgotten_until_ns = bound.forgotten_until_ns.max(forgotten.until_ns);
        }
        bound.names.push(Binding {
            name: name.into(),
            chain: chain.iter().map(|alias| alias.as_str().into()).collect(),
            until_ns,
        });
    }

    /// Every name under which `client` knows `address` now, the latest last.
    pub fn all(
        &self,
        client: IpAddr,
        address: IpAddr,
        now_ns: u64,
    ) -> impl Iterator<Item = &Binding> {
        self.names
            .get(&(mapped(client), mapped(address)))
            .into_iter()
            .flat_map(|bound| &bound.names)
            .filter(move |bound| bound.until_ns > now_ns)
    }

    /// The name under which `client` knows `address` now, when there is exactly one.
    #[must_use]
    pub fn only(&self, client: IpAddr, address: IpAddr, now_ns: u64) -> Option<&Binding> {
        if self.may_have_more(client, address, now_ns) {
            return None;
        }
        let mut names = self.all(client, address, now_ns);
        let name = names.next()?;
        names.next().is_none().then_some(name)
    }

    /// Whether a name under which `client` may know `address` was forgotten to make room.
    #[must_use]
    pub fn may_have_more(&self, client: IpAddr, address: IpAddr, now_ns: u64) -> bool {
        self.names
            .get(&(mapped(client), mapped(address)))
            .is_some_and(|bound| bound.forgotten_until_ns > now_ns)
    }

    /// Forgets what is over.
    pub fn expire(&mut self, now_ns: u64) {
        self.names.retain(|_, bound| {
            bound.names.retain(|bound| bound.until_ns > now_ns);
            !bound.names.is_empty()
        });
        self.order.retain(|pair| self.names.contains_key(pair));
    }

    /// Pairs held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Names forgotten of addresses that have more than are kept of one.
    #[must_use]
    pub fn names_forgotten(&self) -> u64 {
        self.names_forgotten
    }

    /// Pairs forgotten to make room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}
