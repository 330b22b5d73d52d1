//! libFuzzer program of the target `sound`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octroi_fuzz_targets::sound(data));
