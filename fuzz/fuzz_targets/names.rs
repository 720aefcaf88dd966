//! cargo fuzz run names

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(failure) = pinnace::fuzzing::names(bytes) {
        panic!("{failure}");
    }
});
