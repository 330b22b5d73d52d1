//! Frames onto a wire, as fast as one CPU can: a packet socket and `sendmmsg`.

use std::io::IoSlice;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockType, bind, sendmmsg, socket,
};
use octroi_tests::lab::Namespace;

use crate::frames::Mac;
use crate::rig::pin_to;

/// Frames of one call.
const BATCH: usize = 64;

/// A thread that sends the same frames round and round until it is dropped.
pub struct Sender {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Sender {
    /// Starts to send out of an interface of a namespace, from the first CPU.
    ///
    /// # Errors
    /// No such interface, or not root.
    pub fn start(
        namespace: &Namespace,
        interface: &str,
        frames: Arc<Vec<Vec<u8>>>,
    ) -> Result<Self> {
        let socket = namespace.within(|| open(interface))??;
        let stop = Arc::new(AtomicBool::new(false));
        let sent = Arc::new(AtomicU64::new(0));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            pin_to(0)?;
            send(&socket, &frames, &stopped, &count)
        });
        Ok(Self {
            stop,
            sent,
            thread: Some(thread),
        })
    }

    /// Frames that the kernel took until now.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Stops.
    ///
    /// # Errors
    /// Why sending had ended before.
    pub fn finish(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => bail!("the sending thread panicked"),
            None => Ok(()),
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Whoever wanted to know has called `finish`.
            let _ = thread.join();
        }
    }
}

/// Index and Ethernet address of an interface of the calling thread's namespace.
fn link_address(interface: &str) -> Result<LinkAddr> {
    let addresses = getifaddrs().context("cannot list interfaces")?;
    addresses
        .filter(|one| one.interface_name == interface)
        .find_map(|one| {
            one.address
                .and_then(|address| address.as_link_addr().copied())
        })
        .with_context(|| format!("there is no interface {interface}"))
}

/// The Ethernet address of an interface of a namespace.
///
/// # Errors
/// No such interface, or it has none.
pub fn mac(namespace: &Namespace, interface: &str) -> Result<Mac> {
    let address = namespace.within(|| link_address(interface))??;
    address
        .addr()
        .with_context(|| format!("{interface} has no Ethernet address"))
}

fn open(interface: &str) -> Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .context("cannot open a packet socket")?;
    // With protocol 0 it sends and hears nothing.
    let address = link_address(interface)?;
    bind(socket.as_raw_fd(), &address)
        .with_context(|| format!("cannot bind a packet socket to {interface}"))?;
    Ok(socket)
}

fn send(socket: &OwnedFd, frames: &[Vec<u8>], stop: &AtomicBool, count: &AtomicU64) -> Result<()> {
    let batches: Vec<Vec<[IoSlice<'_>; 1]>> = frames
        .chunks(BATCH)
        .map(|chunk| chunk.iter().map(|frame| [IoSlice::new(frame)]).collect())
        .collect();
    let nowhere = [const { None::<LinkAddr> }; BATCH];
    let mut headers = MultiHeaders::<LinkAddr>::preallocate(BATCH, None);
    loop {
        for batch in &batches {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let sent = sendmmsg(
                socket.as_raw_fd(),
                &mut headers,
                batch,
                &nowhere[..batch.len()],
                [],
                MsgFlags::empty(),
            );
            match sent {
                Ok(results) => {
                    let frames = u64::try_from(results.count()).unwrap_or(0);
                    count.fetch_add(frames, Ordering::Relaxed);
                }
                // The wire is full: what this tries to bring about.
                Err(Errno::ENOBUFS | Errno::EAGAIN) => {}
                Err(error) => bail!("cannot send: {error}"),
            }
        }
    }
}
