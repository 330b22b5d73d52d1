//! Who says it: the origin of a stream, and numbers that name events and flows.

use std::fmt;
use std::sync::Arc;

use octroi_abi::flow::FlowKey;
use serde::{Deserialize, Serialize};

/// The gateway and the run of the daemon that a stream comes from. With the sequence number of an
/// event it makes an id that is never used twice: `host/boot/sequence`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Origin {
    /// Name of the gateway.
    pub host: Arc<str>,
    /// One run of the daemon. A restart is another one, so that sequence numbers may start again.
    pub boot: Arc<str>,
}

impl Origin {
    /// An origin with given words. `/` is the separator of ids and becomes `-`.
    #[must_use]
    pub fn new(host: &str, boot: &str) -> Self {
        Self {
            host: host.replace('/', "-").into(),
            boot: boot.replace('/', "-").into(),
        }
    }

    /// This process: the machine's host name, and the time and process number of its start.
    #[must_use]
    pub fn of_this_process() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|name| name.trim().to_owned())
            .ok()
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "unnamed".to_owned());
        let start = jiff::Timestamp::now().as_millisecond();
        Self::new(&host, &format!("{start:x}-{:x}", std::process::id()))
    }

    /// The id of the event with this sequence number.
    #[must_use]
    pub fn id(&self, sequence: u64) -> String {
        format!("{self}/{sequence}")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.boot)
    }
}

/// Bits of a flow id: what a JSON number holds without loss everywhere (RFC 8259 section 6).
const FLOW_ID_BITS: u32 = 53;

/// The id of a flow: a stable, positive, 53-bit number of its key and its first packet, so that the
/// alert, the flow record and the dashboard speak of the same conversation, also after a restart.
#[must_use]
pub fn flow_id(key: &FlowKey, first_ns: u64) -> u64 {
    let mut hash = Fnv::default();
    hash.write(&key.inside);
    hash.write(&key.outside);
    hash.write(&key.inside_port.to_be_bytes());
    hash.write(&key.outside_port.to_be_bytes());
    hash.write(&[key.protocol, key.family]);
    hash.write(&first_ns.to_be_bytes());
    (hash.finish() >> (64 - FLOW_ID_BITS)).max(1)
}

/// FNV-1a, 64 bits, with the finalizer of `SplitMix64`: the same number on every machine and in
/// every version.
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    pub(crate) fn finish(&self) -> u64 {
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u16) -> FlowKey {
        FlowKey {
            inside: [1; 16],
            outside: [2; 16],
            inside_port: port,
            outside_port: 443,
            protocol: 6,
            family: 4,
            reserved: [0; 2],
        }
    }

    #[test]
    fn flow_ids_are_positive_exact_in_a_double_and_stable() {
        // The literal value pins the function: changing it breaks joins across upgrades.
        assert_eq!(flow_id(&key(50_000), 7), 8_681_166_535_718_800);
        for port in 0..2_000 {
            let id = flow_id(&key(port), 7);
            assert!(id > 0 && id < 1 << 53, "{id}");
        }
    }

    #[test]
    fn another_start_is_another_flow() {
        assert_ne!(flow_id(&key(1), 1), flow_id(&key(1), 2));
        assert_ne!(flow_id(&key(1), 1), flow_id(&key(2), 1));
    }

    #[test]
    fn the_separator_never_comes_from_a_host_name() {
        assert_eq!(Origin::new("a/b", "c/d").id(3), "a-b/c-d/3");
    }
}
