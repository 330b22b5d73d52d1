//! Pinned links: which there are, whether they live, and taking them off.

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

use aya::programs::links::{FdLink, LinkError, PinnedLink};

use crate::bpffs::{self, entries, file_name};
use crate::error::DatapathError;
use crate::load::{Datapath, remove_if_there};
use crate::sys;

impl Datapath {
    /// The interfaces that have pinned links, whether or not these are alive.
    ///
    /// # Errors
    /// When the pins cannot be listed.
    pub fn attached(&self) -> Result<Vec<String>, DatapathError> {
        let mut names = Vec::new();
        for directory in entries(&self.pins.version().join("links"))? {
            if !entries(&directory)?.is_empty() {
                names.push(bpffs::unescaped(&file_name(&directory)));
            }
        }
        names.sort();
        Ok(names)
    }

    /// Whether an interface of this index has a pinned link that does not run: somebody detached it
    /// (`bpftool link detach`), or it belonged to an interface that is gone.
    #[must_use]
    pub fn has_dead_link(&self, interface: &str, ifindex: u32) -> bool {
        let pins = entries(&self.pins.links(interface)).unwrap_or_default();
        pins.iter()
            .any(|pin| matches!(is_alive(pin, ifindex), Ok(false)) && pin.exists())
    }
}

/// Whether a pin is there and its link still belongs to this interface.
pub(crate) fn is_alive(pin: &Path, ifindex: u32) -> Result<bool, DatapathError> {
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

/// Opens a pinned link.
pub(crate) fn open(pin: &Path) -> Result<FdLink, DatapathError> {
    PinnedLink::from_pin(pin)
        .map(FdLink::from)
        .map_err(|error| DatapathError::File {
            operation: "open the pinned link",
            path: pin.to_owned(),
            source: link_error(error),
        })
}

/// The system's error inside a link error, if there is one.
pub(crate) fn link_error(error: LinkError) -> io::Error {
    match error {
        LinkError::SyscallError(error) => error.io_error,
        other => io::Error::other(other),
    }
}
