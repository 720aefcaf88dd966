//! cargo fuzz run answers

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(failure) = pinnace::fuzzing::answers(bytes) {
        panic!("{failure}");
    }
});
