//! The smallest XDP program, "pass everything", as an ELF object that `ip link` can load.
//!
//! A veth delivers what its peer sends back with `XDP_TX` only when it runs a program itself:
//! the sender's `veth_xdp_flush` (Linux 6.18, `drivers/net/veth.c`) wakes the receiver only then;
//! generic receive offload alone gives it the queue, but no wake-up. Real network cards need
//! nothing of the kind.

use std::path::Path;

use super::command;
use super::error::{LabError, Result};
use super::namespace::Namespace;

/// `r0 = 2 (XDP_PASS)`, `exit`: two instructions of eight bytes (RFC 9669 section 3).
const PROGRAM: [u8; 16] = [0xb7, 0, 0, 0, 2, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
const LICENCE: &[u8] = b"GPL\0";
const SYMBOL_NAMES: &[u8] = b"\0pass\0";
const SECTION_NAMES: &[u8] = b"\0xdp\0license\0.symtab\0.strtab\0.shstrtab\0";

/// Sizes and codes of ELF64 (System V ABI, "Object Files"); 247 is `EM_BPF`.
const HEADER_BYTES: u16 = 64;
const SECTION_BYTES: u16 = 64;
const SYMBOL_BYTES: u64 = 24;
const MACHINE_BPF: u16 = 247;
const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const WRITE_ALLOC: u64 = 3;
const ALLOC_EXECUTE: u64 = 6;

/// Has an interface pass everything through XDP.
///
/// # Errors
/// The object cannot be written, or `ip` cannot load it.
pub(super) fn attach(namespace: &Namespace, interface: &str, directory: &Path) -> Result<()> {
    let file = directory.join("pass.o");
    std::fs::write(&file, object()).map_err(LabError::io("write", file.display().to_string()))?;
    let mut ip = namespace.command("ip");
    ip.args(["link", "set", "dev", interface, "xdp", "object"])
        .arg(&file)
        .args(["section", "xdp"]);
    command::finish(&mut ip).map(drop)
}

struct Section {
    name: u32,
    kind: u32,
    flags: u64,
    link: u32,
    info: u32,
    entry_bytes: u64,
    content: Vec<u8>,
}

fn object() -> Vec<u8> {
    let plain = |name, kind, flags, content: &[u8]| Section {
        name: name_at(name),
        kind,
        flags,
        link: 0,
        info: 0,
        entry_bytes: 0,
        content: content.to_vec(),
    };
    let symbols = Section {
        link: 4,
        info: 1,
        entry_bytes: SYMBOL_BYTES,
        ..plain(".symtab", SYMTAB, 0, &symbols())
    };
    let sections = [
        plain("xdp", PROGBITS, ALLOC_EXECUTE, &PROGRAM),
        plain("license", PROGBITS, WRITE_ALLOC, LICENCE),
        symbols,
        plain(".strtab", STRTAB, 0, SYMBOL_NAMES),
        plain(".shstrtab", STRTAB, 0, SECTION_NAMES),
    ];
    let mut contents = Vec::new();
    // The first section header is all zeroes.
    let mut headers = vec![0; 64];
    for section in &sections {
        pad(&mut contents);
        let offset = u64::from(HEADER_BYTES) + contents.len() as u64;
        contents.extend_from_slice(&section.content);
        headers.extend(section.name.to_le_bytes());
        headers.extend(section.kind.to_le_bytes());
        headers.extend(section.flags.to_le_bytes());
        headers.extend(0_u64.to_le_bytes());
        headers.extend(offset.to_le_bytes());
        headers.extend((section.content.len() as u64).to_le_bytes());
        headers.extend(section.link.to_le_bytes());
        headers.extend(section.info.to_le_bytes());
        headers.extend(8_u64.to_le_bytes());
        headers.extend(section.entry_bytes.to_le_bytes());
    }
    pad(&mut contents);
    let mut file = header(u64::from(HEADER_BYTES) + contents.len() as u64);
    file.extend(contents);
    file.extend(headers);
    file
}

fn header(section_headers: u64) -> Vec<u8> {
    // 64 bits, little endian, version 1.
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header.extend(1_u16.to_le_bytes());
    header.extend(MACHINE_BPF.to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    header.extend([0; 16]);
    header.extend(section_headers.to_le_bytes());
    header.extend(0_u32.to_le_bytes());
    // Sizes of this header and of program headers, and no program header; then the section
    // headers, six of them, the last of which names the others.
    let sizes = [HEADER_BYTES, 0, 0, SECTION_BYTES, 6, 5];
    header.extend(sizes.into_iter().flat_map(u16::to_le_bytes));
    header
}

/// No symbol, then the function: global (1), a function (2), in the first section.
fn symbols() -> Vec<u8> {
    let mut symbols = vec![0; 24];
    symbols.extend(1_u32.to_le_bytes());
    symbols.extend([(1 << 4) | 2, 0]);
    symbols.extend(1_u16.to_le_bytes());
    symbols.extend(0_u64.to_le_bytes());
    symbols.extend((PROGRAM.len() as u64).to_le_bytes());
    symbols
}

fn name_at(name: &str) -> u32 {
    let sought = [b"\0", name.as_bytes(), b"\0"].concat();
    SECTION_NAMES
        .windows(sought.len())
        .position(|window| window == sought)
        .and_then(|position| u32::try_from(position + 1).ok())
        .unwrap_or(0)
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_by_name() {
        for name in ["xdp", "license", ".symtab", ".strtab", ".shstrtab"] {
            assert_ne!(name_at(name), 0, "{name}");
        }
        assert_eq!(name_at("xd"), 0);
    }

    #[test]
    fn the_object_is_as_long_as_its_header_says() {
        let object = object();
        let start = u64::from_le_bytes(object[40..48].try_into().unwrap());
        assert_eq!(object.len() as u64, start + 6 * u64::from(SECTION_BYTES));
        assert_eq!(&object[64..80], PROGRAM);
    }
}
