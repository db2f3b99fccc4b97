#![no_main]

#[path = "../bodies/http.rs"]
#[allow(dead_code)]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::events(data));
