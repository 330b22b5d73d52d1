//! libFuzzer program of the target `range_csv`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octroi_fuzz_targets::range_csv(data));
