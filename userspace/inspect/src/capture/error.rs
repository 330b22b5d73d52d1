//! What can be wrong with a capture. Offsets are in bytes from the start of the file.

/// A capture that cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The reader failed.
    #[error("reading the capture failed at byte {offset}: {source}")]
    Read {
        /// Where.
        offset: u64,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Neither pcap nor pcapng.
    #[error(
        "not a packet capture: it begins with {}, and neither pcap nor pcapng does \
         (convert it, for example with `editcap -F pcapng`)", hex(.magic)
    )]
    NotACapture {
        /// First four bytes.
        magic: [u8; 4],
    },
    /// A pcap version other than 2.x.
    #[error("byte 4: pcap version {major}.{minor} is not known (2.4 is expected)")]
    Version {
        /// Major version in the header.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The file ends inside of something.
    #[error(
        "byte {offset}: the file ends inside {what}: {needed} bytes expected, {found} there \
         (the capture was cut short; packets before this point are intact)"
    )]
    CutShort {
        /// Where it began.
        offset: u64,
        /// What it is.
        what: &'static str,
        /// Bytes expected.
        needed: u64,
        /// Bytes there.
        found: u64,
    },
    /// A length beyond all bounds.
    #[error("byte {offset}: {what} claims {bytes} bytes, more than {limit} (the file is damaged)")]
    TooLong {
        /// Where.
        offset: u64,
        /// What.
        what: &'static str,
        /// Its claim.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// A header that contradicts itself.
    #[error("byte {offset}: {what} (the file is damaged)")]
    Malformed {
        /// Where.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("0x");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
