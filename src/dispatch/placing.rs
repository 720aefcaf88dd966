//! Which time a record of a stream gets, and whose turn it is among the files of one stream. Pure.
//!
//! A record keeps its own time as long as that lies behind the batch before it: batches of a
//! stream never share a time, so that what is found in a batch's time is that batch, and an equal
//! line is never taken for one that is stored already. Within a batch records may step back; the
//! batch is put into order when it is sealed.

use std::path::Path;
use std::sync::Arc;

use crate::record::Time;

const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1000 * MILLISECOND;

/// At least so far one file is read ahead of the others, in nanoseconds, and at most.
const AHEAD: (i64, i64) = (SECOND, 1800 * SECOND);
/// About so many turns the files of a stream take within a batch: each costs a read. After so many,
/// or when each file had one, the way ahead is doubled.
const TURNS: usize = 256;
/// At most so many of them are one file's.
const ROUNDS: usize = 16;

/// Gives the records of one batch their times.
#[derive(Debug)]
pub(super) struct Placing {
    /// The time of the last record of the batches before.
    floor: Time,
    /// The time of the latest record.
    newest: Time,
    /// Where the millisecond begins that the latest record itself says: one that had to be moved
    /// into the next one leaves it.
    newest_millisecond: i64,
    /// How far a record may lie behind the latest one, in nanoseconds.
    reach: i64,
}

impl Placing {
    /// For a batch behind `floor`, in which records may lie so far behind the latest one, in
    /// nanoseconds.
    pub(super) fn new(floor: Time, reach: i64) -> Self {
        Self {
            floor,
            newest: floor,
            newest_millisecond: begin_of_millisecond(floor),
            reach,
        }
    }

    /// The time that a record gets whose own is `time`. Within one millisecond records keep the
    /// order in which they come.
    #[inline]
    pub(super) fn place(&self, time: Time) -> Time {
        if time > self.newest {
            return time;
        }
        if time.0 >= self.newest_millisecond {
            return self.newest.next();
        }
        let earliest = self.floor.next();
        if earliest > self.newest {
            return earliest;
        }
        let given = time
            .max(earliest)
            .max(Time(self.newest.0.saturating_sub(self.reach)));
        if given.0 >= self.newest_millisecond {
            return self.newest.next();
        }
        given
    }

    /// A record was taken whose own time is `time`, with another one perhaps.
    #[inline]
    pub(super) fn note(&mut self, time: Time, given: Time) {
        self.newest = self.newest.max(given);
        if time.0.saturating_sub(self.newest_millisecond) >= MILLISECOND {
            self.newest_millisecond = begin_of_millisecond(time);
        }
    }

    /// The time of the latest record; that of the batches before where there is none.
    pub(super) fn newest(&self) -> Time {
        self.newest
    }
}

fn begin_of_millisecond(time: Time) -> i64 {
    time.0.saturating_sub(time.0.rem_euclid(MILLISECOND))
}

/// Whose turn it is among the files that feed a stream.
#[derive(Debug)]
pub(super) struct Turns {
    /// Each with a time before which it holds nothing more; the earliest at the end.
    waiting: Vec<(Time, Arc<Path>)>,
    /// Those of which the next record is too late for the batch.
    put_off: Vec<Arc<Path>>,
    /// How far a file is read ahead of the others, in nanoseconds; nothing when no order is asked.
    ahead: Option<i64>,
    until_doubled: usize,
}

impl Turns {
    /// For a file of which that time is to be found out.
    pub(super) const UNKNOWN: Time = Time(i64::MIN);

    /// Files in their turn. With `ahead`, in nanoseconds, that of the earliest time has the next
    /// turn, and is read no further than so far ahead of the others.
    pub(super) fn new(mut waiting: Vec<(Time, Arc<Path>)>, ahead: Option<i64>) -> Self {
        waiting.reverse();
        if ahead.is_some() {
            waiting.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
        }
        Self {
            ahead: ahead
                .filter(|_| waiting.len() > 1)
                .map(|it| it.clamp(AHEAD.0, AHEAD.1)),
            until_doubled: TURNS.max(waiting.len()),
            waiting,
            put_off: Vec::new(),
        }
    }

    /// The next one, and the time up to which it is to be read.
    pub(super) fn next(&mut self) -> Option<(Arc<Path>, Time)> {
        let (time, origin) = self.waiting.pop()?;
        let until = match (self.ahead, self.waiting.last()) {
            (Some(_), _) if time == Self::UNKNOWN => time,
            (Some(ahead), Some((time, _))) => Time(time.0.saturating_add(ahead)),
            _ => Time(i64::MAX),
        };
        Some((origin, until))
    }

    /// It has more, of this time and later.
    pub(super) fn again(&mut self, time: Time, origin: Arc<Path>) {
        self.until_doubled -= 1;
        if self.until_doubled == 0 {
            self.until_doubled = TURNS.max(self.waiting.len() + 1);
            self.ahead = self.ahead.map(|ahead| (2 * ahead).min(AHEAD.1));
        }
        let at = self.waiting.partition_point(|(other, _)| *other > time);
        self.waiting.insert(at, (time, origin));
    }

    /// What it has comes too late for the batch.
    pub(super) fn put_off(&mut self, origin: Arc<Path>) {
        self.put_off.push(origin);
    }

    /// Whether one comes too late.
    pub(super) fn has_put_off(&self) -> bool {
        !self.put_off.is_empty()
    }

    /// Those that had no turn any more or come too late, in their order.
    pub(super) fn left(self) -> impl Iterator<Item = Arc<Path>> {
        let waiting = self.waiting.into_iter().rev().map(|(_, origin)| origin);
        waiting.chain(self.put_off)
    }

