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
        let difference = said.nanos_since(seen);
        let quarters = difference.saturating_add(QUARTER / 2).div_euclid(QUARTER);
        let is_near = difference.saturating_sub(quarters * QUARTER).abs() <= NEAR;
        if !is_near || quarters.abs() > FURTHEST {
            *self = Self::default();
            return None;
        }
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
