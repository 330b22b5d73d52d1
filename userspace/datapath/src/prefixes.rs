//! A trie of prefixes that holds both halves of a double buffer.

use std::collections::HashMap;

use aya::Pod;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{MapData, MapError};
use ipnet::IpNet;
use octroi_abi::control::{PREFIX_KEY_HEAD_BITS, PrefixKey};
use octroi_policy::tables::mapped;

use crate::error::DatapathError;
use crate::wire::bytes_of;

const KEY_BYTES: usize = size_of::<PrefixKey>();

type Data = [u8; KEY_BYTES];
/// Prefix length and key data to value.
type Content<V> = HashMap<(u32, Data), V>;

/// The `ZONES` or the `MARKS` trie.
pub(crate) struct Prefixes<V: Pod> {
    name: &'static str,
    trie: LpmTrie<MapData, Data, V>,
    /// What each half holds; `None` until it was read or written by this process.
    halves: [Option<Content<V>>; 2],
}

impl<V: Pod + PartialEq> Prefixes<V> {
    pub(crate) fn new(name: &'static str, trie: LpmTrie<MapData, Data, V>) -> Self {
        Self {
            name,
            trie,
            halves: [None, None],
        }
    }

    /// Makes one half hold exactly these prefixes. Only what differs is written: a policy that
    /// changes a little costs little.
    pub(crate) fn fill(&mut self, half: u8, prefixes: &[(IpNet, V)]) -> Result<(), DatapathError> {
        let wanted: Content<V> = prefixes
            .iter()
            .map(|&(prefix, value)| (key(half, prefix), value))
            .collect();
        // Unknown until this has succeeded: a failure in the middle is read back the next time.
        let present = match self.half_mut(half).take() {
            Some(present) => present,
            None => self.read(half)?,
        };
        for (&(length, data), _) in present.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
            match self.trie.remove(&Key::new(length, data)) {
                Ok(()) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(DatapathError::map("clear", self.name, error)),
            }
        }
        for (&(length, data), value) in &wanted {
            if present.get(&(length, data)) == Some(value) {
                continue;
            }
            self.trie
                .insert(&Key::new(length, data), value, 0)
                .map_err(|error| DatapathError::map("fill", self.name, error))?;
        }
        *self.half_mut(half) = Some(wanted);
        Ok(())
    }

    fn half_mut(&mut self, half: u8) -> &mut Option<Content<V>> {
        let [first, second] = &mut self.halves;
        if half == 0 { first } else { second }
    }

    /// Reads what an earlier process left in a half.
    fn read(&self, half: u8) -> Result<Content<V>, DatapathError> {
        let mut content = Content::new();
        for entry in &self.trie {
            let (key, value) =
                entry.map_err(|error| DatapathError::map("read", self.name, error))?;
            let (length, data) = (key.prefix_len(), key.data());
            if data.first() == Some(&half) {
                content.insert((length, data), value);
            }
        }
        Ok(content)
    }
}

fn key(half: u8, prefix: IpNet) -> (u32, Data) {
    let (address, length) = mapped(prefix);
    let key = PrefixKey {
        half,
        reserved: [0; 7],
        address: address.octets(),
    };
    let mut data = [0; KEY_BYTES];
    data.copy_from_slice(bytes_of(&key));
    (PREFIX_KEY_HEAD_BITS + u32::from(length), data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_begin_with_the_half_and_map_ipv4() {
        let (length, data) = key(1, "192.0.2.0/24".parse().unwrap());
        assert_eq!(length, 64 + 96 + 24);
        assert_eq!(data[..8], [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            data[8..],
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 0]
        );
        let (length, data) = key(0, "2001:db8::/32".parse().unwrap());
        assert_eq!(length, 64 + 32);
        assert_eq!(data[8..12], [0x20, 0x01, 0x0d, 0xb8]);
    }
}
