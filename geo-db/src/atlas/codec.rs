//! Columns of an atlas file: numbers as variable-length integers, range starts as differences.
//!
//! The bytes are made to compress well and to decode fast; see `docs/atlas.md` for the format.

use std::fmt::Display;

use super::prefix::PrefixSet;
use super::range::{Address, Partition};

/// Appends to a buffer.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    /// LEB128: seven bits a byte, low bits first, the top bit says that more follow.
    pub(crate) fn number(&mut self, value: impl Into<u128>) {
        let mut value: u128 = value.into();
        while value >= 0x80 {
            self.bytes.push(low_byte(value) | 0x80);
            value >>= 7;
        }
        self.bytes.push(low_byte(value));
    }

    pub(crate) fn length(&mut self, value: usize) {
        self.number(value as u64);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn column<T: Copy + Into<u128>>(&mut self, values: &[T]) {
        self.length(values.len());
        for value in values {
            self.number(*value);
        }
    }

    /// Addresses that never descend: of each difference first the trailing zeros (they are
    /// prefix lengths and compress to almost nothing), then the rest.
    pub(crate) fn addresses<A: Address>(&mut self, addresses: impl Iterator<Item = A> + Clone) {
        self.length(addresses.clone().count());
        let mut previous = 0;
        let differences = addresses.map(move |address| {
            let value = address.to_u128();
            let difference = value - previous;
            previous = value;
            (difference, difference.trailing_zeros().min(127))
        });
        for (_, zeros) in differences.clone() {
            self.bytes.push(low_byte(u128::from(zeros)));
        }
        for (difference, zeros) in differences {
            self.number(difference >> zeros);
        }
    }

    pub(crate) fn partition<A: Address, V>(&mut self, partition: &Partition<A, V>)
    where
        V: Copy + Eq + Default + Into<u128>,
    {
        self.addresses(partition.starts().iter().copied());
        self.column(partition.values());
    }

    pub(crate) fn prefixes<A: Address, T>(&mut self, set: &PrefixSet<A, T>) {
        self.addresses(set.entries().iter().map(|entry| entry.first));
        self.length(set.entries().len());
        for entry in set.entries() {
            self.bytes.push(entry.bits);
        }
    }
}

fn low_byte(value: u128) -> u8 {
    (value & 0xff) as u8
}

/// Takes from a buffer. Errors say what was being read.
pub(crate) struct Cutter<'a> {
    bytes: &'a [u8],
}

