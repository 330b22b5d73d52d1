//! libFuzzer program of the target `m365`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octroi_fuzz_targets::m365(data));
