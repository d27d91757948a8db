//! libFuzzer's door to the target `repodata`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    targets::bounded(targets::repodata::target, targets::WORK_MAX, data);
});
