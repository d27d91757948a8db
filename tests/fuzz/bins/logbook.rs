//! libFuzzer's door to the target `logbook`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    targets::bounded(targets::logbook::target, targets::WORK_MAX, data);
});
