//! cargo fuzz run records

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(failure) = pinnace::fuzzing::records(bytes) {
        panic!("{failure}");
    }
});
