//! libFuzzer's door to the target `hook`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    targets::bounded(targets::hook::target, targets::WORK_MAX, data);
});
