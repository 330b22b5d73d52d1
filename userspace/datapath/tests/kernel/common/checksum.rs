//! Internet checksums (RFC 1071), computed the plain way: an independent check of what the kernel
//! programs write.

/// The one's complement sum of 16-bit big-endian words.
pub fn sum(bytes: &[u8]) -> u16 {
    let mut total = 0_u32;
    for pair in bytes.chunks(2) {
        total += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    u16::try_from(total).unwrap()
}

/// Whether bytes that hold their own checksum are sound.
pub fn holds(bytes: &[u8]) -> bool {
    sum(bytes) == 0xffff
}

/// The checksum to write into bytes whose checksum field is zero.
pub fn of(bytes: &[u8]) -> u16 {
    !sum(bytes)
}

/// Whether a transport segment with its pseudo-header is sound. `ip`: the IP header, 20 or 40
/// bytes.
pub fn transport_holds(ip: &[u8], protocol: u8, segment: &[u8]) -> bool {
    holds(&with_pseudo_header(ip, protocol, segment))
}

/// Writes the checksum of a TCP segment.
pub fn seal_tcp(ip: &[u8], segment: &mut [u8]) {
    segment[16..18].fill(0);
    let checksum = of(&with_pseudo_header(ip, 6, segment));
    segment[16..18].copy_from_slice(&checksum.to_be_bytes());
}

fn with_pseudo_header(ip: &[u8], protocol: u8, segment: &[u8]) -> Vec<u8> {
    let mut bytes = match ip[0] >> 4 {
        4 => ip[12..20].to_vec(),
        _ => ip[8..40].to_vec(),
    };
    bytes.extend_from_slice(&u32::try_from(segment.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, protocol]);
    bytes.extend_from_slice(segment);
    bytes
}
