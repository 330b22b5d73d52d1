//! What arrived at the Internet's side: payload bytes, counted by tcpdump.

use std::fs::{self, File};
use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use octroi_tests::lab::command::Owned;
use octroi_tests::lab::daemon::wait_until;
use octroi_tests::lab::{Lab, LabError};

/// Where the gateway itself sends the mark behind all that its clients sent: "discard" (RFC 863).
const MARK_PORT: u16 = 9;
const SOON: Duration = Duration::from_secs(20);

/// A tcpdump that runs in the Internet's namespace.
pub(crate) struct Wire<'a> {
    lab: &'a Lab,
    address: &'a str,
    process: Owned,
    lines: PathBuf,
}

impl<'a> Wire<'a> {
    /// Listens for what clients send to an address.
    pub(crate) fn start(lab: &'a Lab, address: &'a str) -> Result<Self, LabError> {
        let file = |name: &str| lab.directory().join(name);
        let (lines, log) = (file("arrived.txt"), file("arrived.log"));
        let create = |path: &PathBuf| {
            File::create(path).map_err(LabError::io("create", path.display().to_string()))
        };
        let mut command = lab.namespaces().internet.command("tcpdump");
        command
            .args([
                "-i",
                "uplink",
                "-n",
                "-q",
                "-l",
                "--immediate-mode",
                "-Z",
                "root",
            ])
            .arg(format!("dst host {address}"))
            .stdin(Stdio::null())
            .stdout(create(&lines)?)
            .stderr(create(&log)?);
        let process = Owned::spawn("tcpdump", &mut command)?;
        wait_until("tcpdump listens", SOON, || {
            let said = fs::read_to_string(&log)
                .map_err(LabError::io("read", log.display().to_string()))?;
            Ok(said.contains("listening on"))
        })?;
        Ok(Self {
            lab,
            address,
            process,
            lines,
        })
    }

    /// Ends it. Returns packets, and payload bytes of TCP and UDP.
    pub(crate) fn stop(self) -> Result<(u64, u64), LabError> {
        // What is on its way arrives before the mark, and is written before it.
        let mark = format!("> {}.{MARK_PORT}: ", self.address);
        let mut text = String::new();
        wait_until("the mark arrives", SOON, || {
            self.mark()?;
            text = fs::read_to_string(&self.lines)
                .map_err(LabError::io("read", self.lines.display().to_string()))?;
            Ok(text.contains(&mark))
        })?;
        self.process.signal(Signal::SIGINT)?;
        self.process.wait(SOON)?;
        let mut sums = (0, 0);
        let before = text.lines().take_while(|line| !line.contains(&mark));
        for line in before.filter(|line| !line.trim().is_empty()) {
            let payload = payload(line).ok_or_else(|| LabError::Data {
                file: self.lines.display().to_string(),
                problem: format!("a line that is not understood: {line}"),
            })?;
            sums = (sums.0 + 1, sums.1 + payload);
        }
        Ok(sums)
    }

    /// One datagram of the gateway itself.
    fn mark(&self) -> Result<(), LabError> {
        let gateway = &self.lab.namespaces().gateway;
        gateway
            .within(|| UdpSocket::bind("0.0.0.0:0")?.send_to(b"mark", (self.address, MARK_PORT)))?
            .map_err(LabError::io("send a mark to", self.address))?;
        Ok(())
    }
}

/// Payload bytes of a line of `tcpdump -q`: "... tcp 517", "... UDP, length 1200".
fn payload(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [.., "tcp", bytes] | [.., "UDP,", "length", bytes] => bytes.parse().ok(),
        // What announces an address is no payload.
        [_, "ARP,", ..] => Some(0),
        _ if line.contains("ICMP") => Some(0),
        _ => None,
    }
}
