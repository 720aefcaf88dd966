//! A moment by both clocks. Only reads them; whether the wall clock was set is for others to say.

use std::time::{Duration, Instant, SystemTime};

use crate::record::Time;

/// Two readings that take longer than this are not of one moment.
const AT_ONCE: Duration = Duration::from_millis(1);
/// So often the clocks are read at most.
const TRIES: usize = 8;

/// The moment of a look, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// For intervals.
    pub(crate) now: Instant,
    /// For records.
    pub(crate) time: Time,
}

impl Moment {
    /// This moment.
    pub(crate) fn now() -> Self {
        Self::of(|| {
            let moment = Self {
                now: Instant::now(),
                time: SystemTime::now().into(),
            };
            (moment, moment.now.elapsed())
        })
    }

    /// Where the processor is taken away between the two clocks the wall clock seems to be set: then
    /// they are read again. `read` says too how long it took.
    fn of(mut read: impl FnMut() -> (Self, Duration)) -> Self {
        let (mut moment, mut took) = read();
        for _ in 1..TRIES {
            if took <= AT_ONCE {
                break;
            }
            (moment, took) = read();
        }
        moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_were_not_read_at_once_are_read_again() {
        let now = Instant::now();
        let took = |millis: &[u64]| {
            let mut readings = millis.iter().map(|it| Duration::from_millis(*it));
            let mut count = 0;
            let moment = Moment::of(|| {
                count += 1;
                let moment = Moment {
                    now,
                    time: Time(count),
                };
                (moment, readings.next().unwrap_or(Duration::from_secs(1)))
            });
            moment.time.0
        };
        assert_eq!(took(&[0, 0]), 1);
        assert_eq!(took(&[70, 2, 1, 0]), 3);
        // It is not waited for ever.
        assert_eq!(took(&[]), 8);
    }
}
