#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lxkns_fuzz::engine_state(bytes));
