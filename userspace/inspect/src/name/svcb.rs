//! HTTPS and SVCB records (RFC 9460), and the keys of encrypted hellos in them (RFC 9848,
//! RFC 9849).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::dns;
use super::hostname::hostname;

/// Most address hints read of one record.
const MAX_HINTS: usize = 32;
/// Most ECH configurations read of one record.
const MAX_CONFIGS: usize = 8;

const PARAMETER_IPV4_HINT: u16 = 4;
const PARAMETER_ECH: u16 = 5;
const PARAMETER_IPV6_HINT: u16 = 6;
/// The version of `ECHConfig` that RFC 9849 defines.
const ECH_VERSION: u16 = 0xfe0d;

/// What an HTTPS or SVCB record says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServiceRecord {
    /// 0: an alias of the target.
    pub priority: u16,
    /// The host that provides the service; `None`: the owner of the record itself.
    pub target: Option<String>,
    /// Addresses of the target.
    pub hints: Vec<IpAddr>,
    /// Keys for encrypted hellos.
    pub ech: Vec<EchConfig>,
}

/// Of an ECH configuration, what a hello shows when it uses it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EchConfig {
    /// The configuration's identifier.
    pub id: u8,
    /// The server name in the outer hello.
    pub public_name: String,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn behind_u16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }
}

/// Reads the data of a record: `message[at..end]`. `None`: it is malformed and says nothing.
pub(super) fn read(message: &[u8], at: usize, end: usize) -> Option<ServiceRecord> {
    let message = message.get(..end)?;
    let priority = message.get(at..at + 2)?;
    let mut record = ServiceRecord {
        priority: u16::from_be_bytes([priority[0], priority[1]]),
        ..ServiceRecord::default()
    };
    let mut at = at + 2;
    let target = dns::name(message, &mut at).ok()?;
    record.target = match target.as_deref() {
        Some("") => None,
        Some(name) => Some(hostname(name.as_bytes())?),
        None => return None,
    };
    let mut parameters = Reader(message.get(at..)?);
    let mut last = None;
    while !parameters.0.is_empty() {
        let key = parameters.u16()?;
        // They stand in strictly increasing order (RFC 9460 section 2.2).
        if last.is_some_and(|last| last >= key) {
            return None;
        }
        last = Some(key);
        let value = parameters.behind_u16()?;
        match key {
            PARAMETER_IPV4_HINT => hints::<4>(value, &mut record.hints, |octets| {
                IpAddr::V4(Ipv4Addr::from(octets))
            })?,
            PARAMETER_IPV6_HINT => hints::<16>(value, &mut record.hints, |octets| {
                IpAddr::V6(Ipv6Addr::from(octets))
            })?,
            PARAMETER_ECH => record.ech = configs(value)?,
            _ => {}
        }
    }
    Some(record)
}

fn hints<const N: usize>(
    value: &[u8],
    out: &mut Vec<IpAddr>,
    address: fn([u8; N]) -> IpAddr,
) -> Option<()> {
    let (chunks, rest) = value.as_chunks::<N>();
    if chunks.is_empty() || !rest.is_empty() {
        return None;
    }
    let room = MAX_HINTS.saturating_sub(out.len());
    out.extend(chunks.iter().take(room).map(|octets| address(*octets)));
    Some(())
}

/// An `ECHConfigList` (RFC 9849 section 4). Configurations of other versions are left out.
fn configs(value: &[u8]) -> Option<Vec<EchConfig>> {
    let mut outer = Reader(value);
    let mut list = Reader(outer.behind_u16()?);
    if !outer.0.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    while !list.0.is_empty() {
        let version = list.u16()?;
        let mut contents = Reader(list.behind_u16()?);
        if version != ECH_VERSION || out.len() >= MAX_CONFIGS {
            continue;
        }
        let id = contents.u8()?;
        contents.u16()?;
        contents.behind_u16()?;
        contents.behind_u16()?;
        contents.u8()?;
        let length = contents.u8()?;
        let public_name = hostname(contents.take(usize::from(length))?)?;
        contents.behind_u16()?;
        out.push(EchConfig { id, public_name });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{dns_name, ech_config_list};
    use proptest::prelude::*;

    fn record(priority: u16, target: &str, parameters: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut out = priority.to_be_bytes().to_vec();
        out.extend(dns_name(target));
        for (key, value) in parameters {
            out.extend(key.to_be_bytes());
            out.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            out.extend(value);
        }
        out
    }

    fn read_all(bytes: &[u8]) -> Option<ServiceRecord> {
        read(bytes, 0, bytes.len())
    }

    /// RFC 9460 appendix D.2, figures 3, 7 (one parameter of it) and 8.
    #[test]
    fn published_records() {
        let alias = [&[0, 0][..], &dns_name("foo.example.com")].concat();
        let read = read_all(&alias).unwrap();
        assert_eq!(
            (read.priority, read.target.as_deref()),
            (0, Some("foo.example.com"))
        );
        let itself = read_all(&[0, 1, 0]).unwrap();
        assert_eq!((itself.priority, itself.target), (1, None));
        let ipv6: [u8; 32] = [
            0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x20, 0x01, 0x0d, 0xb8, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0x53, 0, 1,
        ];
        let read = read_all(&record(1, "foo.example.com", &[(6, ipv6.to_vec())])).unwrap();
        let expected: [IpAddr; 2] = [
            "2001:db8::1".parse().unwrap(),
            "2001:db8::53:1".parse().unwrap(),
        ];
        assert_eq!(read.hints, expected);
    }

    #[test]
    fn hints_and_keys() {
        let list = ech_config_list(&[(7, "public.example"), (9, "other.example")]);
        let bytes = record(
            1,
            "",
            &[(1, b"\x02h2".to_vec()), (4, vec![192, 0, 2, 1]), (5, list)],
        );
        let read = read_all(&bytes).unwrap();
        assert_eq!(read.hints, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        let ids: Vec<u8> = read.ech.iter().map(|config| config.id).collect();
        assert_eq!(ids, [7, 9]);
        assert_eq!(read.ech[0].public_name, "public.example");
        for length in 0..bytes.len() {
            // A whole parameter fewer is a record too; keys that are cut are none.
            if let Some(read) = read_all(&bytes[..length]) {
                assert!(read.ech.is_empty());
            }
        }
    }

    #[test]
    fn what_is_malformed_says_nothing() {
        let cases = [
            record(1, "", &[(4, vec![1, 2, 3])]),
            record(1, "", &[(4, vec![])]),
            record(1, "", &[(6, vec![0; 16]), (4, vec![0; 4])]),
            record(1, "", &[(4, vec![0; 4]), (4, vec![0; 4])]),
            record(1, "", &[(5, vec![0, 9, 1])]),
            record(1, "", &[(5, ech_config_list(&[(1, "no host")]))]),
        ];
        for bytes in cases {
            assert_eq!(read_all(&bytes), None, "{bytes:?}");
        }
        let mut other = ech_config_list(&[(1, "public.example")]);
        other[2] = 0xfd;
        let read = read_all(&record(1, "", &[(5, other)])).unwrap();
        assert!(read.ech.is_empty(), "another version");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0_usize..120) {
            if let Some(record) = read(&bytes, at, bytes.len()) {
                prop_assert!(record.hints.len() <= MAX_HINTS && record.ech.len() <= MAX_CONFIGS);
            }
        }
    }
}
