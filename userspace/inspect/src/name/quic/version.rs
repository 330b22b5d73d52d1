//! QUIC versions whose Initial keys are known, and what differs between them.

/// How the keys of Initial packets are derived.
pub(super) struct Scheme {
    pub(super) salt: [u8; 20],
    pub(super) key_label: &'static [u8],
    pub(super) iv_label: &'static [u8],
    pub(super) header_label: &'static [u8],
}

/// How frames are coded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Frames {
    /// RFC 9000 section 19.
    Ietf,
    /// Google's Q050, T050 and T051.
    Google,
}

/// What is needed to read the Initial packets of a version.
pub(super) struct Version {
    pub(super) schemes: &'static [&'static Scheme],
    /// The two type bits of an Initial packet.
    pub(super) initial_type: u8,
    pub(super) frames: Frames,
}

const fn scheme(salt: [u8; 20]) -> Scheme {
    Scheme {
        salt,
        key_label: b"quic key",
        iv_label: b"quic iv",
        header_label: b"quic hp",
    }
}

/// RFC 9001 section 5.2; drafts 33 and 34.
const V1: Scheme = scheme([
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
]);
/// RFC 9369 section 3.3.1.
const V2: Scheme = Scheme {
    salt: [
        0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d,
        0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
    ],
    key_label: b"quicv2 key",
    iv_label: b"quicv2 iv",
    header_label: b"quicv2 hp",
};
/// draft-ietf-quic-tls-29 section 5.2, up to draft 32.
const DRAFT_29: Scheme = scheme([
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0,
    0x43, 0x90, 0xa8, 0x99,
]);
/// draft-ietf-quic-tls-23 section 5.2, up to draft 28.
const DRAFT_23: Scheme = scheme([
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65,
    0xbe, 0xf9, 0xf5, 0x02,
]);
/// draft-ietf-quic-tls-22 section 5.2.
const DRAFT_22: Scheme = scheme([
    0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd,
    0x7a, 0x02, 0x64, 0x4a,
]);
const Q050: Scheme = scheme([
    0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94, 0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0,
    0xd3, 0xb5, 0x6b, 0x45,
]);
const T050: Scheme = scheme([
    0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c,
    0x60, 0x48, 0x83, 0x10,
]);
const T051: Scheme = scheme([
    0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc,
    0xda, 0x6e, 0x03, 0x3d,
]);

/// What is known of a version.
pub(super) fn version(number: u32) -> Option<Version> {
    let (schemes, initial_type, frames): (&'static [&'static Scheme], u8, Frames) = match number {
        1 | 0xff00_0021 | 0xff00_0022 => (&[&V1], 0, Frames::Ietf),
        0x6b33_43cf => (&[&V2], 1, Frames::Ietf),
        // Facebook's mvfst numbers its drafts 22, 27 and 29.
        0xff00_0016 | 0xface_b001 => (&[&DRAFT_22], 0, Frames::Ietf),
        0xff00_0017..=0xff00_001c | 0xface_b002 | 0xface_b00e => (&[&DRAFT_23], 0, Frames::Ietf),
        0xff00_001d..=0xff00_0020 | 0xface_b003 => (&[&DRAFT_29], 0, Frames::Ietf),
        0x5130_3530 => (&[&Q050], 0, Frames::Google),
        0x5430_3530 => (&[&T050], 0, Frames::Google),
        0x5430_3531 => (&[&T051], 0, Frames::Google),
        // Reserved to force version negotiation (RFC 9000 section 15): clients protect such
        // packets as they do those of the version they know.
        grease if grease & 0x0f0f_0f0f == 0x0a0a_0a0a => (&[&V1, &DRAFT_29], 0, Frames::Ietf),
        _ => return None,
    };
    Some(Version {
        schemes,
        initial_type,
        frames,
    })
}
