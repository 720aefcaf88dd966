//! Lines that are made into records: each may go on and is held back until the wait is over, what is
//! the same everywhere is sampled, and secrets are replaced. A record has one line here; those of
//! several are in `tests/tailing/model.rs`.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A line that is the same everywhere, with a secret in it.
pub(super) const SAME: &str = "and the same once more at x://u:s3cret@h";

/// Of those one in so many is kept.
const ONE_IN: u64 = 2;

/// The keys of the input.
pub(super) fn keys(has_records: bool) -> &'static str {
    if has_records {
        "multiline: start, multiline_pattern: '.', \
         filters: [{action: sample, pattern: '^and the same', one_in: 2}]"
    } else {
        "format: plain, multiline: off"
    }
}

/// Whether a line is sampled away, which its text and its place decide; it ends at `end`.
pub(super) fn is_let_go(line: &str, end: usize) -> bool {
    let offset = (end - line.len() - 1) as u64;
    line == SAME && !xxh3_64_with_seed(line.as_bytes(), offset).is_multiple_of(ONE_IN)
}

/// The line that a record was, which must not hold what is secret.
pub(super) fn as_written(text: &str) -> String {
    assert!(!text.contains("s3cret"), "{text}");
    text.trim_start_matches("[continued] ")
        .replace("[redacted url_password]", "s3cret")
}
