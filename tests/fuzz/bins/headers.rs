//! libFuzzer's door to the target `headers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = targets::headers::target(data);
});
