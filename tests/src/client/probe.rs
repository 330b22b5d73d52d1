//! A probe: datagrams at a steady pace, a new flow each, and a count of those that come back.
//!
//! It tells whether a gate let anything through, or held anything up, at any moment of something
//! that happens meanwhile: a crash, a restart, a change of policy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::lab::{LabError, Namespace, Result};

/// Pause between two datagrams.
const PACE: Duration = Duration::from_millis(5);
/// How long an answer is waited for: the lab's echo over UDP has no distance.
const WAIT: Duration = Duration::from_millis(250);

/// What a probe counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Datagrams sent.
    pub sent: u64,
    /// Answers.
    pub answered: u64,
    /// Errors reported by ICMP.
    pub refused: u64,
}

/// A probe under way; dropped, it stops.
#[derive(Debug)]
pub struct Probe {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<Count>>>,
}

impl Probe {
    /// Starts to probe an echo service over UDP from a namespace.
    #[must_use]
    pub fn start(from: &Namespace, to: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (from, stopped) = (from.clone(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || from.within(|| probe(to, &stopped))?);
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Stops, and tells what was counted.
    ///
    /// # Errors
    /// The namespace could not be entered, or has no room for a socket.
    pub fn stop(mut self) -> Result<Count> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(count)) => count,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(Count::default()),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn probe(to: SocketAddr, stop: &AtomicBool) -> Result<Count> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let mut count = Count::default();
    while !stop.load(Ordering::Relaxed) {
        let socket = UdpSocket::bind((any, 0))
            .and_then(|socket| {
                socket.connect(to)?;
                socket.set_read_timeout(Some(WAIT))?;
                Ok(socket)
            })
            .map_err(LabError::io("open a socket to", to.to_string()))?;
        let mut back = [0; 8];
        count.sent += 1;
        match socket.send(b"probe").and_then(|_| socket.recv(&mut back)) {
            Ok(_) => count.answered += 1,
            Err(error) if error.raw_os_error().is_some_and(is_icmp) => count.refused += 1,
            Err(_) => {}
        }
        std::thread::sleep(PACE);
    }
    Ok(count)
}

/// Errors that the kernel makes of ICMP messages: EHOSTUNREACH, ECONNREFUSED, EACCES.
const fn is_icmp(code: i32) -> bool {
    matches!(
        nix::errno::Errno::from_raw(code),
        nix::errno::Errno::EHOSTUNREACH
            | nix::errno::Errno::ECONNREFUSED
            | nix::errno::Errno::EACCES
    )
}
