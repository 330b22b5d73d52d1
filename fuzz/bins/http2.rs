//! libFuzzer program of the target `http2`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octroi_fuzz_targets::http2(data));
