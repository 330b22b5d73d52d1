//! Flows: read, removed, and given another verdict in place.

use std::os::fd::AsFd as _;

use aya::maps::MapError;
use aya::programs::{TestRun as _, TestRunOptions, Xdp};
use octroi_abi::flow::{
    ENFORCED, FlowKey, FlowState, NAMED, NAMES_MATTER, RewriteRequest, rewritten,
};
use octroi_abi::name;
use octroi_abi::rules::RULE_NONE;
use octroi_abi::verdict::Verdict;

use crate::error::DatapathError;
use crate::load::Datapath;
use crate::sys;
use crate::wire::{Wire, bytes_of};

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
    /// The first shadow rule that matched, and its verdict.
    pub shadow: Option<(u16, Verdict)>,
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
    /// Visits every flow and returns how many there were. Flows that come or go meanwhile may be
    /// missed or seen twice.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn flows(&self, visit: &mut dyn FnMut(FlowKey, FlowState)) -> Result<usize, DatapathError> {
        sys::visit_hash(self.flow_table.fd().as_fd(), visit).map_err(|source| DatapathError::Map {
            operation: "read",
            map: name::FLOWS,
            source,
        })
    }

    /// One flow.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn flow(&self, key: &FlowKey) -> Result<Option<FlowState>, DatapathError> {
        match self.flows.get(&Wire(*key), 0) {
            Ok(Wire(state)) => Ok(Some(state)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(DatapathError::map("read", name::FLOWS, error)),
        }
    }

    /// Forgets a flow: its next packet is a first one. Returns whether it was there.
    ///
    /// # Errors
    /// When the map cannot be written.
    pub fn remove_flow(&self, key: &FlowKey) -> Result<bool, DatapathError> {
        sys::remove(self.flow_table.fd().as_fd(), key).map_err(|source| DatapathError::Map {
            operation: "remove a flow from",
            map: name::FLOWS,
            source,
        })
    }

    /// Gives a flow the verdict that userspace found by its name. Written by the kernel in place:
    /// no packet counted meanwhile is lost.
    ///
    /// # Errors
    /// When the request cannot be run.
    pub fn rewrite_verdict(
        &self,
        key: &FlowKey,
        first_ns: u64,
        change: &VerdictChange,
    ) -> Result<Rewritten, DatapathError> {
        let request = request(key, first_ns, change);
        let name = name::PROGRAM_REWRITE;
        let program: &Xdp = self
            .programs
            .program(name)
            .and_then(|program| program.try_into().ok())
            .ok_or(DatapathError::Object {
                what: "XDP program",
                name,
            })?;
        let options = TestRunOptions {
            data_in: Some(bytes_of(&request)),
            ..TestRunOptions::default()
        };
        let answer = program
            .test_run(options)
            .map_err(|source| DatapathError::Program {
                program: name,
                source: Box::new(source),
            })?;
        match answer.return_value {
            rewritten::DONE => Ok(Rewritten::Done),
            rewritten::STALE => Ok(Rewritten::Stale),
            rewritten::NO_SUCH_FLOW => Ok(Rewritten::NoSuchFlow),
            code => Err(DatapathError::Map {
                operation: "rewrite a flow of",
                map: name::FLOWS,
                source: std::io::Error::other(format!("the kernel program answered {code}")),
            }),
        }
    }
}

fn request(key: &FlowKey, first_ns: u64, change: &VerdictChange) -> RewriteRequest {
    let (shadow_rule, shadow_verdict) = change.shadow.unwrap_or((RULE_NONE, Verdict::Allow));
    let mut flags = NAMED;
    if change.enforced {
        flags |= ENFORCED;
    }
    if change.names_matter {
        flags |= NAMES_MATTER;
    }
    RewriteRequest {
        first_ns,
        key: *key,
        generation: change.generation,
        rule: change.rule,
        class: change.class,
        shadow_rule,
        shadow_verdict: shadow_verdict.code(),
        verdict: change.verdict.code(),
        flags,
        reserved: [0; 3],
    }
}
