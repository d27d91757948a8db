//! libFuzzer's door to the target `repodata`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = targets::repodata::target(data);
});
