//! A capture taken beside the gate: tcpdump on the wire, and what each conversation came to in it.

use std::collections::HashMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use octroi_tests::lab::command::Owned;
use octroi_tests::lab::daemon::wait_until;
use octroi_tests::lab::{Lab, LabError};

/// Both ends of one direction: source, destination, protocol, ports (0 without).
pub(crate) type Way = (IpAddr, IpAddr, u8, u16, u16);

/// Packets and bytes from the IP header on.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Sum {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// A tcpdump that runs.
pub(crate) struct Capture {
    process: Owned,
    file: PathBuf,
    log: PathBuf,
}

impl Capture {
    /// On the far end of the gateway's inside wire.
    pub(crate) fn start(lab: &Lab) -> Result<Self, LabError> {
        let lan = &lab.namespaces().lan;
        // What arrives merged would hide how many packets there were.
        octroi_tests::lab::command::finish(
            lan.command("ethtool").args(["-K", "uplink", "gro", "off"]),
        )?;
        let file = lab.directory().join("wire.pcap");
        let log = lab.directory().join("tcpdump.log");
        let errors =
            fs::File::create(&log).map_err(LabError::io("create", log.display().to_string()))?;
        let mut command = lan.command("tcpdump");
        command
            .args([
                "-i", "uplink", "-n", "-s", "128", "-B", "32768", "-Z", "root", "-U", "-w",
            ])
            .arg(&file)
            .arg("ip or ip6")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        let process = Owned::spawn("tcpdump", &mut command)?;
        let capture = Self { process, file, log };
        wait_until("tcpdump listens", Duration::from_secs(10), || {
            Ok(capture.said()?.contains("listening on"))
        })?;
        Ok(capture)
    }

    fn said(&self) -> Result<String, LabError> {
        fs::read_to_string(&self.log).map_err(LabError::io("read", self.log.display().to_string()))
    }

    /// Ends it. Returns the sums of every way.
    pub(crate) fn stop(self) -> Result<HashMap<Way, Sum>, LabError> {
        let log = self.log.clone();
        self.process.signal(Signal::SIGINT)?;
        self.process.wait(Duration::from_secs(10))?;
        let said =
            fs::read_to_string(&log).map_err(LabError::io("read", log.display().to_string()))?;
        if !said.contains("\n0 packets dropped by kernel") {
            return Err(problem(&log, format!("the capture has holes: {said}")));
        }
        sums(&self.file)
    }
}

fn problem(file: &Path, problem: String) -> LabError {
    LabError::Data {
        file: file.display().to_string(),
        problem,
    }
}

/// Adds a classic capture file up (libpcap's format, Ethernet).
fn sums(file: &Path) -> Result<HashMap<Way, Sum>, LabError> {
    let bytes = fs::read(file).map_err(LabError::io("read", file.display().to_string()))?;
    let word = |at: usize| {
        let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes) as usize)
    };
    if word(0) != Some(0xa1b2_c3d4) || word(20) != Some(1) {
        return Err(problem(
            file,
            "no Ethernet capture in this byte order".to_owned(),
        ));
    }
    let mut sums: HashMap<Way, Sum> = HashMap::new();
    let mut fragments = HashMap::new();
    let mut at = 24;
    while let Some(length) = word(at + 8) {
        let frame = bytes.get(at + 16..at + 16 + length);
        let Some((way, bytes)) = frame.and_then(|frame| read(frame, &mut fragments)) else {
            return Err(problem(
                file,
                format!("a packet at byte {at} cannot be read"),
            ));
        };
        let sum = sums.entry(way).or_default();
        sum.packets += 1;
        sum.bytes += bytes;
        at += 16 + length;
    }
    Ok(sums)
}

/// One frame: which way, and its bytes. `fragments`: the ways of first fragments.
fn read(frame: &[u8], fragments: &mut HashMap<(IpAddr, IpAddr, u32), Way>) -> Option<(Way, u64)> {
    let ip = frame.get(14..)?;
    let short = |at: usize| Some(u16::from_be_bytes(ip.get(at..at + 2)?.try_into().ok()?));
    let address = |at: usize, length: usize| -> Option<IpAddr> {
        let bytes = ip.get(at..at + length)?;
        match length {
            4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
            _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        }
    };
    let (source, destination, protocol, transport, bytes, fragment);
    if frame.get(12..14)? == [0x08, 0x00] {
        (source, destination) = (address(12, 4)?, address(16, 4)?);
        protocol = *ip.get(9)?;
        transport = usize::from(ip.first()? & 15) * 4;
        bytes = u64::from(short(2)?);
        let flags = short(6)?;
        fragment = (flags & 0x3fff != 0)
            .then(|| Some((u32::from(short(4)?), flags.trailing_zeros() >= 13)))
            .flatten();
    } else {
        (source, destination) = (address(8, 16)?, address(24, 16)?);
        bytes = 40 + u64::from(short(4)?);
        let is_fragment = *ip.get(6)? == 44;
        (protocol, transport) = if is_fragment {
            (*ip.get(40)?, 48)
        } else {
            (*ip.get(6)?, 40)
        };
        fragment = is_fragment
            .then(|| {
                let number = u32::from(short(44)?) << 16 | u32::from(short(46)?);
                Some((number, short(42)? & 0xfff8 == 0))
            })
            .flatten();
    }
    let ports = || match protocol {
        6 | 17 => Some((short(transport)?, short(transport + 2)?)),
        _ => Some((0, 0)),
    };
    let way = |(from, to)| (source, destination, protocol, from, to);
    let found = match fragment {
        None => way(ports()?),
        Some((number, true)) => {
            let first = way(ports()?);
            fragments.insert((source, destination, number), first);
            first
        }
        Some((number, false)) => *fragments.get(&(source, destination, number))?,
    };
    Some((found, bytes))
}
