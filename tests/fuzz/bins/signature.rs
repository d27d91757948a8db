//! libFuzzer's door to the target `signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = targets::signature::target(data);
});
