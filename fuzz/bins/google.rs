//! libFuzzer program of the target `google`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octroi_fuzz_targets::google(data));
