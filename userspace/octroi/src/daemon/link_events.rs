//! What the kernel says of interfaces and addresses that come and go (rtnetlink): a look at them is
//! due at once, not at the next tick.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};
use tracing::warn;

use super::gate::Gate;

/// Groups of `linux/rtnetlink.h`: `RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
/// Longest time until the end of the daemon is noticed, milliseconds.
const PATIENCE_MS: u16 = 200;

/// Has every change looked at, from a thread of its own, until the daemon stops.
pub(super) fn listen(gate: &Arc<Gate>) -> Result<JoinHandle<()>> {
    let socket = open().context(
        "cannot listen for interfaces that come and go (a netlink socket of the family route)",
    )?;
    let gate = Arc::clone(gate);
    std::thread::Builder::new()
        .name("octroi-links".to_owned())
        .spawn(move || {
            while !*gate.stop.borrow() {
                match hears(&socket) {
                    Ok(true) => gate.look_now.notify_one(),
                    Ok(false) => {}
                    Err(error) => {
                        warn!("interfaces are looked at once a second from here on: {error}");
                        return;
                    }
                }
            }
        })
        .context("cannot start the thread that listens for interfaces")
}

fn open() -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkRoute,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
    Ok(socket)
}

/// Waits for messages and takes them all: what they say is looked up, so that none has to be read.
fn hears(socket: &OwnedFd) -> nix::Result<bool> {
    let mut waiting = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    match poll(&mut waiting, PollTimeout::from(PATIENCE_MS)) {
        Ok(0) | Err(Errno::EINTR) => return Ok(false),
        Ok(_) => {}
        Err(error) => return Err(error),
    }
    let mut message = [0; 4096];
    loop {
        match recv(socket.as_raw_fd(), &mut message, MsgFlags::empty()) {
            // More came than there was room for: something changed all the same.
            Ok(_) | Err(Errno::ENOBUFS | Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_lets_everybody_listen() {
        let socket = open().unwrap();
        // Whatever happens on this machine meanwhile: no error.
        hears(&socket).unwrap();
    }
}
