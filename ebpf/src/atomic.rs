//! Atomic operations on words of maps (RFC 9669 section 5.3). `core` has none for this target.

use core::arch::asm;

macro_rules! update {
    ($(#[$doc:meta])* $name:ident, $kind:ty, $class:ident, $width:literal, $operator:literal) => {
        $(#[$doc])*
        #[inline(always)]
        pub fn $name(word: *mut $kind, amount: $kind) {
            // SAFETY: the caller's word is one of a map value, aligned to its size.
            unsafe {
                asm!(
                    concat!("lock *(", $width, " *)({word} + 0) ", $operator, "= {amount}"),
                    word = in(reg) word,
                    amount = in($class) amount,
                    options(nostack),
                );
            }
        }
    };
}

update!(
    /// `*word += amount`.
    add_64, u64, reg, "u64", "+"
);
update!(
    /// `*word += amount`.
    add, u32, wreg, "u32", "+"
);
update!(
    /// `*word |= amount`.
    or, u32, wreg, "u32", "|"
);
update!(
    /// `*word ^= amount`.
    xor, u32, wreg, "u32", "^"
);

/// `*word += amount`; returns what was there before.
#[inline(always)]
pub fn fetch_add(word: *mut u32, amount: u32) -> u32 {
    let before: u64;
    // SAFETY: as above.
    unsafe {
        asm!(
            "w2 = atomic_fetch_add((u32 *)(r1 + 0), w2)",
            in("r1") word,
            inout("r2") amount as u64 => before,
            options(nostack),
        );
    }
    before as u32
}

/// `*word = after` if it is `before`; returns what was there.
#[inline(always)]
pub fn compare_exchange(word: *mut u32, before: u32, after: u32) -> u32 {
    let found: u64;
    // SAFETY: as above.
    unsafe {
        asm!(
            "w0 = cmpxchg32_32(r1 + 0, w0, w2)",
            in("r1") word,
            in("r2") after as u64,
            inout("r0") before as u64 => found,
            options(nostack),
        );
    }
    found as u32
}

/// As [`compare_exchange`], 64 bits.
#[inline(always)]
pub fn compare_exchange_64(word: *mut u64, before: u64, after: u64) -> u64 {
    let found: u64;
    // SAFETY: as above.
    unsafe {
        asm!(
            "r0 = cmpxchg_64(r1 + 0, r0, r2)",
            in("r1") word,
            in("r2") after,
            inout("r0") before => found,
            options(nostack),
        );
    }
    found
}
