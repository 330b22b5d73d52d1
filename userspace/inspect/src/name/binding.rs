//! Which name a client asked for when it was given an address.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::RandomState;

use crate::flow::mapped;

/// A binding holds at least this long: clients connect a little after the answer expired.
pub const MIN_TTL_NS: u64 = 60 * 1_000_000_000;
/// And at most this long, whatever the answer says.
pub const MAX_TTL_NS: u64 = 3_600 * 1_000_000_000;

/// Names kept of one address for one client.
const NAMES_PER_ADDRESS: usize = 4;

type Pair = ([u8; 16], [u8; 16]);

struct Bound {
    name: Box<str>,
    until_ns: u64,
}

/// DNS answers: (client, address) to the name asked. Bounded: the oldest are forgotten.
#[derive(Default)]
pub struct Bindings {
    names: HashMap<Pair, Vec<Bound>, RandomState>,
    order: VecDeque<Pair>,
    limit: usize,
    evicted: u64,
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

    /// `client` asked for `name` and was answered `address`.
    pub fn bind(
        &mut self,
        client: IpAddr,
        address: IpAddr,
        name: &str,
        ttl_seconds: u32,
        now_ns: u64,
    ) {
        let ttl_ns = (u64::from(ttl_seconds) * 1_000_000_000).clamp(MIN_TTL_NS, MAX_TTL_NS);
        let until_ns = now_ns.saturating_add(ttl_ns);
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
        bound.retain(|other| other.until_ns > now_ns && *other.name != *name);
        if bound.len() >= NAMES_PER_ADDRESS {
            bound.remove(0);
        }
        bound.push(Bound {
            name: name.into(),
            until_ns,
        });
    }

    /// Every name under which `client` knows `address` now, the latest last.
    pub fn names(
        &self,
        client: IpAddr,
        address: IpAddr,
        now_ns: u64,
    ) -> impl Iterator<Item = &str> {
        self.names
            .get(&(mapped(client), mapped(address)))
            .into_iter()
            .flatten()
            .filter(move |bound| bound.until_ns > now_ns)
            .map(|bound| &*bound.name)
    }

    /// The name under which `client` knows `address` now, when there is exactly one.
    #[must_use]
    pub fn name(&self, client: IpAddr, address: IpAddr, now_ns: u64) -> Option<&str> {
        let mut names = self.names(client, address, now_ns);
        let name = names.next()?;
        names.next().is_none().then_some(name)
    }

    /// Forgets what is over.
    pub fn expire(&mut self, now_ns: u64) {
        self.names.retain(|_, bound| {
            bound.retain(|bound| bound.until_ns > now_ns);
            !bound.is_empty()
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

    /// Pairs forgotten to make room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}
