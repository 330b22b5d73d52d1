//! Which name a client asked for when it was given an address.

use std::net::IpAddr;
use std::sync::Arc;

use super::fair::{self, Fair};
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
/// What a pair, a name and an alias take beside their text, about, bytes.
const PAIR_BYTES: usize = 128;
const NAME_BYTES: usize = 64;
const ALIAS_BYTES: usize = 32;

type Pair = ([u8; 16], [u8; 16]);

/// A name that an address was given for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The name asked.
    pub name: Box<str>,
    /// Aliases through which the answer led to the address, in order.
    pub chain: Arc<[Box<str>]>,
    until_ns: u64,
}

impl Binding {
    /// What it takes, bytes; the aliases of one answer are counted for each of its addresses,
    /// though they are kept once.
    fn weight(&self) -> usize {
        let aliases = self.chain.iter().map(|alias| ALIAS_BYTES + alias.len());
        NAME_BYTES + self.name.len() + aliases.sum::<usize>()
    }
}

/// The names of one address for one client.
#[derive(Default)]
struct Bound {
    names: Vec<Binding>,
    /// Until when a name that was pushed out would have been bound.
    forgotten_until_ns: u64,
}

impl Bound {
    fn weight(&self) -> usize {
        PAIR_BYTES + self.names.iter().map(Binding::weight).sum::<usize>()
    }
}

/// DNS answers: (client, address) to the name asked. Bounded: the client that holds most forgets
/// its oldest.
pub struct Bindings {
    pairs: Fair<Pair, Bound>,
    names_forgotten: u64,
}

impl Bindings {
    /// At most `pairs` of client and address, and about `bytes` of names.
    #[must_use]
    pub fn new(pairs: usize, bytes: usize) -> Self {
        Self {
            pairs: Fair::new(fair::Bound {
                things: pairs,
                weight: bytes,
            }),
            names_forgotten: 0,
        }
    }

    /// `client` asked for `name` and was answered `address`, through the aliases of `chain`.
    pub fn bind(
        &mut self,
        client: IpAddr,
        address: IpAddr,
        name: &str,
        chain: &Arc<[Box<str>]>,
        ttl_seconds: u32,
        now_ns: u64,
    ) {
        let until_ns = now_ns.saturating_add(lifetime_ns(ttl_seconds));
        let binding = Binding {
            name: name.into(),
            chain: Arc::clone(chain),
            until_ns,
        };
        let pair = (mapped(client), mapped(address));
        let weight = if let Some(bound) = self.pairs.get_mut(&pair) {
            let names = &mut bound.names;
            names.retain(|other| other.until_ns > now_ns && *other.name != *name);
            if names.len() >= NAMES_PER_ADDRESS {
                let forgotten = names.remove(0);
                self.names_forgotten += 1;
                bound.forgotten_until_ns = bound.forgotten_until_ns.max(forgotten.until_ns);
            }
            names.push(binding);
            bound.weight()
        } else {
            let bound = Bound {
                names: vec![binding],
                forgotten_until_ns: 0,
            };
            let weight = bound.weight();
            self.pairs.insert(&pair.0, pair, bound);
            weight
        };
        self.pairs.weigh(&pair, weight);
    }

    /// Every name under which `client` knows `address` now, the latest last.
    pub fn all(
        &self,
        client: IpAddr,
        address: IpAddr,
        now_ns: u64,
    ) -> impl Iterator<Item = &Binding> {
        self.pairs
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
        self.pairs
            .get(&(mapped(client), mapped(address)))
            .is_some_and(|bound| bound.forgotten_until_ns > now_ns)
    }

    /// Forgets what is over.
    pub fn expire(&mut self, now_ns: u64) {
        self.pairs
            .retain(|_, bound| bound.names.iter().any(|name| name.until_ns > now_ns));
    }

    /// Pairs held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.len() == 0
    }

    /// What they take, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.pairs.weight()
    }

    /// Names forgotten of addresses that have more than are kept of one.
    #[must_use]
    pub fn names_forgotten(&self) -> u64 {
        self.names_forgotten
    }

    /// Pairs forgotten to make room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.pairs.evicted
    }
}
