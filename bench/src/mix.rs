//! The capture that analyzers are compared on: the captures of a folder, again and again at other
//! times and from other inside addresses, until there are enough packets.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Packets of a whole mix.
pub const PACKETS: u64 = 634_000;
const ETHERNET: u32 = 1;
const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const HEAD_BYTES: usize = 24;
const RECORD_BYTES: usize = 16;
/// One round of all captures lasts at most so long.
const ROUND_US: u64 = 60_000_000;
const BEGIN_US: u64 = 1_700_000_000_000_000;

struct Packet {
    /// Since the first packet of its capture.
    offset_us: u64,
    wire_bytes: u32,
    data: Vec<u8>,
}

/// Writes a mix of at least `packets` packets.
///
/// # Errors
/// When the folder has no Ethernet captures that `editcap` reads, or the file cannot be written.
pub fn write(folder: &Path, packets: u64, path: &Path) -> Result<()> {
    let found = read_all(folder)?;
    if found.is_empty() {
        bail!(
            "{} has no Ethernet captures that editcap reads (is the package tshark installed?)",
            folder.display()
        );
    }
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let words = [MAGIC_MICROSECONDS, 0x0004_0002, 0, 0, 262_144, ETHERNET];
    for word in words {
        out.write_all(&word.to_le_bytes())?;
    }
    let mut written = 0;
    for round in 0_u64.. {
        for packet in &found {
            if written >= packets {
                out.flush()?;
                return Ok(());
            }
            written += 1;
            let at = BEGIN_US + round * ROUND_US + packet.offset_us;
            let length = u32::try_from(packet.data.len()).unwrap_or(0);
            let (seconds, rest) = (at / 1_000_000, at % 1_000_000);
            for word in [
                u32::try_from(seconds).unwrap_or(0),
                u32::try_from(rest).unwrap_or(0),
                length,
                packet.wire_bytes,
            ] {
                out.write_all(&word.to_le_bytes())?;
            }
            out.write_all(&moved(&packet.data, round))?;
        }
    }
    Ok(())
}

/// Packets of all captures, in the order of their times.
fn read_all(folder: &Path) -> Result<Vec<Packet>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    let mut packets: Vec<Packet> = Vec::new();
    for path in paths {
        // What editcap cannot write as classic pcap is left out.
        let converted = Command::new("editcap")
            .args(["-F", "pcap"])
            .arg(&path)
            .arg("-")
            .stderr(Stdio::null())
            .output()
            .context("cannot run editcap (package tshark or wireshark-common)")?;
        packets.extend(records(&converted.stdout));
    }
    packets.sort_by_key(|packet| packet.offset_us);
    Ok(packets)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_le_bytes)
}

/// The records of a classic little-endian Ethernet capture; of any other none.
fn records(file: &[u8]) -> Vec<Packet> {
    let mut packets = Vec::new();
    if word(file, 0) != MAGIC_MICROSECONDS || word(file, 20) != ETHERNET {
        return packets;
    }
    let mut rest = file.get(HEAD_BYTES..).unwrap_or(&[]);
    let mut first = None;
    while let Some(head) = rest.get(..RECORD_BYTES) {
        let at = u64::from(word(head, 0)) * 1_000_000 + u64::from(word(head, 4));
        let length = word(head, 8) as usize;
        let Some(data) = rest.get(RECORD_BYTES..RECORD_BYTES + length) else {
            break;
        };
        let first = *first.get_or_insert(at);
        packets.push(Packet {
            offset_us: at.saturating_sub(first).min(ROUND_US - 1),
            wire_bytes: word(head, 12),
            data: data.to_vec(),
        });
        rest = &rest[RECORD_BYTES + length..];
    }
    packets
}

/// The packet of another round: private IPv4 addresses move by one network each time.
fn moved(data: &[u8], round: u64) -> Vec<u8> {
    let mut data = data.to_vec();
    let is_ipv4 = data.get(12..14) == Some(&[8, 0]);
    for at in [26, 30] {
        if let Some(address) = data.get_mut(at..at + 4).filter(|_| is_ipv4)
            && is_private(address)
        {
            address[2] = address[2].wrapping_add(u8::try_from(round % 256).unwrap_or(0));
        }
    }
    data
}

fn is_private(address: &[u8]) -> bool {
    matches!(address, [10, ..] | [192, 168, ..] | [172, 16..=31, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_inside_addresses_move() {
        let mut frame = vec![0; 34];
        frame[12] = 8;
        frame[26..30].copy_from_slice(&[10, 1, 2, 3]);
        frame[30..34].copy_from_slice(&[9, 9, 9, 9]);
        let moved = moved(&frame, 5);
        assert_eq!(moved[26..30], [10, 1, 7, 3]);
        assert_eq!(moved[30..34], [9, 9, 9, 9]);
        assert_eq!(super::moved(&[1, 2], 5), [1, 2]);
    }

    #[test]
    fn a_capture_that_is_cut_gives_its_whole_packets() {
        let mut file = Vec::new();
        for word in [MAGIC_MICROSECONDS, 0x0004_0002, 0, 0, 262_144, ETHERNET] {
            file.extend(word.to_le_bytes());
        }
        for seconds in [7_u32, 9] {
            for word in [seconds, 0, 3, 60] {
                file.extend(word.to_le_bytes());
            }
            file.extend([1, 2, 3]);
        }
        let all = records(&file);
        assert_eq!(all.len(), 2);
        assert_eq!(all[1].offset_us, 2_000_000);
        assert_eq!(records(&file[..file.len() - 1]).len(), 1);
        assert!(records(&file[..30]).is_empty());
        assert!(records(b"something else").is_empty());
    }
}
