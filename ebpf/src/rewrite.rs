//! A verdict that userspace found by name, written into a flow in place.
//!
//! Run only by `BPF_PROG_TEST_RUN`: the "packet" is a request. Written here and not by a map update
//! from userspace, because that would overwrite the packets counted since it read the entry.

use aya_ebpf::macros::xdp;
use aya_ebpf::programs::XdpContext;
use octroi_abi::flow::{ENFORCED, NAMED, NAMES_MATTER, RewriteRequest, rewritten};
use octroi_abi::verdict::Verdict;

use crate::frame::{XdpFrame, header};
use crate::maps::FLOWS;

/// Answers with a code of [`rewritten`].
#[xdp]
pub fn octroi_rewrite(context: XdpContext) -> u32 {
    let Some(request) = header::<XdpFrame, RewriteRequest>(&XdpFrame::new(&context), 0) else {
        return rewritten::INVALID;
    };
    if Verdict::from_code(request.verdict).is_none()
        || request.flags & !(ENFORCED | NAMED | NAMES_MATTER) != 0
    {
        return rewritten::INVALID;
    }
    let Some(state) = FLOWS.get_ptr_mut(&request.key) else {
        return rewritten::NO_SUCH_FLOW;
    };
    // SAFETY: the kernel's pointer to a flow state.
    let state = unsafe { &mut *state };
    if state.first_ns != request.first_ns {
        return rewritten::NO_SUCH_FLOW;
    }
    // Wrapping: "older" by the shorter way round.
    if (request.generation.wrapping_sub(state.generation) as i32) < 0 {
        return rewritten::STALE;
    }
    state.rule = request.rule;
    state.class = request.class;
    state.shadow_rule = request.shadow_rule;
    state.shadow_verdict = request.shadow_verdict;
    state.verdict = request.verdict;
    state.flags = request.flags;
    state.generation = request.generation;
    rewritten::DONE
}
