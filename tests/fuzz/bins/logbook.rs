//! libFuzzer's door to the target `logbook`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = targets::logbook::target(data);
});
