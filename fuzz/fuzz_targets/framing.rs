//! cargo fuzz run framing

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(failure) = pinnace::fuzzing::framing(bytes) {
        panic!("{failure}");
    }
});
