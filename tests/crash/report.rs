//! What the report script writes, and what of it is to arrive: records of several lines, levels
//! that are dropped, requests of which some are kept, secrets.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::dice::Dice;

/// The keys of an input that takes such a log: everything that is done with records.
pub(crate) const KEYS: &str = "timezone: UTC, multiline_wait: 500ms, filters: [\
     { action: drop, level: debug }, { action: sample, pattern: 'GET /', one_in: 3 }]";
/// One in so many requests is kept.
const ONE_IN: u64 = 3;

const TRACEBACK: &str = "Traceback (most recent call last):
  File \"/app/rapport.py\", line 88, in main
    total = somme / nombre
            ~~~~~~^~~~~~~~
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/app/rapport.py\", line 91, in main
    raise RuntimeError(\"échec\") from None
RuntimeError: échec du rapport";

/// A record.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As it is written, without its line end.
    pub(crate) written: String,
    /// As it is to arrive; nothing where it is not to.
    pub(crate) shipped: Option<String>,
}

/// The line that a file begins with, at this time.
pub(crate) fn banner(at: &str, number: usize) -> Entry {
    let written = format!("{at} - rapport - INFO - # {number:02} {:=<70}", "");
    Entry {
        shipped: Some(written.clone()),
        written,
    }
}

/// A record that is the same whenever it is written at this time.
pub(crate) fn same(at: &str) -> Entry {
    let written = format!("{at} - rapport - WARNING - et la même encore une fois");
    Entry {
        shipped: Some(written.clone()),
        written,
    }
}

/// A record of chance, with a number of its own, that stands at this place of its file.
pub(crate) fn entry(dice: &mut Dice, number: u64, at: &str, offset: u64) -> Entry {
    let head = |level: &str, text: &str| format!("{at} - rapport - {level} - {number:010} {text}");
    let plain = |written: String| Entry {
        shipped: Some(written.clone()),
        written,
    };
    match dice.roll(0..8) {
        0 => Entry {
            written: head("DEBUG", "étape\n  avec le détail"),
            shipped: None,
        },
        1 => plain(head("ERROR", &format!("calcul impossible\n{TRACEBACK}"))),
        2 | 3 => {
            let written = head("INFO", "GET /rapport");
            let hash = xxh3_64_with_seed(written.as_bytes(), offset);
            Entry {
                shipped: hash.is_multiple_of(ONE_IN).then(|| written.clone()),
                written,
            }
        }
        4 => {
            let text = |password: &str, key: &str| {
                head(
                    "INFO",
                    &format!("postgres://app:{password}@db/rapport\navec {key} en réserve"),
                )
            };
            Entry {
                written: text("s3cr3t", "AKIAIOSFODNN7EXAMPLE"),
                shipped: Some(text("[redacted url_password]", "[redacted aws_key]")),
            }
        }
        5 => plain(head("CRITICAL", &format!("arrêt\n{TRACEBACK}"))),
        _ => {
            let width = usize::try_from(dice.roll(0..180)).unwrap();
            plain(head("INFO", &format!("élèves {:x<width$}", "")))
        }
    }
}
