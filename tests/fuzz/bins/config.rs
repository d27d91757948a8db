//! libFuzzer's door to the target `config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    targets::bounded(targets::config::target, targets::WORK_MAX, data);
});
