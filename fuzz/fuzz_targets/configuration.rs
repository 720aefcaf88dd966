//! cargo fuzz run configuration

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(failure) = pinnace::fuzzing::configuration(bytes) {
        panic!("{failure}");
    }
});
