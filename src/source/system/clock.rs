//! How far the wall clock can be trusted to say which of two files is the older: somebody may set
//! it back. Keeps the account of that; knows no file.

use crate::record::Time;
use crate::source::Moment;

/// File systems note times by a clock that ticks this slowly at most, in nanoseconds.
const CLOCK_SLACK: i64 = 15_000_000;
/// What the clock loses against the monotonic one by this much, in nanoseconds, it lost by being
/// set.
const IS_SET: i64 = 100_000_000;

/// When the clock was set back while no agent ran, nobody knows how long that was: at most so long,
/// it is taken, in nanoseconds.
const LONGEST_ABSENCE: i64 = 24 * 3600 * 1_000_000_000;

/// A file is met this soon after it was made, in nanoseconds: a look is made every ten seconds, and
/// noted within as many more.
const MET_WITHIN: i64 = 60_000_000_000;

/// A moment up to which all is known of what was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct Mark {
    pub(in crate::source) time: Time,
    /// By how much the clock had been set back in this run.
    set_back: i64,
}

impl Mark {
    /// The same in an earlier run.
    pub(in crate::source) fn of_time(self, time: Time) -> Self {
        Self { time, ..self }
    }

    /// The earlier of both: what is news since one of them is news since that.
    pub(in crate::source) fn or_earlier(self, other: Option<Self>) -> Self {
        let by_clock = |it: &Self| it.time.0.saturating_add(it.set_back);
        other
            .filter(|it| by_clock(it) < by_clock(&self))
            .unwrap_or(self)
    }
}

/// The account of one run.
#[derive(Debug)]
pub(in crate::source) struct Clock {
    /// When this agent started.
    started: Time,
    last: Moment,
    /// By how much the clock was set back, as far as files are concerned that are there.
    set_back: i64,
    /// By how much it was set back since this run began.
    set_back_in_all: i64,
    /// Every file that was made before this was seen under its name, in this run or before;
    /// nothing before the first look. It is the time of the look before the last one: a file
    /// that was made before the last look may have been renamed while that went on.
    looked_at: Option<Mark>,
    /// When the last look began.
    last_look: Option<Mark>,
}

impl Clock {
    /// The clock of an agent that starts now.
    pub(in crate::source) fn new(at: Moment) -> Self {
        Self {
            started: at.time,
            last: at,
            set_back: 0,
            set_back_in_all: 0,
            looked_at: None,
            last_look: None,
        }
    }

    /// Takes note of the time.
    pub(in crate::source) fn note(&mut self, at: Moment) {
        let last = std::mem::replace(&mut self.last, at);
        let passed = at.now.saturating_duration_since(last.now).as_nanos();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let back = passed.saturating_sub(at.time.nanos_since(last.time));
        if back > IS_SET {
            self.add(back);
        }
    }

    /// Takes up when an earlier run looked last, and when the youngest file was made that is known.
    /// Returns when that was.
    pub(in crate::source) fn resume(
        &mut self,
        looked_at: Option<Time>,
        youngest: Option<Time>,
        at: Moment,
    ) -> Mark {
        // Before the very first look, what is made while the agent starts is not history.
        let begin = self.mark_of(looked_at.unwrap_or(self.started));
        let begin = *self.looked_at.get_or_insert(begin);
        let earlier = begin.time;
        let ahead = earlier.nanos_since(at.time);
        if ahead > IS_SET {
            self.add(ahead.saturating_add(LONGEST_ABSENCE));
        }
        // A file is from the future, or was made long after that look: the clock was set back in an
        // earlier run, and may have been put forward since. By when it was seen that says nothing.
        let ahead = youngest.map_or(0, |youngest| youngest.nanos_since(at.time));
        let later = youngest.map_or(0, |youngest| youngest.nanos_since(earlier));
        let is_set = ahead > IS_SET || later > MET_WITHIN;
        let back = ahead.max(later);
        if is_set && back > self.set_back {
            self.set_back = back.saturating_add(LONGEST_ABSENCE);
        }
        begin
    }

    /// As if nothing had been looked at in this run: an earlier one did at that time.
    pub(in crate::source) fn forget_looks(&mut self, looked_at: Option<Time>) {
        let earlier = looked_at.map(|time| match self.looked_at {
            Some(before) => before.of_time(time),
            None => self.mark_of(time),
        });
        self.looked_at = earlier.or(self.looked_at);
        self.last_look = None;
    }

