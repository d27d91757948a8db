//! libFuzzer's door to the target `xml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    targets::bounded(targets::listing::target, targets::WORK_MAX, data);
});
