//! libFuzzer program of the target `quic`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octroi_fuzz_targets::quic(data));
