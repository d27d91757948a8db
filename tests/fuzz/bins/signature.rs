//! libFuzzer's door to the target `signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    targets::bounded(targets::signature::target, targets::WORK_MAX, data);
});
