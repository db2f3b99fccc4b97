#![no_main]

#[path = "../bodies/channel.rs"]
#[allow(dead_code)]
mod channel;

libfuzzer_sys::fuzz_target!(|data: &[u8]| channel::frame(data));
