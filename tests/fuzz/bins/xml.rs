//! libFuzzer's door to the target `xml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = targets::listing::target(data);
});
