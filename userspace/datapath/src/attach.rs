//! Attaching to an interface: XDP for what goes out, TCX egress for what comes back.
//!
//! Links are pinned. A link that is already pinned is given the new program in one step, without a
//! packet in between; it stays pinned (pinning it again fails with EEXIST). A link whose interface
//! was deleted is dead for good (ENOLINK): its pin is removed and a new link is made.

use std::fmt;
use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

use aya::maps::MapError;
use aya::programs::links::{FdLink, LinkError, PinnedLink};
use aya::programs::tc::TcAttachOptions;
use aya::programs::{
    LinkOrder, ProgramError, ProgramInfo, TcAttachType, XdpMode as AyaXdpMode, loaded_programs,
};
use octroi_abi::name;

use crate::bpffs;
use crate::error::DatapathError;
use crate::fault::{self, FaultPoint};
use crate::interface::{self, ATTACHED_GENERIC, ATTACHED_NATIVE, LinkKind, RunningXdp};
use crate::load::{Datapath, remove_if_there};
use crate::sys;

/// How XDP runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum XdpMode {
    /// In the driver, before the kernel has made anything of the frame.
    Native,
    /// Behind it: works everywhere, slower.
    Generic,
}

impl XdpMode {
    /// The word used in configurations and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// How a program came to run on an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attachment {
    /// It was not there before.
    New,
    /// The program of an earlier process was replaced in one step, without a gap.
    Replaced,
    /// The pin of an earlier process was dead (its interface was deleted and made again) or of
    /// another mode: removed, and attached anew.
    Renewed,
}

impl Attachment {
    const fn name(self) -> &'static str {
        match self {
            Self::New => "attached",
            Self::Replaced => "replaced without a gap",
            Self::Renewed => "attached anew after a dead link",
        }
    }
}

/// What attaching did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttachReport {
    /// Interface.
    pub interface: String,
    /// Its index.
    pub ifindex: u32,
    /// What its frames begin with.
    pub link: LinkKind,
    /// The mode XDP runs in, as the kernel says.
    pub mode: XdpMode,
    /// Outbound program.
    pub outbound: Attachment,
    /// Reply program.
    pub reply: Attachment,
}

impl fmt::Display for AttachReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): XDP ({}) {}, TCX egress {}",
            self.interface,
            self.link.name(),
            self.mode.name(),
            self.outbound.name(),
            self.reply.name()
        )
    }
}

impl Datapath {
    /// Attaches both programs to an interface of this thread's network namespace and pins the
    /// links, or replaces the programs of links that are pinned already.
    ///
    /// # Errors
    /// When there is no such interface or one of a kind that is not parsed, when another XDP program is there, or when native
    /// XDP was asked for and is not possible. What was attached by this call is taken off again.
    pub fn attach(
        &mut self,
        interface: &str,
        mode: XdpMode,
    ) -> Result<AttachReport, DatapathError> {
        let (ifindex, link) = interface::find(interface)?;
        let hooked = Hooked {
            interface,
            ifindex,
            programs: programs(link),
        };
        let links = self.pins.links(interface);
        bpffs::create(&links)?;
        let outbound_pin = links.join(name::PROGRAM_OUTBOUND);
        let reply_pin = links.join(name::PROGRAM_REPLY);

        let outbound = self.attach_outbound(&hooked, mode, &outbound_pin)?;
        let attached = self
            .attach_reply(&hooked, &reply_pin)
            .and_then(|reply| Ok((reply, mode_of(&hooked)?)));
        match attached {
            Ok((reply, mode)) => Ok(AttachReport {
                interface: interface.to_owned(),
                ifindex,
                link,
                mode,
                outbound,
                reply,
            }),
            Err(error) => {
                if outbound != Attachment::Replaced {
                    take_off(&outbound_pin)?;
                }
                Err(error)
            }
        }
    }

