//! libFuzzer program of the target `fragment`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octroi_fuzz_targets::fragment(data));
