//! libFuzzer's door to the target `headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    targets::bounded(targets::headers::target, targets::WORK_MAX, data);
});
