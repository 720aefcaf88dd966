//! Lines that are made into records: each may go on and is held back until the wait is over, what is
//! the same everywhere is sampled, and secrets are replaced. Where lines are not made into records,
//! each is one.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A line that is the same everywhere, with a secret in it.
pub(super) const SAME: &str = "and the same once more at x://u:s3cret@h";

/// Of those one in so many is kept.
const ONE_IN: u64 = 2;

/// So long the last record of a file is held back.
pub(super) const WAIT: Duration = Duration::from_millis(500);

/// A record of several lines, but for the last of them.
pub(super) fn trace_begun(content: usize, number: usize, lines: usize) -> String {
    let head = format!("c{content} {number:04} Traceback (most recent call last):");
    let calls = (0..lines).map(|line| format!("\n  File \"app.py\", line {line}, in main"));
    head + &calls.collect::<String>()
}

/// The last line of such a record.
pub(super) fn trace_end(content: usize, number: usize) -> String {
    format!("ValueError: {number:04} of c{content}")
}

/// Records that were written in two parts, with the wait between them: by the whole of each, its
/// parts. Whoever read the first part by then has a record of each.
#[derive(Debug, Default)]
pub(super) struct Divided(BTreeMap<String, [String; 2]>);

impl Divided {
    pub(super) fn note(&mut self, parts: [String; 2]) {
        self.0.insert(parts.join("\n"), parts);
    }

    /// The same of a line, whose beginning is all that was in a copy.
    pub(super) fn note_line(&mut self, parts: [String; 2]) {
        self.0.insert(parts.concat(), parts);
    }

    /// Whether a record was written in two parts.
    pub(super) fn has(&self, whole: &str) -> bool {
        self.0.contains_key(whole)
    }

    /// Whether a record is there to its end.
    pub(super) fn is_in(&self, there: &HashMap<String, usize>, whole: &String) -> bool {
        let by_parts = || {
            let parts = self.0.get(whole);
            parts.is_some_and(|[_, rest]| there.contains_key(rest))
        };
        there.contains_key(whole) || by_parts()
    }

    /// Takes the parts of a record for the whole of it, and where that did not arrive the first alone if
    /// the rest `can_lack`. Says whether none lacks it.
    pub(super) fn join<'a>(
        &'a self,
        arrived: &mut BTreeMap<&'a String, usize>,
        can_lack: impl Fn(&String) -> bool,
    ) -> bool {
        let mut is_all_there = true;
        for (whole, [first, rest]) in &self.0 {
            let is_there = |part| arrived.get(part).is_some_and(|count| *count > 0);
            let has_rest = is_there(rest);
            let is_enough = has_rest || (!is_there(whole) && can_lack(whole));
            if !is_there(first) || !is_enough {
                continue;
            }
            for part in [first].into_iter().chain(has_rest.then_some(rest)) {
                arrived.entry(part).and_modify(|left| *left -= 1);
            }
            *arrived.entry(whole).or_default() += 1;
            is_all_there &= has_rest;
        }
        is_all_there
    }
}

/// The keys of the input.
pub(super) fn keys(has_records: bool) -> &'static str {
    if has_records {
        "multiline: start, multiline_pattern: '^(c[0-9]|# |and )', multiline_wait: 500ms, \
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
