//! DNS queries that were seen, so that answers can be believed.

use std::collections::{HashSet, VecDeque};

use foldhash::fast::RandomState;
use octroi_abi::flow::FlowKey;

/// A query: its flow, its identifier, the hash of what it asks.
pub(super) type Query = (FlowKey, u16, u64);

/// Queries that were seen. Bounded: the oldest are forgotten.
#[derive(Default)]
pub(super) struct Queries {
    seen: HashSet<Query, RandomState>,
    order: VecDeque<Query>,
    limit: usize,
}

impl Queries {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            ..Self::default()
        }
    }

    pub(super) fn contains(&self, query: &Query) -> bool {
        self.seen.contains(query)
    }

    pub(super) fn insert(&mut self, query: Query) {
        if !self.seen.insert(query) {
            return;
        }
        if self.order.len() >= self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.order.push_back(query);
    }
}
