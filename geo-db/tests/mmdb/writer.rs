//! A small MMDB writer: enough of the format (version 2.0) to make fixtures of every schema.

use std::collections::HashMap;

use ipnet::IpNet;

/// A value of the data section.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    /// UTF-8 text.
    Text(&'static str),
    /// A number of 32 bits.
    Number(u32),
    /// A number of 16 bits.
    Short(u16),
    /// A number of 64 bits.
    Long(u64),
    /// True or false.
    Flag(bool),
    /// Bytes as they are, to do harm with.
    Raw(&'static [u8]),
    /// Named fields.
    Map(Vec<(&'static str, Field)>),
}

/// The bytes of a database that says `value` of each network. Networks must not overlap.
pub(crate) fn write(
    database_type: &'static str,
    version: u16,
    records: &[(&str, Field)],
) -> Vec<u8> {
    let bits = if version == 6 { 128 } else { 32 };
    let mut data = Vec::new();
    let mut offsets: HashMap<Field, u32> = HashMap::new();
    // Each node has two records: a child's number plus one, or (negative) minus one minus an
    // offset into the data section; 0 is nothing.
    let mut nodes: Vec<[i64; 2]> = vec![[0, 0]];
    for (network, value) in records {
        let network: IpNet = network.parse().expect("a network");
        let (address, length) = match network {
            IpNet::V4(net) if version == 6 => (
                u128::from(u32::from(net.network())),
                96 + u32::from(net.prefix_len()),
            ),
            IpNet::V4(net) => (
                u128::from(u32::from(net.network())) << 96,
                u32::from(net.prefix_len()),
            ),
            IpNet::V6(net) => (net.network().into(), u32::from(net.prefix_len())),
        };
        assert!(length <= bits && length > 0);
        let offset = *offsets.entry(value.clone()).or_insert_with(|| {
            let offset = u32::try_from(data.len()).expect("small");
            encode(value, &mut data);
            offset
        });
        let mut at = 0;
        for depth in 0..length {
            let bit = usize::from((address >> (127 - depth)) & 1 == 1);
            if depth + 1 == length {
                nodes[at][bit] = -1 - i64::from(offset);
            } else if nodes[at][bit] > 0 {
                at = usize::try_from(nodes[at][bit] - 1).expect("a child");
            } else {
                nodes.push([0, 0]);
                nodes[at][bit] = i64::try_from(nodes.len()).expect("small");
                at = nodes.len() - 1;
            }
        }
    }
    let count = u32::try_from(nodes.len()).expect("small");
    let mut out = Vec::new();
    for record in nodes.iter().flatten() {
        let value = match *record {
            0 => count,
            child if child > 0 => u32::try_from(child - 1).expect("small"),
            data => count + 16 + u32::try_from(-1 - data).expect("small"),
        };
        out.extend_from_slice(&value.to_be_bytes()[1..]);
    }
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&data);
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = Field::Map(vec![
        ("binary_format_major_version", Field::Short(2)),
        ("binary_format_minor_version", Field::Short(0)),
        ("build_epoch", Field::Long(1_780_272_000)),
        ("database_type", Field::Text(database_type)),
        ("description", Field::Map(Vec::new())),
        ("ip_version", Field::Short(version)),
        ("languages", Field::Map(Vec::new())),
        ("node_count", Field::Number(count)),
        ("record_size", Field::Short(24)),
    ]);
    encode(&metadata, &mut out);
    out
}

fn encode(value: &Field, out: &mut Vec<u8>) {
    match value {
        Field::Text(text) => {
            control(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Field::Number(number) => {
            control(6, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Field::Short(number) => {
            control(5, 2, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Field::Long(number) => {
            // An extended type: 7 + 2.
            out.extend_from_slice(&[8, 2]);
            out.extend_from_slice(&number.to_be_bytes());
        }
        // An extended type: 7 + 7, its size is its value.
        Field::Flag(flag) => out.extend_from_slice(&[u8::from(*flag), 7]),
        Field::Raw(bytes) => out.extend_from_slice(bytes),
        Field::Map(fields) => {
            control(7, fields.len(), out);
            for (name, field) in fields {
                encode(&Field::Text(name), out);
                // The one array of the metadata: languages.
                if *name == "languages" {
                    out.extend_from_slice(&[0x00, 0x04]);
                } else {
                    encode(field, out);
                }
            }
        }
    }
}

fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    if size < 0x1d {
        out.push((kind << 5) | u8::try_from(size).expect("small"));
    } else {
        out.push((kind << 5) | 0x1d);
        out.push(u8::try_from(size - 0x1d).expect("below 285"));
    }
}
