//! Whether the times in a file's lines differ from the clock by whole quarters of an hour, line
//! after line, as they do when they are read in a wrong zone. Pure; keeps a few bytes for a file.

use super::Time;
use super::stamp::SECOND;

/// Zones differ by whole quarters of an hour, in nanoseconds.
const QUARTER: i64 = 900 * SECOND;
/// No two zones differ by more than this, in quarters.
const FURTHEST: i64 = 26 * 4;
/// So far from the whole quarter may a line lie, in nanoseconds: lines are written late, and seen
/// later.
const NEAR: i64 = 10 * SECOND;
/// What is steady holds for so many lines, that were seen at so many moments, over so long a time.
const LINES: u16 = 20;
const MOMENTS: u8 = 5;
const LASTING: i64 = 5 * SECOND;

/// What is known of one file. Only lines that were seen as they were written are told to it: in a
/// backlog any difference may be by chance.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Skew {
    /// The difference of the lines so far.
    quarters: i64,
    lines: u16,
    moments: u8,
    first_seen: Time,
    last_seen: Time,
    is_settled: bool,
}

impl Skew {
    /// Whether it is known, and no more lines are asked for.
    pub(crate) fn is_settled(self) -> bool {
        self.is_settled
    }

    /// A line that was seen at a time says another. Returns how many quarters of an hour the lines
    /// are ahead, once that is certain and not none; it is returned once.
    pub(crate) fn note(&mut self, said: Time, seen: Time) -> Option<i64> {
        let Some(quarters) = quarters_between(said, seen) else {
            *self = Self::default();
            return None;
        };
        if self.lines == 0 || quarters != self.quarters || seen < self.last_seen {
            *self = Self {
                quarters,
                lines: 1,
                moments: 1,
                first_seen: seen,
                last_seen: seen,
                is_settled: false,
            };
            return None;
        }
        self.lines = self.lines.saturating_add(1);
        if seen > self.last_seen {
            self.moments = self.moments.saturating_add(1);
            self.last_seen = seen;
        }
        self.is_settled = self.lines >= LINES
            && self.moments >= MOMENTS
            && seen.nanos_since(self.first_seen) >= LASTING;
        (self.is_settled && quarters != 0).then_some(quarters)
    }
}

/// How many whole quarters of an hour `said` is ahead of `seen`, if it is near to that and no
/// further than zones differ.
fn quarters_between(said: Time, seen: Time) -> Option<i64> {
    let difference = said.nanos_since(seen);
    let quarters = difference.saturating_add(QUARTER / 2).div_euclid(QUARTER);
    let is_near = difference.saturating_sub(quarters * QUARTER).abs() <= NEAR;
    (is_near && quarters.abs() <= FURTHEST).then_some(quarters)
}

/// What tells that the lines of a file, which nobody saw being written, are read in a wrong zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// The last line is later than the last write, which no line can be.
    Later,
    /// The first line is as much earlier than the file was made as the last one is earlier than
    /// the last write.
    EarlierAtBothEnds,
    /// The last line is earlier than the last write. That may be by chance: a file is also copied,
    /// or written to without a time.
    EarlierAtTheEnd,
}

/// How many quarters of an hour the lines of a file are ahead of the clock, and what tells it.
/// `first` is the time that the first line says and when the file was made, `last` the time of the
/// latest line and when the file was last written.
pub(crate) fn of_ends(first: Option<(Time, Time)>, last: (Time, Time)) -> Option<(i64, Sign)> {
    let quarters = quarters_between(last.0, last.1).filter(|it| *it != 0)?;
    if quarters > 0 {
        return Some((quarters, Sign::Later));
    }
    let is_both = first.is_some_and(|(said, made)| {
        // What was made and written at once says one thing, not two.
        last.1.nanos_since(made) > 2 * NEAR && quarters_between(said, made) == Some(quarters)
    });
    let sign = if is_both {
        Sign::EarlierAtBothEnds
    } else {
        Sign::EarlierAtTheEnd
    };
    Some((quarters, sign))
}