    fn attach_outbound(
        &mut self,
        hooked: &Hooked<'_>,
        mode: XdpMode,
        pin: &Path,
    ) -> Result<Attachment, DatapathError> {
        let Hooked {
            interface,
            ifindex,
            programs: [name, _],
        } = *hooked;
        let failed = |source| hooked.failed(name, source);
        let running = interface::running_xdp(ifindex).map_err(failed)?;
        let alive = is_alive(pin, ifindex)?;
        if alive && running.is_some_and(|running| running.mode == attached_code(mode)) {
            let link = open(pin)?
                .try_into()
                .map_err(|error| failed(link_error(error)))?;
            let program = self.xdp(name)?;
            let id = program
                .attach_to_link(link)
                .map_err(|error| failed(cause(error)))?;
            // The pin holds the link: this descriptor of it may be closed.
            drop(
                program
                    .take_link(id)
                    .map_err(|error| failed(cause(error)))?,
            );
            fault::at(FaultPoint::AttachReplaced)?;
            return Ok(Attachment::Replaced);
        }
        let renewed = take_off(pin)?;
        if let Some(running) = interface::running_xdp(ifindex).map_err(failed)? {
            return Err(foreign(interface, running));
        }
        let program = self.xdp(name)?;
        let flags = match mode {
            XdpMode::Native => AyaXdpMode::Driver,
            XdpMode::Generic => AyaXdpMode::Skb,
        };
        let id = program
            .attach_to_if_index(ifindex, flags)
            .map_err(|error| refused(hooked, mode, error))?;
        let link = program
            .take_link(id)
            .map_err(|error| failed(cause(error)))?;
        // Not a link of the kernel's: aya fell back to netlink, which cannot be pinned. Dropping
        // it takes the program off again.
        let link: FdLink = link.try_into().map_err(|_| DatapathError::NativeXdp {
            interface: interface.to_owned(),
            reason: "the driver refuses a link".to_owned(),
        })?;
        fault::at(FaultPoint::AttachOutboundMade)?;
        link.pin(pin)
            .map_err(|error| failed(io::Error::other(error)))?;
        fault::at(FaultPoint::AttachOutbound)?;
        Ok(if renewed {
            Attachment::Renewed
        } else {
            Attachment::New
        })
    }

    fn attach_reply(
        &mut self,
        hooked: &Hooked<'_>,
        pin: &Path,
    ) -> Result<Attachment, DatapathError> {
        let Hooked {
            interface,
            ifindex,
            programs: [_, name],
        } = *hooked;
        let failed = |source| hooked.failed(name, source);
        let alive = is_alive(pin, ifindex)?;
        let program = self.classifier(name)?;
        if alive {
            let link = open(pin)?
                .try_into()
                .map_err(|error| failed(link_error(error)))?;
            let id = program
                .attach_to_link(link)
                .map_err(|error| failed(cause(error)))?;
            drop(
                program
                    .take_link(id)
                    .map_err(|error| failed(cause(error)))?,
            );
            fault::at(FaultPoint::AttachReplaced)?;
            return Ok(Attachment::Replaced);
        }
        let renewed = take_off(pin)?;
        let id = program
            .attach_with_options(
                interface,
                TcAttachType::Egress,
                TcAttachOptions::TcxOrder(LinkOrder::default()),
            )
            .map_err(|error| failed(cause(error)))?;
        let link = program
            .take_link(id)
            .map_err(|error| failed(cause(error)))?;
        let link: FdLink = link.try_into().map_err(|error| failed(link_error(error)))?;
        fault::at(FaultPoint::AttachReplyMade)?;
        link.pin(pin)
            .map_err(|error| failed(io::Error::other(error)))?;
        fault::at(FaultPoint::AttachReply)?;
        Ok(if renewed {
            Attachment::Renewed
        } else {
            Attachment::New
        })
    }
}

/// An interface and the programs for it: XDP, TCX egress.
struct Hooked<'a> {
    interface: &'a str,
    ifindex: u32,
    programs: [&'static str; 2],
}

impl Hooked<'_> {
    fn failed(&self, program: &'static str, source: io::Error) -> DatapathError {
        DatapathError::Attach {
            program,
            interface: self.interface.to_owned(),
            source,
        }
    }
}

/// The programs for a kind of link: XDP, TCX egress.
const fn programs(link: LinkKind) -> [&'static str; 2] {
    match link {
        LinkKind::Ethernet => [name::PROGRAM_OUTBOUND, name::PROGRAM_REPLY],
        LinkKind::Bare => [name::PROGRAM_OUTBOUND_L3, name::PROGRAM_REPLY_L3],
    }
}

/// Whether a pin is there and its link still belongs to this interface.
fn is_alive(pin: &Path, ifindex: u32) -> Result<bool, DatapathError> {
    if !pin.exists() {
        return Ok(false);
    }
    Ok(interface_of(pin)? == ifindex)
}

