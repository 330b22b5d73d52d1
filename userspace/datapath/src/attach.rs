//! Attaching to an interface: to XDP and TCX egress, with the programs of its role.
//!
//! Links are pinned. A link that is already pinned is given the new program in one step, without a
//! packet in between; it stays pinned (pinning it again fails with EEXIST). A link whose interface
//! was deleted is dead for good (ENOLINK): its pin is removed and a new link is made.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use aya::maps::MapError;
use aya::programs::links::FdLink;
use aya::programs::tc::TcAttachOptions;
use aya::programs::{LinkOrder, ProgramError, TcAttachType, XdpMode as AyaXdpMode};

use crate::bpffs;
use crate::error::DatapathError;
use crate::fault::{self, FaultPoint};
use crate::interface::{self, ATTACHED_GENERIC, ATTACHED_NATIVE, LinkKind};
use crate::links::{is_alive, link_error, open, take_off};
use crate::load::Datapath;
use crate::neighbours::{Neighbours, foreign_xdp, neighbours};
use crate::place::Role;

/// How XDP runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum XdpMode {
    /// In the driver, before the kernel has made anything of the frame.
    Native,
    /// Behind it: works everywhere, slower.
    Generic,
}

impl XdpMode {
    const fn other(self) -> Self {
        match self {
            Self::Native => Self::Generic,
            Self::Generic => Self::Native,
        }
    }

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
    /// On which side those are who are guarded.
    pub role: Role,
    /// What its frames begin with.
    pub link: LinkKind,
    /// The mode XDP runs in, as the kernel says.
    pub mode: XdpMode,
    /// Outbound program.
    pub outbound: Attachment,
    /// Reply program.
    pub reply: Attachment,
    /// Who else runs on TCX egress.
    pub neighbours: Neighbours,
}

impl fmt::Display for AttachReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (xdp, egress) = match self.role {
            Role::Inside => (self.outbound, self.reply),
            Role::Host => (self.reply, self.outbound),
        };
        write!(
            f,
            "{} ({}, {}): XDP ({}) {}, TCX egress {}",
            self.interface,
            self.role.name(),
            self.link.name(),
            self.mode.name(),
            xdp.name(),
            egress.name()
        )?;
        let Neighbours { before, after } = &self.neighbours;
        if !before.is_empty() {
            write!(f, ", behind {}", before.join(", "))?;
        }
        if !after.is_empty() {
            write!(f, ", before {}", after.join(", "))?;
        }
        Ok(())
    }
}

impl Datapath {
    /// Attaches both programs to an interface of this thread's network namespace and pins the
    /// links, or replaces the programs of links that are pinned already.
    ///
    /// # Errors
    /// When there is no such interface or one of a kind that is not parsed, when another XDP program
    /// is there, or when native XDP was asked for and is not possible. What was attached by this call is taken off again.
    pub fn attach(
        &mut self,
        interface: &str,
        mode: XdpMode,
    ) -> Result<AttachReport, DatapathError> {
        self.attach_as(interface, Role::Inside, mode)
    }

    /// The same in a role of its own. Links of the other role are given the programs of this one in
    /// place.
    ///
    /// # Errors
    /// See [`Datapath::attach`].
    pub fn attach_as(
        &mut self,
        interface: &str,
        role: Role,
        mode: XdpMode,
    ) -> Result<AttachReport, DatapathError> {
        let (ifindex, link) = interface::find(interface)?;
        let hooked = Hooked {
            interface,
            ifindex,
            programs: role.programs(link),
        };
        let links = self.pins.links(interface);
        bpffs::create(&links)?;
        adopt_other_role(&links, role)?;
        let [xdp_pin, egress_pin] = role.pins().map(|pin| links.join(pin));

        let xdp = self.attach_xdp(&hooked, mode, &xdp_pin)?;
        let attached = self
            .attach_egress(&hooked, &egress_pin)
            .and_then(|egress| Ok((egress, mode_of(&hooked)?, neighbours(interface)?)));
        match attached {
            Ok((egress, mode, neighbours)) => {
                let (outbound, reply) = match role {
                    Role::Inside => (xdp, egress),
                    Role::Host => (egress, xdp),
                };
                Ok(AttachReport {
                    interface: interface.to_owned(),
                    ifindex,
                    role,
                    link,
                    mode,
                    outbound,
                    reply,
                    neighbours,
                })
            }
            Err(error) => {
                // What was guarded before stays so, if only one way.
                if xdp == Attachment::New {
                    take_off(&xdp_pin)?;
                }
                Err(error)
            }
        }
    }

    /// Has the kernel check the programs of a role for every kind of link: it takes seconds on a
    /// slow machine, which an interface that comes later would be without them.
    ///
    /// # Errors
    /// When the kernel refuses one.
    pub fn prepare(&mut self, role: Role) -> Result<(), DatapathError> {
        for link in [LinkKind::Ethernet, LinkKind::Bare] {
            let [xdp, egress] = role.programs(link);
            self.xdp(xdp)?;
            self.classifier(egress)?;
        }
        Ok(())
    }

    fn attach_xdp(
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
            return Err(foreign_xdp(interface, running));
        }
        if let Err(error) = self.make_xdp(hooked, mode, pin) {
            if alive {
                // The mode it had before: an interface that was guarded stays so.
                self.make_xdp(hooked, mode.other(), pin)?;
            }
            return Err(error);
        }
        Ok(if renewed {
            Attachment::Renewed
        } else {
            Attachment::New
        })
    }

    /// Makes the XDP link and pins it.
    fn make_xdp(
        &mut self,
        hooked: &Hooked<'_>,
        mode: XdpMode,
        pin: &Path,
    ) -> Result<(), DatapathError> {
        let Hooked {
            interface,
            ifindex,
            programs: [name, _],
        } = *hooked;
        let failed = |source| hooked.failed(name, source);
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
        fault::at(FaultPoint::AttachOutbound)
    }

    fn attach_egress(
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
                TcAttachOptions::TcxOrder(LinkOrder::first()),
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

/// Links of the other role of an interface go over to this one: same hooks, other programs.
fn adopt_other_role(links: &Path, role: Role) -> Result<(), DatapathError> {
    for (other, ours) in role.other().pins().into_iter().zip(role.pins()) {
        let (other, ours) = (links.join(other), links.join(ours));
        if other.exists() && !ours.exists() {
            fs::rename(&other, &ours).map_err(|source| DatapathError::File {
                operation: "rename the pinned link",
                path: other,
                source,
            })?;
        }
    }
    Ok(())
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
        return foreign_xdp(interface, running);
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

/// The system's error inside a program error, if there is one.
pub(crate) fn cause(error: ProgramError) -> io::Error {
    match error {
        ProgramError::SyscallError(error)
        | ProgramError::MapError(MapError::SyscallError(error)) => error.io_error,
        ProgramError::IOError(error) => error,
        other => io::Error::other(other),
    }
}