/// `+1 h`, `-3 h 30 min`: so many quarters of an hour.
pub(crate) fn in_words(quarters: i64) -> String {
    let sign = if quarters < 0 { '-' } else { '+' };
    let (hours, minutes) = (quarters.abs() / 4, quarters.abs() % 4 * 15);
    match (hours, minutes) {
        (_, 0) => format!("{sign}{hours} h"),
        (0, _) => format!("{sign}{minutes} min"),
        _ => format!("{sign}{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: i64 = 60 * SECOND;

    /// Lines that were seen at these times and said others; what came of it.
    fn told(lines: impl IntoIterator<Item = (i64, i64)>) -> Vec<i64> {
        let mut skew = Skew::default();
        let lines = lines.into_iter();
        lines
            .filter_map(|(seen, ahead)| {
                (!skew.is_settled())
                    .then(|| skew.note(Time(seen + ahead), Time(seen)))
                    .flatten()
            })
            .collect()
    }

    #[test]
    fn a_steady_difference_of_whole_quarters_is_told_once() {
        for (ahead, quarters) in [
            (60 * MINUTE, 4),
            (-210 * MINUTE, -14),
            (345 * MINUTE, 23),
            (-15 * MINUTE, -1),
        ] {
            // Each line was written up to some seconds before it was seen.
            let lines = (0..100).map(|n| (n * SECOND, ahead - n % 4 * SECOND));
            assert_eq!(told(lines), [quarters], "{ahead}");
        }
    }

    #[test]
    fn what_is_right_or_not_steady_is_not_told() {
        let hour = 60 * MINUTE;
        let right = (0..100).map(|n| (n * SECOND, -(n % 3) * SECOND));
        assert!(told(right).is_empty());
        let at_once = (0..1000).map(|_| (5 * SECOND, hour));
        assert!(told(at_once).is_empty(), "all in one moment");
        let in_a_burst = (0..1000).map(|n| (n * SECOND / 1000, hour));
        assert!(told(in_a_burst).is_empty(), "within a second");
        let few = (0..19).map(|n| (n * SECOND, hour));
        assert!(told(few).is_empty(), "too few");
        let mixed = (0..1000).map(|n| (n * SECOND, if n % 15 == 0 { 0 } else { hour }));
        assert!(told(mixed).is_empty(), "two writers");
        let far = (0..100).map(|n| (n * SECOND, 24 * 365 * hour));
        assert!(told(far).is_empty(), "no zone is so far away");
        let no_quarter = (0..100).map(|n| (n * SECOND, hour + MINUTE));
        assert!(told(no_quarter).is_empty(), "a clock that is wrong");
        // What was written in a day comes in a minute, as when old files are copied into the log.
        let old = (0..1000).map(|n| (n * SECOND / 15, n * MINUTE - 24 * hour));
        assert!(told(old).is_empty(), "a backlog");
    }

    #[test]
    fn the_ends_of_a_file_tell_what_they_can() {
        let (made, written) = (Time(0), Time(7 * MINUTE));
        let at = |time: Time, ahead: i64| (Time(time.0 + ahead), time);
        let ends = |first: i64, last: i64| of_ends(Some(at(made, first)), at(written, last));
        let hour = 60 * MINUTE;
        assert_eq!(ends(hour, hour - SECOND), Some((4, Sign::Later)));
        assert_eq!(ends(0, 15 * MINUTE), Some((1, Sign::Later)));
        assert_eq!(
            ends(SECOND - hour, -hour),
            Some((-4, Sign::EarlierAtBothEnds))
        );
        assert_eq!(
            ends(-17 * MINUTE, -hour),
            Some((-4, Sign::EarlierAtTheEnd)),
            "the file may be a copy"
        );
        assert_eq!(
            of_ends(Some(at(written, -hour)), at(written, -hour)),
            Some((-4, Sign::EarlierAtTheEnd)),
            "made and written at once"
        );
        assert_eq!(
            of_ends(None, at(written, -hour)),
            Some((-4, Sign::EarlierAtTheEnd))
        );
        for ahead in [0, -SECOND, 5 * MINUTE, -50 * MINUTE, 27 * hour] {
            assert_eq!(ends(ahead, ahead), None, "{ahead}");
        }
    }

    #[test]
    fn a_difference_is_told_in_words() {
        for (quarters, words) in [
            (4, "+1 h"),
            (-14, "-3 h 30 min"),
            (1, "+15 min"),
            (0, "+0 h"),
        ] {
            assert_eq!(in_words(quarters), words);
        }
    }

    proptest! {
        #[test]
        fn no_times_make_it_fail(times in proptest::collection::vec((any::<i64>(), any::<i64>()), 0..50)) {
            let mut skew = Skew::default();
            for (said, seen) in times {
                skew.note(Time(said), Time(seen));
            }
        }
    }
}
