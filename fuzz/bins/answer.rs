//! libFuzzer program of the target `answer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| octroi_fuzz_targets::answer(data));