    /// How far to read ahead, in nanoseconds, in the batch after one that reached from `first` to
    /// `last`, for so many files.
    pub(super) fn ahead_after(first: Time, last: Time, files: usize) -> i64 {
        let rounds = (TURNS / files.max(1)).clamp(1, ROUNDS);
        last.nanos_since(first) / i64::try_from(rounds).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3600 * SECOND;

    fn placed(floor: i64, reach: i64, times: &[i64]) -> Vec<i64> {
        let mut placing = Placing::new(Time(floor), reach);
        let place = |time: &i64| {
            let given = placing.place(Time(*time));
            placing.note(Time(*time), given);
            given.0
        };
        times.iter().map(place).collect()
    }

    #[test]
    fn a_record_keeps_its_time_within_what_its_batch_and_those_before_it_permit() {
        let ms = MILLISECOND;
        let table: &[(&str, i64, &[i64], &[i64])] = &[
            ("rising", 0, &[5 * ms, 6 * ms], &[5 * ms, 6 * ms]),
            (
                "equal",
                0,
                &[5 * ms, 5 * ms, 5 * ms],
                &[5 * ms, 5 * ms + 1, 5 * ms + 2],
            ),
            (
                "back within a millisecond",
                0,
                &[5 * ms + 9, 5 * ms],
                &[5 * ms + 9, 5 * ms + 10],
            ),
            (
                "equal, across the end of a millisecond",
                0,
                &[5 * ms - 2, 5 * ms - 2, 5 * ms - 2, 5 * ms - 2],
                &[5 * ms - 2, 5 * ms - 1, 5 * ms, 5 * ms + 1],
            ),
            (
                "behind the last batch, across the end of a millisecond",
                5 * ms - 2,
                &[3 * ms, 3 * ms, 3 * ms],
                &[5 * ms - 1, 5 * ms, 5 * ms + 1],
            ),
            (
                "back further",
                0,
                &[5 * ms, 3 * ms, 4 * ms],
                &[5 * ms, 3 * ms, 4 * ms],
            ),
            (
                "behind the last batch",
                8 * ms,
                &[5 * ms, 9 * ms],
                &[8 * ms + 1, 9 * ms],
            ),
            (
                "behind it, later",
                8 * ms,
                &[11 * ms, 5 * ms],
                &[11 * ms, 8 * ms + 1],
            ),
            (
                "as the last batch",
                8 * ms,
                &[8 * ms, 8 * ms],
                &[8 * ms + 1, 8 * ms + 2],
            ),
            (
                "too far back",
                0,
                &[50 * HOUR, HOUR],
                &[50 * HOUR, 27 * HOUR],
            ),
        ];
        for (what, floor, times, expected) in table {
            assert_eq!(placed(*floor, 23 * HOUR, times), *expected, "{what}");
        }
    }

    proptest! {
        #[test]
        fn no_record_lies_before_the_last_batch_or_out_of_reach(
            floor in 0i64..20 * MILLISECOND,
            times in proptest::collection::vec(0i64..40 * MILLISECOND, 1..50),
        ) {
            let reach = 10 * MILLISECOND;
            let given = placed(floor, reach, &times);
            let mut newest = 0;
            for (time, given) in times.iter().zip(&given) {
                prop_assert!(*given > floor && *given >= newest - reach, "{given}");
                // In order, or in an earlier millisecond: then the batch is sorted.
                prop_assert!(*given > newest || *given / MILLISECOND < newest / MILLISECOND);
                prop_assert!(given >= time);
                newest = newest.max(*given);
            }
        }

        #[test]
        fn files_are_read_in_the_order_of_their_times(
            files in proptest::collection::vec(
                proptest::collection::vec(0i64..5000, 1..40), 2..5),
        ) {
            // Seconds; each file for itself in order.
            let path = |index: usize| -> Arc<Path> { Path::new(&index.to_string()).into() };
            let mut left: Vec<Vec<i64>> = files
                .iter()
                .map(|file| {
                    let mut file = file.clone();
                    file.sort_unstable_by(|a, b| b.cmp(a));
                    file
                })
                .collect();
            let waiting = (0..left.len()).map(|index| (Time::default(), path(index))).collect();
            let mut turns = Turns::new(waiting, Some(0));
            let mut newest = 0;
            let mut calls = 0;
            while let Some((origin, until)) = turns.next() {
                calls += 1;
                let index: usize = origin.to_str().unwrap().parse().unwrap();
                while let Some(time) = left[index].last().map(|it| it * SECOND) {
                    if time > until.0 {
                        turns.again(Time(time), origin);
                        break;
                    }
                    left[index].pop();
                    // No further back than one file is read ahead.
                    prop_assert!(time >= newest - AHEAD.1, "{time} after {newest}");
                    if calls < TURNS {
                        prop_assert!(time >= newest - AHEAD.0, "{time} after {newest}");
                    }
                    newest = newest.max(time);
                }
            }
            prop_assert!(left.iter().all(Vec::is_empty));
            prop_assert_eq!(turns.left().count(), 0);
        }
    }

    #[test]
    fn without_a_backlog_files_take_turns_to_their_end() {
        let paths: Vec<Arc<Path>> = ["/b", "/a", "/c"].map(|it| Path::new(it).into()).into();
        let waiting = || {
            (0..)
                .map(Time)
                .zip(paths.iter().rev().map(Arc::clone))
                .collect()
        };
        let mut turns = Turns::new(waiting(), None);
        for path in paths.iter().rev() {
            assert_eq!(turns.next(), Some((Arc::clone(path), Time(i64::MAX))));
        }
        let mut turns = Turns::new(waiting(), None);
        turns.next();
        assert_eq!(
            turns.left().collect::<Vec<_>>(),
            [paths[1].clone(), paths[0].clone()]
        );
    }
}
