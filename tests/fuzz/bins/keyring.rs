//! libFuzzer's door to the target `keyring`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = targets::keyring::target(data);
});