impl<'a> Cutter<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), String> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err("there is more than was announced".to_owned())
        }
    }

    fn byte(&mut self) -> Result<u8, String> {
        let (first, rest) = self.bytes.split_first().ok_or("it ends early")?;
        self.bytes = rest;
        Ok(*first)
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (head, tail) = self.bytes.split_at_checked(length).ok_or_else(|| {
            format!(
                "{length} bytes are announced, {} are left",
                self.bytes.len()
            )
        })?;
        self.bytes = tail;
        Ok(head)
    }

    #[inline]
    fn number_u64(&mut self) -> Result<u64, String> {
        // Nearly all numbers are one or two bytes.
        match *self.bytes {
            [first @ 0..=0x7f, ref rest @ ..] => {
                self.bytes = rest;
                Ok(u64::from(first))
            }
            [first, second @ 0..=0x7f, ref rest @ ..] => {
                self.bytes = rest;
                Ok(u64::from(first & 0x7f) | (u64::from(second) << 7))
            }
            _ => {
                let wide = self.long_number()?;
                u64::try_from(wide).map_err(|_| "a number is too large".to_owned())
            }
        }
    }

    #[inline]
    fn number_u128(&mut self) -> Result<u128, String> {
        if let [first @ 0..=0x7f, rest @ ..] = self.bytes {
            self.bytes = rest;
            return Ok(u128::from(*first));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<u128, String> {
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number does not end".to_owned())
    }

    pub(crate) fn length(&mut self) -> Result<usize, String> {
        usize::try_from(self.number_u64()?).map_err(|_| "a length is too large".to_owned())
    }

    /// A length of things that take at least one byte each.
    fn count(&mut self) -> Result<usize, String> {
        let count = self.length()?;
        if count > self.bytes.len() {
            return Err(format!(
                "{count} entries are announced, {} bytes are left",
                self.bytes.len()
            ));
        }
        Ok(count)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], String> {
        let length = self.length()?;
        self.take(length)
    }

    pub(crate) fn column<T: TryFrom<u64>>(&mut self) -> Result<Vec<T>, String> {
        let count = self.count()?;
        let mut out = Vec::with_capacity(count);
        for _ in 0..count {
            let value = self.number_u64()?;
            out.push(T::try_from(value).map_err(|_| format!("{value} does not fit its column"))?);
        }
        Ok(out)
    }

    /// A number below `count`.
    pub(crate) fn below<T: TryFrom<u64>>(&mut self, count: usize, what: &str) -> Result<T, String> {
        let value = self.number_u64()?;
        T::try_from(value)
            .ok()
            .filter(|_| value < count as u64)
            .ok_or_else(|| format!("{what} {value} is named, there are {count}"))
    }

    /// A column of numbers below `count`.
    pub(crate) fn column_below<T: TryFrom<u64> + Copy + Into<u64>>(
        &mut self,
        count: usize,
        what: &str,
    ) -> Result<Vec<T>, String> {
        let column = self.column::<T>()?;
        match column.iter().map(|value| (*value).into()).max() {
            Some(found) if found >= count as u64 => {
                Err(format!("{what} {found} is named, there are {count}"))
            }
            _ => Ok(column),
        }
    }

    pub(crate) fn addresses<A: Address>(&mut self) -> Result<Vec<A>, String> {
        let count = self.count()?;
        let zeros = self.take(count)?;
        let mut out = Vec::with_capacity(count);
        let mut value = 0_u128;
        for zeros in zeros {
            let odd = self.number_u128()?;
            let shift = u32::from(*zeros);
            let difference = odd
                .checked_shl(shift)
                .filter(|difference| difference >> shift == odd)
                .ok_or("a difference of addresses is too large")?;
            value = value
                .checked_add(difference)
                .ok_or("an address is too large")?;
            out.push(A::from_u128(value).ok_or("an address is not of its family")?);
        }
        Ok(out)
    }

    pub(crate) fn partition<A, V>(&mut self) -> Result<Partition<A, V>, String>
    where
        A: Address,
        V: Copy + Eq + Default + TryFrom<u64>,
    {
        let starts = self.addresses()?;
        let values = self.column()?;
        Partition::from_columns(starts, values).ok_or_else(|| "a table is not in order".to_owned())
    }

    pub(crate) fn prefixes<A: Address>(&mut self) -> Result<Vec<(A, u8)>, String> {
        let firsts: Vec<A> = self.addresses()?;
        let count = self.length()?;
        let bits = self.take(count)?;
        if firsts.len() != bits.len() {
            return Err("a list of prefixes has columns of different lengths".to_owned());
        }
        if let Some(wide) = bits.iter().find(|bits| u32::from(**bits) > A::BITS) {
            return Err(format!("a prefix has {wide} bits"));
        }
        Ok(firsts.into_iter().zip(bits.iter().copied()).collect())
    }
}

/// Checks that every value of a column is at most `highest`.
pub(crate) fn within<T: Copy + Into<u64>>(
    values: &[T],
    highest: usize,
    what: impl Display,
) -> Result<(), String> {
    match values.iter().map(|value| (*value).into()).max() {
        Some(found) if found > highest as u64 => {
            Err(format!("{what} {found} is named, there are {highest}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::range::Range;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            numbers in proptest::collection::vec(any::<u32>(), 0..50),
            ranges in proptest::collection::vec((any::<u128>(), any::<u128>(), any::<u16>()), 0..20),
        ) {
            let ranges = ranges
                .into_iter()
                .map(|(a, b, value)| Range { first: a.min(b), last: a.max(b), value })
                .collect();
            let partition = Partition::from_ranges(ranges);
            let mut writer = Writer::default();
            writer.column(&numbers);
            writer.partition(&partition);
            let mut cutter = Cutter::new(&writer.bytes);
            prop_assert_eq!(cutter.column::<u32>(), Ok(numbers));
            prop_assert_eq!(cutter.partition::<u128, u16>(), Ok(partition));
            prop_assert_eq!(cutter.end(), Ok(()));
            for end in 0..writer.bytes.len() {
                let mut cutter = Cutter::new(&writer.bytes[..end]);
                prop_assert!(
                    cutter.column::<u32>().is_err() || cutter.partition::<u128, u16>().is_err()
                );
            }
        }

        #[test]
        fn garbage_is_an_error_or_a_value_but_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Cutter::new(&bytes).partition::<u32, u16>();
            let _ = Cutter::new(&bytes).prefixes::<u128>();
            let _ = Cutter::new(&bytes).column::<u32>();
        }
    }
}
