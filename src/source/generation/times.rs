//! When the bytes of a file were written, as far as it can be known without reading them: the
//! moment at which they were first seen, or the file's modification time for a backlog. Pure.

use std::cell::Cell;
use std::collections::VecDeque;

use crate::record::Time;

/// So many marks are kept for a file; beyond that every second one is given up.
const MAX_MARKS: usize = 64;

/// Marks in a file, each saying that bytes up to an offset were there at a time.
#[derive(Debug, Default)]
pub(crate) struct TimeMarks {
    marks: VecDeque<(u64, Time)>,
    /// What lies before this was there before anybody looked.
    live_from: u64,
    /// By how many quarters of an hour the times in the lines are ahead, where that was told.
    off: Cell<Option<i64>>,
}

impl TimeMarks {
    /// What is there so far was last written at `time`, and nobody looked.
    pub(crate) fn note_backlog(&mut self, size: u64, time: Time) {
        self.live_from = self.live_from.max(size);
        self.note(size, time);
    }

    /// Whether the byte at `offset` was seen soon after it was written.
    pub(crate) fn is_live(&self, offset: u64) -> bool {
        offset >= self.live_from
    }

    /// Notes that the times in the lines are ahead by so many quarters of an hour. Returns whether
    /// that is new.
    pub(crate) fn note_off(&self, quarters: i64) -> bool {
        self.off.replace(Some(quarters)).is_none()
    }

    /// By how many quarters of an hour the times in the lines are steadily ahead.
    pub(crate) fn off(&self) -> Option<i64> {
        self.off.get()
    }

    /// The file was seen with `size` bytes; what is new in it is from `time`.
    pub(crate) fn note(&mut self, size: u64, time: Time) {
        if self.marks.back().is_some_and(|&(last, _)| size <= last) {
            return;
        }
        if self.marks.len() == MAX_MARKS {
            let mut is_kept = false;
            self.marks.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
        }
        if self.marks.is_empty() {
            // Most files have no more than one.
            self.marks.reserve_exact(1);
        }
        self.marks.push_back((size, time));
    }

    /// The file has become shorter, and holds the same content.
    pub(crate) fn cut(&mut self, size: u64) {
        while self.marks.back().is_some_and(|&(end, _)| end > size) {
            self.marks.pop_back();
        }
    }

    /// How long the content was at that time, at least.
    pub(in crate::source) fn len_at(&self, time: Time) -> u64 {
        let mut seen = self.marks.iter().rev();
        seen.find(|&&(_, at)| at <= time).map_or(0, |&(end, _)| end)
    }

    /// The time of the byte at `offset`, and the offset up to which it holds.
    pub(crate) fn at(&self, offset: u64) -> Option<(Time, u64)> {
        let next = self.marks.partition_point(|&(end, _)| end <= offset);
        self.marks
            .get(next)
            .or(self.marks.back())
            .map(|&(end, time)| (time, if end <= offset { u64::MAX } else { end }))
    }

    /// Forgets what lies before `offset`: it was read by everyone.
    pub(crate) fn forget_before(&mut self, offset: u64) {
        while self.marks.len() > 1 && self.marks.front().is_some_and(|&(end, _)| end <= offset) {
            self.marks.pop_front();
        }
    }

    /// The time of the oldest byte at or after `offset`.
    pub(crate) fn oldest_from(&self, offset: u64) -> Option<Time> {
        self.at(offset).map(|(time, _)| time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_has_the_time_at_which_it_was_first_seen() {
        let mut marks = TimeMarks::default();
        assert_eq!(marks.at(0), None);
        marks.note(100, Time(1));
        marks.note(100, Time(2));
        marks.note(150, Time(3));
        assert_eq!(marks.at(0), Some((Time(1), 100)));
        assert_eq!(marks.at(99), Some((Time(1), 100)));
        assert_eq!(marks.at(100), Some((Time(3), 150)));
        assert_eq!(
            marks.at(500),
            Some((Time(3), u64::MAX)),
            "bytes not yet noted"
        );
        let lens = [0, 1, 2, 3, 4].map(|time| marks.len_at(Time(time)));
        assert_eq!(lens, [0, 100, 100, 150, 150]);
        marks.forget_before(100);
        assert_eq!(marks.at(0), Some((Time(3), 150)));
    }

    #[test]
    fn what_was_there_before_anybody_looked_is_told_from_what_came_later() {
        let mut marks = TimeMarks::default();
        marks.note_backlog(100, Time(1));
        marks.note(150, Time(2));
        assert!(!marks.is_live(99) && marks.is_live(100) && marks.is_live(149));
        marks.cut(120);
        marks.note_backlog(130, Time(3));
        assert!(!marks.is_live(129) && marks.is_live(130));
        assert!(marks.note_off(4) && !marks.note_off(4));
        assert_eq!(marks.off(), Some(4));
    }

    #[test]
    fn marks_are_bounded_and_stay_in_order() {
        let mut marks = TimeMarks::default();
        for number in 1..10_000 {
            marks.note(number, Time(i64::try_from(number).unwrap()));
        }
        assert!(marks.marks.len() <= MAX_MARKS);
        let mut last = Time(0);
        for offset in 0..10_000 {
            let (time, _) = marks.at(offset).unwrap();
            assert!(time >= last);
            last = time;
        }
    }
}