    /// Every file that was made before this was seen.
    pub(in crate::source) fn looked_at(&self) -> Option<Mark> {
        self.looked_at
    }

    /// A time by the clock as it stands now.
    pub(in crate::source) fn mark_of(&self, time: Time) -> Mark {
        Mark {
            time,
            set_back: self.set_back_in_all,
        }
    }

    fn add(&mut self, back: i64) {
        self.set_back = self.set_back.saturating_add(back);
        self.set_back_in_all = self.set_back_in_all.saturating_add(back);
    }

    /// Whether this run has not looked at all names yet.
    pub(in crate::source) fn is_first_look(&self) -> bool {
        self.last_look.is_none()
    }

    /// All names were looked at.
    pub(in crate::source) fn looked(&mut self, at: Moment) {
        // What follows from a look belongs to it.
        if self.last_look.is_some_and(|it| it.time == at.time) {
            return;
        }
        let before = self.last_look.replace(self.mark_of(at.time));
        self.looked_at = before.or(self.looked_at);
    }

    /// Whether a file that was made then can have been made since all names were looked at.
    pub(in crate::source) fn is_news(&self, birth: Time) -> bool {
        self.looked_at.is_some_and(|it| self.is_since(it, birth))
    }

    /// The same since a moment.
    pub(in crate::source) fn is_since(&self, mark: Mark, birth: Time) -> bool {
        let since = birth.nanos_since(mark.time);
        since.saturating_add(self.set_back_since(mark)) > -CLOCK_SLACK
    }

    fn set_back_since(&self, mark: Mark) -> i64 {
        self.set_back_in_all.saturating_sub(mark.set_back)
    }

    /// Whether a file that was made at `birth` is certainly older than one made at `other`.
    pub(in crate::source) fn is_older(&self, birth: Time, other: Time) -> bool {
        let is_of_a_clock_ahead = other > self.last.time;
        !is_of_a_clock_ahead && other.nanos_since(birth) > self.set_back
    }

    /// Whether the times of files that are met now tell which of them is the older.
    pub(in crate::source) fn tells_order(&self) -> bool {
        let set_back = if self.is_first_look() {
            self.set_back
        } else {
            self.looked_at.map_or(0, |it| self.set_back_since(it))
        };
        set_back == 0
    }

    /// Whether the times of this run can be compared with the births of files.
    pub(in crate::source) fn is_steady(&self) -> bool {
        self.set_back == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn a_clock_that_was_set_back_makes_no_file_older() {
        let begin = Instant::now();
        let at = |seconds: u64, time: i64| Moment {
            now: begin + Duration::from_secs(seconds),
            time: Time(time * 1_000_000_000),
        };
        let second = |time: i64| Time(time * 1_000_000_000);
        let mut clock = Clock::new(at(0, 1000));
        clock.resume(None, None, at(0, 1000));
        clock.looked(at(0, 1000));
        clock.note(at(10, 1010));
        clock.looked(at(10, 1010));
        assert!(clock.is_older(second(990), second(1005)));
        assert!(clock.is_news(second(1005)) && !clock.is_news(second(990)));
        // Set back by 500 s.
        clock.note(at(20, 520));
        assert!(clock.is_news(second(515)) && !clock.is_news(second(400)));
        assert!(!clock.is_older(second(515), second(1005)));
        for (now, time) in [(20, 520), (21, 521)] {
            clock.looked(at(now, time));
        }
        assert!(!clock.is_news(second(515)) && clock.is_news(second(525)));
        // And in the next run the one file is from the future.
        let mut clock = Clock::new(at(30, 530));
        assert!(!clock.is_older(second(525), second(1005)));
        clock.resume(Some(second(1010)), None, at(30, 530));
        assert!(clock.is_news(second(400)) && !clock.is_news(second(400 - 25 * 3600)));
        // It was put forward again while no agent ran.
        let mut clock = Clock::new(at(30, 1030));
        clock.resume(Some(second(520)), Some(second(1005)), at(30, 1030));
        assert!(!clock.is_older(second(525), second(1005)));
        // In one after that, which looked by the new clock, it is put forward again.
        let mut clock = Clock::new(at(40, 540));
        clock.resume(Some(second(520)), Some(second(1005)), at(40, 540));
        clock.note(at(50, 1050));
        assert!(!clock.is_older(second(541), second(1005)));
        assert!(clock.is_news(second(541)) && !clock.is_news(second(400)));
    }
}
