//! The lines of a configuration that would make of a file what was found in it, whatever else it
//! may hold later.

use std::fmt::Write as _;

use super::{Explained, Explanation};
use crate::record::head::Kind;
use crate::record::rules::Pattern;

/// The keys of an input, one a line. `zone` is that of timestamps that name none.
pub(crate) fn keys(explanation: &Explanation, zone: &str) -> Vec<String> {
    let records = &explanation.records;
    let is_bare = (records.iter()).all(|record| record.kind.is_none() && record.level.is_none());
    let mut keys = vec![match explanation.envelope {
        Some(envelope) => format!("format: {envelope}"),
        None if is_bare => "format: plain".to_owned(),
        None => "format: bare".to_owned(),
    }];
    if explanation.joined() == 0 {
        keys.push("multiline: off".to_owned());
    } else if let Some(pattern) = start_pattern(records) {
        keys.push("multiline: start".to_owned());
        keys.push(format!(
            "multiline_pattern: '{}'",
            pattern.replace('\'', "''")
        ));
    } else {
        keys.push("multiline: auto".to_owned());
    }
    if records.iter().any(|record| !record.has_zone) {
        keys.push(format!("timezone: {zone}"));
    }
    keys
}

/// A pattern that the first line of every record matches and no other line, if there is one that
/// is made like the head of the first record.
fn start_pattern(records: &[Explained]) -> Option<String> {
    let first = records
        .iter()
        .find(|record| record.kind == Some(Kind::Text.name()))?;
    let text = pattern_of(first.text.get(..first.head_len)?);
    let pattern = Pattern::new(&text).ok()?;
    let tells = records.iter().all(|record| {
        record
            .text
            .split('\n')
            .enumerate()
            .all(|(number, line)| pattern.is_match(line.as_bytes()) == (number == 0))
    });
    tells.then_some(text)
}

/// Digits stand for any digits, words for any words; `T` and `Z` stand for themselves.
fn pattern_of(head: &str) -> String {
    let mut pattern = "^".to_owned();
    let mut rest = head;
    while let Some(first) = rest.chars().next() {
        let same = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let len = if first.is_ascii_digit() {
            let len = same(|c| c.is_ascii_digit());
            // Days and hours are written with one digit by some.
            let least = if len <= 2 { 1 } else { len };
            let _ = match (least, len.max(2)) {
                (least, most) if least == most => write!(pattern, "\\d{{{least}}}"),
                (least, most) => write!(pattern, "\\d{{{least},{most}}}"),
            };
            len
        } else if first.is_ascii_alphabetic() {
            let len = same(|c| c.is_ascii_alphabetic());
            match &rest[..len] {
                word @ ("T" | "Z") => pattern.push_str(word),
                _ => pattern.push_str("[A-Za-z]+"),
            }
            len
        } else if first == ' ' {
            pattern.push_str(" +");
            same(|c| c == ' ')
        } else if first.is_control() {
            // A configuration takes no such signs: those that set colours, for example.
            let _ = write!(pattern, "\\x{{{:X}}}", u32::from(first));
            first.len_utf8()
        } else {
            if "\\.+*?()|[]{}^$".contains(first) {
                pattern.push('\\');
            }
            pattern.push(first);
            first.len_utf8()
        };
        rest = &rest[len..];
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Time;
    use crate::record::explain::{Dates, explain};
    use crate::record::redact::Redactor;
    use crate::record::rules::Rules;

    fn forced(text: &str) -> Vec<String> {
        let mut redactor = Redactor::new(&[], Vec::new());
        let rules = Rules::default();
        let dates = Dates {
            made: None,
            written: Time(4_000_000_000_000_000_000),
        };
        let explanation = explain(text.as_bytes(), 4096, &rules, &mut redactor, dates);
        keys(&explanation, "Europe/Paris")
    }

    #[test]
    fn what_was_found_is_what_the_keys_ask_for() {
        assert_eq!(
            forced(
                "2026-11-22 22:08:23,702 - a - INFO - x\n  more\n2026-11-22 22:08:24,702 - a - INFO - y\n"
            ),
            [
                "format: bare",
                "multiline: start",
                r"multiline_pattern: '^\d{4}-\d{1,2}-\d{1,2} +\d{1,2}:\d{1,2}:\d{1,2},\d{3}'",
                "timezone: Europe/Paris",
            ]
        );
        assert_eq!(
            forced("\x1b[2m2026-11-22T22:08:23Z\x1b[0m INFO x\n  more\n")[2],
            r"multiline_pattern: '^\x{1B}\[\d{1,2}[A-Za-z]+\d{4}-\d{1,2}-\d{1,2}T\d{1,2}:\d{1,2}:\d{1,2}Z'"
        );
        assert_eq!(
            forced("line 1\nline 2\n"),
            ["format: plain", "multiline: off"]
        );
        assert_eq!(
            forced("line 1\npanic: boom\n"),
            ["format: bare", "multiline: off"],
            "a death has a level"
        );
        assert_eq!(
            forced("2026-01-02T10:00:00Z stdout F a line\n"),
            ["format: cri", "multiline: off"]
        );
        assert_eq!(
            forced("INFO:root:x\nTraceback (most recent call last):\n  File \"a\"\nKeyError\n"),
            ["format: bare", "multiline: auto"]
        );
    }
}
