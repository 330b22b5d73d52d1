//! Letting held frames go on: they run through the gate's program once more, as if they had just
//! arrived (`BPF_PROG_RUN` with live frames, Linux 5.18).
//!
//! On an inside interface with Ethernet frames and native XDP. Elsewhere a held frame cannot be put
//! back where it came from: its sender sends it again, and meets the verdict then.

use aya::programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp};
use octroi_abi::event::HeldHeader;
use octroi_abi::name;

use crate::attach::{AttachReport, XdpMode, cause};
use crate::error::DatapathError;
use crate::interface::LinkKind;
use crate::load::Datapath;
use crate::place::Role;
use crate::{checksum, wire};

/// Longest frame that can run once more, bytes: a page of 4,096 without the headroom (256) and the tail
/// (320) that the kernel keeps on it.
pub const MAX_FRAME_BYTES: usize = 3_520;

/// How a held frame goes on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Release {
    /// Its flow is decided: it meets the verdict as any packet does.
    Decided,
    /// Its flow goes on awaiting its name; this frame holds none and passes, unless the flow is
    /// stopped.
    Undecided,
}

/// `struct xdp_md` (`linux/bpf.h`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub(crate) struct XdpContext {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

impl AttachReport {
    /// Whether frames that are held on this interface can be let go ([`Datapath::release`]).
    #[must_use]
    pub fn can_release(&self) -> bool {
        can_release(self.role, self.link, self.mode)
    }
}

/// Whether frames that are held on such an interface can be let go.
const fn can_release(role: Role, link: LinkKind, mode: XdpMode) -> bool {
    matches!(
        (role, link, mode),
        (Role::Inside, LinkKind::Ethernet, XdpMode::Native)
    )
}

impl Datapath {
    /// Has the kernel check the programs that [`Datapath::release`] runs, which takes about a second:
    /// before the first frame waits for it.
    ///
    /// # Errors
    /// When the kernel refuses them.
    pub(crate) fn prepare_releases(&mut self) -> Result<(), DatapathError> {
        self.xdp(name::PROGRAM_RELEASE)?;
        Ok(())
    }

    /// Runs a held frame as if it had just arrived at its interface, in this thread's network
    /// namespace. A policy that is strict about names must be, or have been, in force.
    ///
    /// # Errors
    /// When the frame is longer than [`MAX_FRAME_BYTES`] or was cut, the interface is gone, or the
    /// kernel refuses: the frame does not go on then.
    pub fn release(
        &self,
        header: &HeldHeader,
        frame: &mut [u8],
        how: Release,
    ) -> Result<(), DatapathError> {
        let ifindex = header.ifindex;
        let program = match how {
            Release::Decided => name::PROGRAM_OUTBOUND,
            Release::Undecided => name::PROGRAM_RELEASE,
        };
        let bytes = header.frame_bytes as usize;
        let failed = |source| DatapathError::Release {
            ifindex,
            bytes,
            source,
        };
        if bytes > MAX_FRAME_BYTES || frame.len() != bytes {
            return Err(failed(std::io::Error::from_raw_os_error(libc::EMSGSIZE)));
        }
        let loaded: &Xdp = self
            .programs
            .program(program)
            .and_then(|loaded| loaded.try_into().ok())
            .ok_or(DatapathError::Object {
                what: "XDP program",
                name: program,
            })?;
        checksum::finish(header, frame);
        let context = XdpContext {
            data: 0,
            data_end: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            data_meta: 0,
            ingress_ifindex: ifindex,
            rx_queue_index: 0,
            egress_ifindex: 0,
        };
        let options = TestRunOptions {
            data_in: Some(&*frame),
            ctx_in: Some(wire::bytes_of(&context)),
            attrs: TestRunAttrs::new().xdp_live_frames(1),
            ..TestRunOptions::default()
        };
        loaded
            .test_run(options)
            .map(|_| ())
            .map_err(|error| failed(cause(error)))
    }
}
