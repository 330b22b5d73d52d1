//! libFuzzer program of the target `prefix_list`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octroi_fuzz_targets::prefix_list(data));
