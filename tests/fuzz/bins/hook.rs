//! libFuzzer's door to the target `hook`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = targets::hook::target(data);
});
