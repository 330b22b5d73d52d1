//! Shapes of `octroi-abi` as plain bytes, for aya's maps.

#![expect(
    unsafe_code,
    reason = "aya asks for a promise that a type is plain bytes; octroi-abi keeps it: repr(C), no \
              padding, every bit pattern valid"
)]

use aya::Pod;
use octroi_abi::control::{Control, PrefixKey};
use octroi_abi::event::{FlowEvent, HeldHeader, SampleHeader};
use octroi_abi::flow::FlowKey;
use octroi_abi::fragment::{FragmentKey, FragmentState};
use octroi_abi::rules::{RuleEntry, RuleSet};
use octroi_abi::table::Account;
use octroi_abi::transition::Marks;

use crate::previous;
use crate::release::XdpContext;

/// A shape that is plain bytes.
#[derive(Clone, Copy, PartialEq)]
#[repr(transparent)]
pub(crate) struct Wire<T>(pub(crate) T);

/// Types of integers only, without padding.
///
/// # Safety
/// Every bit pattern is a value, and no byte is padding.
pub(crate) unsafe trait Plain: Copy + 'static {}

macro_rules! plain {
    ($($name:ty: $bytes:literal),+ $(,)?) => {
        $(
            // SAFETY: repr(C) of integers and arrays of them; the sum of its fields is its size.
            unsafe impl Plain for $name {}
            // SAFETY: the same, and `Wire` is transparent.
            unsafe impl Pod for Wire<$name> {}
            const _: () = assert!(size_of::<$name>() == $bytes);
        )+
    };
}

plain! {
    Control: 40,
    PrefixKey: 24,
    FlowKey: 40,
    Account: 56,
    FragmentKey: 40,
    FragmentState: 1_056,
    Marks: 48,
    FlowEvent: 120,
    SampleHeader: 64,
    HeldHeader: 80,
    XdpContext: 24,
    RuleEntry: 24,
    RuleSet: 776,
    previous::FlowKey: 40,
    previous::FlowState: 88,
}

// SAFETY: integers.
unsafe impl Plain for u32 {}
// SAFETY: integers.
unsafe impl Plain for [u16; 256] {}
// SAFETY: integers.
unsafe impl Plain for [u32; 16] {}

/// The bytes of a value.
pub(crate) fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: `Plain`: no byte is uninitialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// A value from the first bytes of a slice; `None` when there are too few.
pub(crate) fn read<T: Plain>(bytes: &[u8]) -> Option<T> {
    let bytes = bytes.get(..size_of::<T>())?;
    // SAFETY: enough bytes, and `Plain`: every bit pattern is a value. They need not be aligned.
    Some(unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast()) })
}

/// A value of zero bytes.
pub(crate) fn zeroed<T: Plain>() -> T {
    // SAFETY: `Plain`: every bit pattern is a value.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_the_value() {
        let key = FlowKey {
            inside: [1; 16],
            outside: [2; 16],
            inside_port: 3,
            outside_port: 4,
            protocol: 6,
            family: 4,
            reserved: [0; 2],
        };
        let mut bytes = vec![0xff];
        bytes.extend_from_slice(bytes_of(&key));
        assert_eq!(read::<FlowKey>(&bytes[1..]), Some(key));
        assert_eq!(read::<FlowKey>(&bytes[2..]), None);
        assert_eq!(zeroed::<RuleEntry>(), RuleEntry::default());
    }
}
