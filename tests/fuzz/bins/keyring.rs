//! libFuzzer's door to the target `keyring`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    targets::bounded(targets::keyring::target, targets::WORK_MAX, data);
});
