//! What an output refused since the agent runs, as `pinnace status` tells it. Only data and its
//! sentence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// So many files are named.
const NAMED: usize = 3;

/// The records that one output refused in this run. The field names are part of `status --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefusedStatus {
    /// The output.
    pub(crate) output: String,
    /// How many records, by reason.
    pub(crate) reasons: BTreeMap<String, u64>,
    /// How many of them were dropped, since the file of dead letters was full.
    pub(crate) dropped: u64,
    /// When the last of them was refused, in UTC.
    pub(crate) last_at: String,
    /// The files that its batch was made of: it is of one of them.
    pub(crate) last_files: Vec<String>,
    /// What was answered to the last of them.
    pub(crate) last_answer: String,
}

impl RefusedStatus {
    /// The same for people.
    pub(crate) fn sentence(&self) -> String {
        let all: u64 = self.reasons.values().sum();
        let reasons = self.reasons.iter();
        let reasons: Vec<_> = reasons
            .map(|(reason, records)| format!("{reason} {records}"))
            .collect();
        let (records, were) = match all {
            1 => ("record", "was"),
            _ => ("records", "were"),
        };
        let dropped = match self.dropped {
            0 => String::new(),
            dropped => format!("; {dropped} of them dropped, since the dead letters are full"),
        };
        format!(
            "output {}: {all} {records} {were} refused since the start ({}){dropped}; the last at {}, {}: {}",
            self.output,
            reasons.join(", "),
            self.last_at,
            self.of_files(),
            self.last_answer
        )
    }

    fn of_files(&self) -> String {
        match self.last_files.as_slice() {
            [] => "of a file that is no longer known".to_owned(),
            [file] => format!("of {file}"),
            files => {
                let named: Vec<_> = files.iter().take(NAMED).map(String::as_str).collect();
                let more = match files.len() - named.len() {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                format!("of one of {}{more}", named.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_says_how_many_why_when_and_of_which_file() {
        let mut refused = RefusedStatus {
            output: "aws".to_owned(),
            reasons: BTreeMap::from([("too_new".to_owned(), 2), ("too_old".to_owned(), 5)]),
            dropped: 0,
            last_at: "2026-11-27T10:00:00.000Z".to_owned(),
            last_files: vec!["/a.log".to_owned()],
            last_answer: "too old".to_owned(),
        };
        assert_eq!(
            refused.sentence(),
            "output aws: 7 records were refused since the start (too_new 2, too_old 5); \
             the last at 2026-11-27T10:00:00.000Z, of /a.log: too old"
        );
        refused.reasons = BTreeMap::from([("refused".to_owned(), 1)]);
        refused.dropped = 1;
        refused.last_files = ["/a", "/b", "/c", "/d"].map(str::to_owned).to_vec();
        assert_eq!(
            refused.sentence(),
            "output aws: 1 record was refused since the start (refused 1); 1 of them dropped, \
             since the dead letters are full; the last at 2026-11-27T10:00:00.000Z, \
             of one of /a, /b, /c and 1 more: too old"
        );
    }
}
