//! What stands behind a line where lines make records: what is written, and what of it is to arrive.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The keys of an input of records.
pub(super) const KEYS: &str = "timezone: UTC, multiline_wait: 100ms, \
     filters: [{ action: drop, level: debug }, { action: sample, pattern: ' GET ', one_in: 3 }]";
/// Of what is sampled, one in so many is kept.
const ONE_IN: u64 = 3;

/// What goes behind a line.
#[derive(Debug, Default)]
pub(super) struct More {
    pub(super) written: String,
    /// What of it is to arrive as part of the line's record.
    pub(super) shipped: &'static str,
    /// And what as a record of its own.
    pub(super) behind: Option<String>,
}

impl More {
    /// A line that continues the record.
    pub(super) fn line() -> Self {
        Self::of("  and more\n", "\n  and more")
    }

    /// The same with what is redacted.
    pub(super) fn secret() -> Self {
        Self::of(
            "  at x://u:s3cret@h\n",
            "\n  at x://u:[redacted url_password]@h",
        )
    }

    /// A record of its own that is dropped for its level.
    pub(super) fn dropped(at: &str) -> Self {
        Self::of(&format!("{at} - DEBUG - a step\n  of it\n"), "")
    }

    /// A line of its own that is sampled; its text and its place in the file decide.
    pub(super) fn sampled(line: &str, offset: u64) -> Self {
        let line = line.replacen(" - ", " - GET ", 1);
        let text = line.trim_end_matches('\n');
        let hash = xxh3_64_with_seed(text.as_bytes(), offset);
        Self {
            behind: hash.is_multiple_of(ONE_IN).then(|| text.to_owned()),
            ..Self::of(&line, "")
        }
    }

    fn of(written: &str, shipped: &'static str) -> Self {
        Self {
            written: written.to_owned(),
            shipped,
            behind: None,
        }
    }
}
