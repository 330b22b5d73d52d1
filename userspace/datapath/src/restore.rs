//! A flow of an older gate, put back into the flow table with its verdict.

use aya::maps::MapError;
use octroi_abi::flow::{FlowKey, FlowState};
use octroi_abi::name;

use crate::error::DatapathError;
use crate::load::Datapath;
use crate::wire::Wire;

/// `BPF_NOEXIST`: what is there already is newer than what is put back.
const IF_ABSENT: u64 = 1;

impl Datapath {
    /// Puts a flow back: its verdict, its names' mark and what its conversation has come to, but an
    /// account of zero. It belongs to no generation, so that its next packet is judged under the
    /// tables in force, and the stricter verdict holds if it was judged by name. A flow that is
    /// there already stays as it is.
    pub(crate) fn restore_flow(
        &mut self,
        key: &FlowKey,
        state: &FlowState,
    ) -> Result<(), DatapathError> {
        let restored = FlowState {
            outbound_packets: 0,
            outbound_bytes: 0,
            reply_packets: 0,
            reply_bytes: 0,
            stopped_packets: 0,
            generation: 0,
            ..*state
        };
        match self.flows.insert(Wire(*key), Wire(restored), IF_ABSENT) {
            Ok(()) => Ok(()),
            Err(MapError::SyscallError(error))
                if error.io_error.raw_os_error() == Some(libc::EEXIST) =>
            {
                Ok(())
            }
            Err(error) => Err(DatapathError::map(
                "put a flow back into",
                name::FLOWS,
                error,
            )),
        }
    }
}
