//! cargo fuzz run journal

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(failure) = pinnace::fuzzing::journal(bytes) {
        panic!("{failure}");
    }
});
