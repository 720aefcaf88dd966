//! How often the log says the same: what comes again within a minute is counted, and told with the
//! next time. Takes the time as a value; writes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The same is written at most once in this time.
const AGAIN_AFTER: Duration = Duration::from_mins(1);

/// What was written lately, by a word for it. There are only as many as the program has words.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    said: BTreeMap<&'static str, Said>,
}

#[derive(Debug)]
struct Said {
    at: Instant,
    /// How often it was not written since.
    untold: u64,
}

impl Repeats {
    /// Whether this is to be written now; and how often it was not since it last was.
    pub(crate) fn say(&mut self, what: &'static str, now: Instant) -> Option<u64> {
        let Some(said) = self.said.get_mut(what) else {
            self.said.insert(what, Said { at: now, untold: 0 });
            return Some(0);
        };
        if now.saturating_duration_since(said.at) < AGAIN_AFTER {
            said.untold += 1;
            return None;
        }
        said.at = now;
        Some(std::mem::take(&mut said.untold))
    }
}

/// What is written of something that fails and works again: each reason when it is news, but none
/// more than once a minute, however often they change; and that it works when it was told that it
/// failed.
#[derive(Debug, Default)]
pub(crate) struct Failing {
    repeats: Repeats,
    /// The reason that was written last, while that still holds.
    told: Option<&'static str>,
}

impl Failing {
    /// It fails for this reason. Whether that is to be written, and how often it was not.
    pub(crate) fn fails(&mut self, reason: &'static str, now: Instant) -> Option<u64> {
        if self.told == Some(reason) {
            return None;
        }
        let untold = self.repeats.say(reason, now)?;
        self.told = Some(reason);
        Some(untold)
    }

    /// It works. Whether that is to be written.
    pub(crate) fn works(&mut self) -> bool {
        self.told.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute_with_how_often_it_was_not() {
        let begin = Instant::now();
        let mut repeats = Repeats::default();
        let mut said = Vec::new();
        for second in 0..150 {
            let now = begin + Duration::from_secs(second);
            if let Some(untold) = repeats.say("same", now) {
                said.push((second, untold));
            }
        }
        assert_eq!(said, [(0, 0), (60, 59), (120, 59)]);
        assert_eq!(repeats.say("other", begin), Some(0));
    }

    #[test]
    fn an_output_that_flips_between_two_reasons_writes_two_lines_a_minute() {
        let begin = Instant::now();
        let mut failing = Failing::default();
        let mut lines = 0;
        let mut told = 0;
        for second in 0..600 {
            let now = begin + Duration::from_secs(second);
            let reason = ["throttled", "server_error"][usize::from(second % 2 == 0)];
            if let Some(untold) = failing.fails(reason, now) {
                lines += 1;
                told += 1 + untold;
            }
        }
        assert!((10..=20).contains(&lines), "{lines}");
        assert!(told > 250, "{told} of 600");
    }

    #[test]
    fn that_it_works_is_said_where_it_was_said_that_it_fails() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut failing = Failing::default();
        assert!(!failing.works());
        assert_eq!(failing.fails("down", at(0)), Some(0));
        assert_eq!(failing.fails("down", at(1)), None, "no news");
        assert!(failing.works());
        for second in 2..10 {
            assert_eq!(failing.fails("down", at(second)), None);
            assert!(!failing.works(), "what was not told needs no end");
        }
        // A longer one is told once the minute is over.
        assert_eq!(failing.fails("down", at(59)), None);
        assert_eq!(failing.fails("down", at(61)), Some(9));
        assert_eq!(failing.fails("down", at(200)), None, "it still is");
        assert!(failing.works());
    }
}
