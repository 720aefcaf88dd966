//! Which records of a push Loki refuses, by the text of its answer. Pure.
//!
//! A 400 says how many entries it refuses for one reason at one second, or of one length, or
//! lists them by their times (grafana/loki `pkg/validation/validate.go`, `pkg/ingester/stream.go`).
//! Records are named only where these numbers leave no choice: where all records of that second
//! or length are refused. The rest is found by halving.

use std::ops::Range;

use super::super::Rejected;
use crate::record::Time;

/// What is known of a record that was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Its time.
    pub(crate) time: Time,
    /// Length of its text.
    pub(crate) len: usize,
}

/// What a text tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Records that are refused, in order.
    pub(crate) rejected: Vec<Rejected>,
    /// Whether these are all: the others are stored.
    pub(crate) is_all: bool,
}

/// One sentence of the text.
#[derive(Debug, PartialEq, Eq)]
enum Sentence {
    /// So many entries of this second.
    OfSecond(usize, i64, &'static str),
    /// So many entries of this length.
    OfLength(usize, usize),
    /// The entry of this time; and before which second all are refused.
    At(Time, &'static str, Option<i64>),
    /// So many were refused in all by those that `At` lists, of so many that were looked at.
    Total(usize, usize),
}

/// Finds in the text which of the records are refused.
pub(crate) fn told(text: &str, pushed: &[Pushed]) -> Told {
    let (sentences, is_understood) = sentences(text);
    let mut reasons: Vec<Option<&'static str>> = vec![None; pushed.len()];
    let mut is_all = is_understood && !sentences.is_empty();
    let mut listed = 0;
    let mut total = None;
    let mut cutoff = None;
    for sentence in &sentences {
        let (count, reason, mut places): (usize, _, Vec<usize>) = match *sentence {
            Sentence::OfSecond(count, second, reason) => {
                let is_it = |it: &Pushed| it.time.seconds_and_nanos().0 == second;
                (count, reason, places(pushed, is_it))
            }
            Sentence::OfLength(count, len) => {
                (count, "line_too_long", places(pushed, |it| it.len == len))
            }
            Sentence::At(time, reason, before) => {
                listed += 1;
                cutoff = cutoff.max(before);
                (1, reason, places(pushed, |it| it.time == time))
            }
            Sentence::Total(count, of) => {
                total = Some(count);
                // What was refused before it came to these is told by nobody.
                is_all &= of == pushed.len();
                continue;
            }
        };
        if places.len() != count {
            is_all = false;
            places.clear();
        }
        for place in places {
            reasons[place] = Some(reason);
        }
    }
    // Only ten are listed; the others are those before the same second, if that many are.
    if let Some(total) = total
        && total != listed
    {
        let older = places(pushed, |it| {
            cutoff.is_some_and(|cutoff| it.time.seconds_and_nanos().0 < cutoff)
        });
        if older.len() == total {
            for place in older {
                reasons[place] = Some("too_far_behind");
            }
        } else {
            is_all = false;
        }
    }
    let rejected = ranges(&reasons);
    // A text that names nobody does not say that all are stored.
    is_all &= !rejected.is_empty();
    Told { rejected, is_all }
}

fn places(pushed: &[Pushed], is_it: impl Fn(&Pushed) -> bool) -> Vec<usize> {
    let numbered = pushed.iter().enumerate();
    let found = numbered.filter(|(_, it)| is_it(it));
    found.map(|(place, _)| place).collect()
}

fn ranges(reasons: &[Option<&'static str>]) -> Vec<Rejected> {
    let mut rejected: Vec<Rejected> = Vec::new();
    for (place, reason) in (0u32..).zip(reasons) {
        let Some(reason) = reason else { continue };
        match rejected.last_mut() {
            Some(last) if last.records.end == place && last.reason == *reason => {
                last.records.end += 1;
            }
            _ => rejected.push(Rejected {
                records: Range {
                    start: place,
                    end: place + 1,
                },
                reason,
                sentence: None,
            }),
        }
    }
    rejected
}

/// The sentences, and whether the whole text was understood.
fn sentences(text: &str) -> (Vec<Sentence>, bool) {
    let mut found = Vec::new();
    let mut rest = text.trim();
    if let Some((_, after)) = number_before(rest, " errors: ") {
        rest = after;
    }
    while !rest.is_empty() {
        let (count, sentence) = number_before(rest, " errors like: ").unwrap_or((1, rest));
        let Some((sentence, after)) = sentence_at(count, sentence) else {
            return (found, false);
        };
        found.push(sentence);
        rest = after.trim_start_matches([';', ',', ' ', '\n']);
    }
    (found, true)
}

/// A number that the text begins with, followed by `sign`; and what comes behind.
fn number_before<'a>(text: &'a str, sign: &str) -> Option<(usize, &'a str)> {
    let (number, rest) = digits(text)?;
    Some((number, rest.strip_prefix(sign)?))
}

fn digits(text: &str) -> Option<(usize, &str)> {
    let end = text
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

fn sentence_at(count: usize, text: &str) -> Option<(Sentence, &str)> {
    if let Some(rest) = text.strip_prefix("entry for stream '") {
        let (_, rest) = rest.split_once("' has timestamp too ")?;
        if let Some(rest) = rest.strip_prefix("old: ") {
            let (second, rest) = rfc3339(rest)?;
            let rest = rest.strip_prefix(", oldest acceptable timestamp is: ")?;
            let (_, rest) = rfc3339(rest)?;
            return Some((Sentence::OfSecond(count, second, "too_old"), rest));
        }
        let (second, rest) = rfc3339(rest.strip_prefix("new: ")?)?;
        return Some((Sentence::OfSecond(count, second, "too_new"), rest));
    }
    if let Some(rest) = text.strip_prefix("Max entry size '") {
        let (_, rest) = rest.split_once("' while adding an entry with length '")?;
        let (len, rest) = digits(rest)?;
        let rest = rest.strip_prefix("' bytes")?;
        return Some((Sentence::OfLength(count, len), rest));
    }
    if let Some(rest) = text.strip_prefix("entry with timestamp ") {
        let (time, rest) = go_time(rest)?;
        let rest = rest.strip_prefix(" ignored, reason: '")?;
        let (reason, rest) = rest.split_once("',")?;
        let is_late = reason.contains("too far behind") || reason.contains("out of order");
        let word = if is_late { "too_far_behind" } else { "refused" };
        let before = reason.split_once("oldest acceptable timestamp is: ");
        let before = before.and_then(|(_, it)| Some(rfc3339(it)?.0));
        return Some((Sentence::At(time, word, before), rest));
    }
    let (_, rest) = text.strip_prefix("user '")?.split_once("total ignored: ")?;
    let (count, rest) = digits(rest)?;
    let (of, _) = digits(rest.strip_prefix(" out of ")?)?;
    // The labels end the text.
    Some((Sentence::Total(count, of), ""))
}

/// `2026-11-22T10:00:00Z` at the beginning, as seconds.
fn rfc3339(text: &str) -> Option<(i64, &str)> {
    let (date, rest) = text.split_once('T')?;
    let (time, rest) = rest.split_once('Z')?;
    Some((seconds(date, time)?, rest))
}

/// `2026-11-22 10:00:00.25 +0000 UTC` at the beginning.
fn go_time(text: &str) -> Option<(Time, &str)> {
    let (stamp, rest) = text.split_once(" +0000 UTC")?;
    let (date, time) = stamp.split_once(' ')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let is_number = fraction.len() <= 9 && fraction.bytes().all(|it| it.is_ascii_digit());
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    let nanos = seconds(date, time)?
        .checked_mul(1_000_000_000)?
        .checked_add(nanos)?;
    is_number.then_some((Time(nanos), rest))
}

/// Seconds since 1970 of `2026-11-22` and `10:00:00`.
fn seconds(date: &str, time: &str) -> Option<i64> {
    let numbers = |text: &str, sign: char| -> Option<[i64; 3]> {
        let mut parts = text.split(sign).map(|it| it.parse::<u32>().ok());
        let three = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(three.map(i64::from))
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the leap day is the last of its year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    let days = days - 719_468;
    ((0..24).contains(&hour) && minute < 60 && second <= 60)
        .then_some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T10:00:00Z.
    const TEN: i64 = 1_795_341_600;
    const STREAM: &str = r#"{app="a; 3 errors like: b"}"#;

    fn pushed(list: &[(i64, i64, usize)]) -> Vec<Pushed> {
        let one = |(second, nanos, len): &(i64, i64, usize)| Pushed {
            time: Time((TEN + second) * 1_000_000_000 + nanos),
            len: *len,
        };
        list.iter().map(one).collect()
    }

    fn rejected(list: &[(Range<u32>, &'static str)]) -> Vec<Rejected> {
        let one = |(records, reason): &(Range<u32>, &'static str)| Rejected {
            records: records.clone(),
            reason,
            sentence: None,
        };
        list.iter().map(one).collect()
    }

    fn old(second: u32) -> String {
        format!(
            "entry for stream '{STREAM}' has timestamp too old: 2026-11-22T10:00:{second:02}Z, oldest acceptable timestamp is: 2026-11-22T10:00:02Z"
        )
    }

    #[test]
    fn records_are_named_where_the_numbers_leave_no_choice() {
        let records = pushed(&[
            (0, 1, 5),
            (0, 2, 5),
            (1, 0, 5),
            (2, 0, 5),
            (2, 9, 400),
            (3, 0, 5),
        ]);
        let long = format!(
            "Max entry size '256' bytes exceeded for stream '{STREAM}' while adding an entry with length '400' bytes"
        );
        let new =
            format!("entry for stream '{STREAM}' has timestamp too new: 2026-11-22T10:00:03Z");
        let exact = format!(
            "entry with timestamp 2026-11-22 10:00:02.000000009 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: 2026-11-22T10:00:02Z, oldest acceptable timestamp is: 2026-11-22T11:00:00Z',\nuser 'fake', total ignored: 1 out of 6 for stream: {STREAM}"
        );
        let table: Vec<(String, Vec<Rejected>, bool)> = vec![
            (
                format!("2 errors like: {}; 1 errors like: {}", old(0), old(1)),
                rejected(&[(0..3, "too_old")]),
                true,
            ),
            (
                format!("2 errors: 2 errors like: {}; {}", old(0), old(1)),
                rejected(&[(0..3, "too_old")]),
                true,
            ),
            // One of two in that second: which one is not said.
            (format!("1 errors like: {}", old(0)), vec![], false),
            (
                format!("{}; {long}; {new}", old(1)),
                rejected(&[
                    (2..3, "too_old"),
                    (4..5, "line_too_long"),
                    (5..6, "too_new"),
                ]),
                true,
            ),
            (
                exact.replace("out of 6", "out of 5"),
                rejected(&[(4..5, "too_far_behind")]),
                false,
            ),
            (exact, rejected(&[(4..5, "too_far_behind")]), true),
            // What follows is not known.
            (
                format!("{}; and something else", old(1)),
                rejected(&[(2..3, "too_old")]),
                false,
            ),
            ("couldn't parse labels".into(), vec![], false),
            (format!("0 errors like: {}", old(7)), vec![], false),
            (
                "user 'a', total ignored: 0 out of 6 for stream: {}".into(),
                vec![],
                false,
            ),
            (String::new(), vec![], false),
            // Cut off in the middle of a sentence.
            (
                format!("{}; {}", old(1), &long[..60]),
                rejected(&[(2..3, "too_old")]),
                false,
            ),
        ];
        for (text, expected, is_all) in table {
            let told = told(&text, &records);
            assert_eq!((&told.rejected, told.is_all), (&expected, is_all), "{text}");
        }
    }

    #[test]
    fn of_more_than_ten_late_ones_all_before_the_limit_are_meant() {
        let records: Vec<_> = pushed(&(0..30).map(|second| (second, 0, 1)).collect::<Vec<_>>());
        let late = |total: u32| {
            let listed: Vec<_> = (0..10)
                .map(|second| {
                    format!(
                        "entry with timestamp 2026-11-22 10:00:{second:02} +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: 2026-11-22T10:00:{second:02}Z, oldest acceptable timestamp is: 2026-11-22T10:00:20Z',\n"
                    )
                })
                .collect();
            let listed = listed.concat();
            format!("{listed}user 'fake', total ignored: {total} out of 30 for stream: {STREAM}")
        };
        let all = told(&late(20), &records);
        assert_eq!(
            (all.rejected, all.is_all),
            (rejected(&[(0..20, "too_far_behind")]), true)
        );
        let some = told(&late(21), &records);
        assert_eq!(
            (some.rejected, some.is_all),
            (rejected(&[(0..10, "too_far_behind")]), false)
        );
    }

    #[test]
    fn dates_are_read_as_they_are_printed() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T23:59:59Z", Some(1_709_251_199)),
            ("2026-11-22T10:00:00Z", Some(TEN)),
            ("2026-13-22T10:00:00Z", None),
            ("2026-11-22T10:00Z", None),
            ("2026-11-22", None),
        ] {
            assert_eq!(rfc3339(text).map(|it| it.0), expected, "{text}");
        }
        let (time, rest) = go_time("1970-01-01 00:00:01.25 +0000 UTC ignored").unwrap();
        assert_eq!((time, rest), (Time(1_250_000_000), " ignored"));
    }
}
