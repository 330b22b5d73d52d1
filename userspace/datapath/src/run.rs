//! One packet through a loaded program without a network (`BPF_PROG_TEST_RUN`): what tests and
//! benches are made of. It counts and remembers flows as a real packet does.

use std::net::IpAddr;
use std::time::Duration;

use aya::maps::lpm_trie::Key;
use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions, Xdp};
use ipnet::IpNet;
use octroi_abi::name;

use crate::error::DatapathError;
use crate::load::Datapath;

/// Room for a packet that comes out: a little longer than the longest that goes in.
const OUT_BYTES: usize = 4_096 + 256;

/// A program of the kernel object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// XDP: outbound packets.
    Outbound,
    /// XDP: outbound packets that were held, and go on undecided.
    Release,
    /// TCX egress: replies.
    Reply,
    /// XDP: outbound packets without a link header.
    OutboundL3,
    /// TCX egress: replies without a link header.
    ReplyL3,
    /// TCX egress: packets of the host itself.
    HostOutbound,
    /// XDP: replies to the host itself.
    HostReply,
    /// XDP: nothing.
    Noop,
    /// XDP: one look-up of the destination.
    Lookup,
    /// XDP: the packet parsed, and no more.
    Parse,
    /// XDP: one look-up of the destination in the kernel's own trie (see [`Datapath::fill_trie`]).
    Trie,
    /// XDP: random addresses, then one of the others (see [`Shuffle`]).
    Shuffle,
}

/// Parameters of [`Program::Shuffle`]: they stand at the start of the payload of an untagged UDP
/// frame without IP options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shuffle {
    /// Bits of the source to replace: of an IPv4 address, or of the last 32 of an IPv6 address.
    /// In network byte order.
    pub source_mask: [u8; 4],
    /// Bits of the destination to replace: of an IPv4 address, or of bytes 2 to 5 of an IPv6
    /// address.
    pub destination_mask: [u8; 4],
    /// What runs afterwards: anything but `Reply` and `Shuffle`.
    pub then: Program,
}

impl Shuffle {
    /// The payload.
    #[must_use]
    pub fn payload(&self) -> [u8; 12] {
        let slot = PROBES.iter().position(|program| *program == self.then);
        let slot = slot
            .and_then(|slot| u32::try_from(slot).ok())
            .unwrap_or(u32::MAX);
        let mut payload = [0; 12];
        payload[0..4].copy_from_slice(&self.source_mask);
        payload[4..8].copy_from_slice(&self.destination_mask);
        payload[8..12].copy_from_slice(&slot.to_ne_bytes());
        payload
    }
}

/// Slots of the `PROBES` map.
const PROBES: [Program; 5] = [
    Program::Noop,
    Program::Outbound,
    Program::Lookup,
    Program::Parse,
    Program::Trie,
];

impl Program {
    /// Whether it runs by XDP; the others run by TCX.
    #[must_use]
    pub const fn is_xdp(self) -> bool {
        !matches!(self, Self::Reply | Self::ReplyL3 | Self::HostOutbound)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Outbound => name::PROGRAM_OUTBOUND,
            Self::Release => name::PROGRAM_RELEASE,
            Self::Reply => name::PROGRAM_REPLY,
            Self::OutboundL3 => name::PROGRAM_OUTBOUND_L3,
            Self::ReplyL3 => name::PROGRAM_REPLY_L3,
            Self::HostOutbound => name::PROGRAM_HOST_OUTBOUND,
            Self::HostReply => name::PROGRAM_HOST_REPLY,
            Self::Noop => name::PROGRAM_NOOP,
            Self::Lookup => name::PROGRAM_LOOKUP,
            Self::Parse => name::PROGRAM_PARSE,
            Self::Trie => name::PROGRAM_TRIE,
            Self::Shuffle => name::PROGRAM_SHUFFLE,
        }
    }
}

/// What came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunReport {
    /// `XDP_*`, `TCX_*` (as `u32`), or the program's own code.
    pub action: u32,
    /// The frame afterwards.
    pub frame: Vec<u8>,
    /// Mean time of one run.
    pub took: Duration,
}

impl Datapath {
    /// Loads a program for [`Datapath::run`]: only `Outbound`, `Reply` and `Noop` are loaded from
    /// the start. The shuffle's ways on are loaded with it.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn load_program(&mut self, program: Program) -> Result<(), DatapathError> {
        let name = program.name();
        if program.is_xdp() {
            self.xdp(name)?;
        } else {
            self.classifier(name)?;
        }
        if program == Program::Shuffle {
            self.fill_probes()?;
        }
        Ok(())
    }

    /// Gives the shuffle its ways on.
    fn fill_probes(&mut self) -> Result<(), DatapathError> {
        for (slot, program) in (0_u32..).zip(PROBES) {
            let name = program.name();
            let loaded = self.xdp(name)?;
            let fd = loaded.fd().and_then(|fd| Ok(fd.try_clone()?));
            let fd = fd.map_err(|source| DatapathError::Program {
                program: name,
                source: Box::new(source),
            })?;
            self.probes
                .set(slot, &fd, 0)
                .map_err(|error| DatapathError::map("fill", name::PROBES, error))?;
        }
        Ok(())
    }

    /// Fills the tries that the atlas is compared with; the longest prefix decides.
    ///
    /// # Errors
    /// When the kernel refuses an entry: there is room for [`TRIE_ENTRIES`] of each family.
    ///
    /// [`TRIE_ENTRIES`]: octroi_abi::probe::TRIE_ENTRIES
    pub fn fill_trie(
        &mut self,
        prefixes: impl IntoIterator<Item = (IpNet, u32)>,
    ) -> Result<(), DatapathError> {
        for (prefix, class) in prefixes {
            let length = u32::from(prefix.prefix_len());
            let (name, result) = match prefix.network() {
                IpAddr::V4(address) => {
                    let key = Key::new(length, address.octets());
                    (name::TRIE_V4, self.trie_v4.insert(&key, class, 0))
                }
                IpAddr::V6(address) => {
                    let key = Key::new(length, address.octets());
                    (name::TRIE_V6, self.trie_v6.insert(&key, class, 0))
                }
            };
            result.map_err(|error| DatapathError::map("fill", name, error))?;
        }
        Ok(())
    }

    /// Runs a program `repeat` times on one frame (Ethernet header first; at least 14 bytes, at
    /// most a page less some headroom).
    ///
    /// # Errors
    /// When the program is not loaded (see [`Datapath::load_program`]), or the kernel refuses the
    /// frame.
    pub fn run(
        &self,
        program: Program,
        frame: &[u8],
        repeat: u32,
    ) -> Result<RunReport, DatapathError> {
        let name = program.name();
        let missing = DatapathError::Object {
            what: "program",
            name,
        };
        let mut out = vec![0; OUT_BYTES];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            repeat,
            ..TestRunOptions::default()
        };
        let Some(loaded) = self.programs.program(name) else {
            return Err(missing);
        };
        let result = if program.is_xdp() {
            let loaded: &Xdp = loaded.try_into().map_err(|_| missing)?;
            loaded.test_run(options)
        } else {
            let loaded: &SchedClassifier = loaded.try_into().map_err(|_| missing)?;
            loaded.test_run(options)
        };
        let result = result.map_err(|source| DatapathError::Program {
            program: name,
            source: Box::new(source),
        })?;
        out.truncate(usize::try_from(result.data_size_out).unwrap_or(0));
        Ok(RunReport {
            action: result.return_value,
            frame: out,
            took: result.duration,
        })
    }
}
