//! Frames of Initial packets: where the pieces of the hello are (RFC 9000 section 19).

use super::header::variable;
use super::version::Frames;
use crate::name::assembler::Refused;

const PADDING: u64 = 0x00;
const PING: u64 = 0x01;
const ACK: u64 = 0x02;
const ACK_ECN: u64 = 0x03;
const CRYPTO: u64 = 0x06;
const CLOSE: u64 = 0x1c;
/// The CRYPTO frame of Q050, T050 and T051.
const GOOGLE_CRYPTO: u64 = 0x08;

/// Why the walk ended before the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A frame that does not belong into an Initial packet, or is cut short.
    Malformed,
    /// A piece was refused.
    Refused(Refused),
}

/// Calls `piece` with each CRYPTO frame's offset and bytes.
pub(super) fn each_crypto(
    plain: &[u8],
    style: Frames,
    mut piece: impl FnMut(usize, &[u8]) -> Result<(), Refused>,
) -> Result<(), Stop> {
    let mut at = 0;
    while at < plain.len() {
        let kind = variable(plain, &mut at).ok_or(Stop::Malformed)?;
        match (kind, style) {
            (PADDING | PING, _) => {}
            (CRYPTO, Frames::Ietf) | (GOOGLE_CRYPTO, Frames::Google) => {
                let (offset, bytes) = crypto(plain, &mut at).ok_or(Stop::Malformed)?;
                piece(offset, bytes).map_err(Stop::Refused)?;
            }
            (ACK | ACK_ECN, Frames::Ietf) => {
                skip_ack(plain, &mut at, kind == ACK_ECN).ok_or(Stop::Malformed)?;
            }
            (CLOSE, Frames::Ietf) => return Ok(()),
            _ => return Err(Stop::Malformed),
        }
    }
    Ok(())
}

fn crypto<'a>(plain: &'a [u8], at: &mut usize) -> Option<(usize, &'a [u8])> {
    let offset = usize::try_from(variable(plain, at)?).ok()?;
    let length = usize::try_from(variable(plain, at)?).ok()?;
    let end = at.checked_add(length)?;
    let bytes = plain.get(*at..end)?;
    *at = end;
    Some((offset, bytes))
}

fn skip_ack(plain: &[u8], at: &mut usize, ecn: bool) -> Option<()> {
    variable(plain, at)?;
    variable(plain, at)?;
    let ranges = variable(plain, at)?;
    variable(plain, at)?;
    // Each range is at least two bytes long: the packet bounds the walk.
    for _ in 0..ranges.checked_mul(2)? {
        variable(plain, at)?;
    }
    if ecn {
        for _ in 0..3 {
            variable(plain, at)?;
        }
    }
    Some(())
}