/// Whether a pinned link still belongs to any interface.
pub(crate) fn is_standing(pin: &Path) -> Result<bool, DatapathError> {
    Ok(interface_of(pin)? != 0)
}

/// Index of a pinned link's interface; 0 when it is gone.
fn interface_of(pin: &Path) -> Result<u32, DatapathError> {
    let file = |source| DatapathError::File {
        operation: "open the pinned link",
        path: pin.to_owned(),
        source,
    };
    let link = sys::pinned(pin).map_err(file)?;
    sys::link_ifindex(link.as_fd()).map_err(file)
}

/// Takes a pinned link off its hook and removes the pin. Detached first: the kernel forgets a link
/// some time after its last reference is gone.
pub(crate) fn take_off(pin: &Path) -> Result<bool, DatapathError> {
    if !pin.exists() {
        return Ok(false);
    }
    match sys::pinned(pin).and_then(|link| sys::detach_link(link.as_fd())) {
        Ok(()) => {}
        // The interface is gone: so is the attachment.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOLINK | libc::ENODEV)) => {}
        Err(source) => {
            return Err(DatapathError::File {
                operation: "detach the link",
                path: pin.to_owned(),
                source,
            });
        }
    }
    remove_if_there(pin)
}

fn open(pin: &Path) -> Result<FdLink, DatapathError> {
    PinnedLink::from_pin(pin)
        .map(FdLink::from)
        .map_err(|error| DatapathError::File {
            operation: "open the pinned link",
            path: pin.to_owned(),
            source: link_error(error),
        })
}

const fn attached_code(mode: XdpMode) -> u8 {
    match mode {
        XdpMode::Native => ATTACHED_NATIVE,
        XdpMode::Generic => ATTACHED_GENERIC,
    }
}

/// The mode the kernel runs XDP in.
fn mode_of(hooked: &Hooked<'_>) -> Result<XdpMode, DatapathError> {
    let failed = |source| hooked.failed(hooked.programs[0], source);
    let running = interface::running_xdp(hooked.ifindex).map_err(failed)?;
    match running.map(|running| running.mode) {
        Some(ATTACHED_NATIVE) => Ok(XdpMode::Native),
        Some(ATTACHED_GENERIC) => Ok(XdpMode::Generic),
        other => Err(failed(io::Error::other(format!(
            "the kernel reports XDP mode {other:?} right after attaching"
        )))),
    }
}

/// Why the kernel refused an attachment, and the remedy.
fn refused(hooked: &Hooked<'_>, mode: XdpMode, error: ProgramError) -> DatapathError {
    let Hooked {
        interface, ifindex, ..
    } = *hooked;
    let source = cause(error);
    let code = source.raw_os_error();
    if matches!(code, Some(libc::EBUSY | libc::EEXIST))
        && let Ok(Some(running)) = interface::running_xdp(ifindex)
    {
        return foreign(interface, running);
    }
    if mode == XdpMode::Native {
        let reason = match code {
            Some(libc::EOPNOTSUPP) => "its driver does not support it",
            Some(libc::ERANGE | libc::EINVAL) => "its MTU or its offloads do not allow it",
            Some(libc::ENOMEM) => "its driver found no memory for it",
            _ => "",
        };
        if !reason.is_empty() {
            return DatapathError::NativeXdp {
                interface: interface.to_owned(),
                reason: format!("{reason} ({source})"),
            };
        }
    }
    hooked.failed(hooked.programs[0], source)
}

fn foreign(interface: &str, running: RunningXdp) -> DatapathError {
    let name = loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == running.program_id)
        .and_then(|program: ProgramInfo| program.name_as_str().map(str::to_owned));
    DatapathError::ForeignXdp {
        interface: interface.to_owned(),
        name: name.unwrap_or_else(|| "?".to_owned()),
        id: running.program_id,
    }
}

/// The system's error inside a program error, if there is one.
pub(crate) fn cause(error: ProgramError) -> io::Error {
    match error {
        ProgramError::SyscallError(error)
        | ProgramError::MapError(MapError::SyscallError(error)) => error.io_error,
        ProgramError::IOError(error) => error,
        other => io::Error::other(other),
    }
}

pub(crate) fn link_error(error: LinkError) -> io::Error {
    match error {
        LinkError::SyscallError(error) => error.io_error,
        other => io::Error::other(other),
    }
}
