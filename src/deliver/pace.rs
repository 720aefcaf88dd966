//! How fast an output is sent to after it throttled: the rate falls at each throttle and climbs
//! while there is none. Pure: time comes in as a value.

use std::time::{Duration, Instant};

/// A throttle leaves this share of the rate.
const DECREASE: f64 = 0.6;
/// Without a throttle the rate climbs by this much in each second, in bytes a second.
const INCREASE: f64 = 512.0 * 1024.0;
/// It never falls below this, in bytes a second.
const LEAST: f64 = 128.0 * 1024.0;
/// What a request costs beside its bytes: destinations count requests too.
const REQUEST: f64 = 16.0 * 1024.0;
/// The bound is lifted when there was no throttle for this long.
const LIFTED_AFTER: Duration = Duration::from_secs(30);
/// The rate that is found is that of so long a time.
const MEASURED_OVER: Duration = Duration::from_secs(2);

/// The pace of one output.
#[derive(Debug)]
pub(super) struct Pace {
    bound: Option<Bound>,
    /// What was taken lately: bytes, fading.
    taken: f64,
    measured_at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Bound {
    /// Bytes a second.
    rate: f64,
    /// When the rate was last changed.
    changed: Instant,
    throttled: Instant,
    /// When the next request may go out.
    next: Instant,
}

impl Pace {
    /// No bound.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            bound: None,
            taken: 0.0,
            measured_at: now,
        }
    }

    /// How long a request of so many bytes must wait. Its turn is taken with this.
    pub(super) fn turn(&mut self, bytes: usize, now: Instant) -> Duration {
        let Some(bound) = &mut self.bound else {
            return Duration::ZERO;
        };
        if now.duration_since(bound.throttled) >= LIFTED_AFTER {
            self.bound = None;
            return Duration::ZERO;
        }
        let climbed = INCREASE * now.duration_since(bound.changed).as_secs_f64();
        bound.rate += climbed;
        bound.changed = now;
        let start = bound.next.max(now);
        bound.next = start + Duration::from_secs_f64((bytes as f64 + REQUEST) / bound.rate);
        start - now
    }

    /// So many bytes were taken.
    pub(super) fn taken(&mut self, bytes: usize, now: Instant) {
        self.fade(now);
        self.taken += bytes as f64 + REQUEST;
    }

    /// A request that was begun at `started` was throttled.
    pub(super) fn throttled(&mut self, started: Instant, now: Instant) {
        self.fade(now);
        let measured = self.taken / MEASURED_OVER.as_secs_f64();
        let rate = match self.bound {
            // Requests that were under way together are throttled together: that is once.
            Some(bound) if started < bound.throttled => return,
            Some(bound) => bound.rate,
            None => measured,
        };
        self.bound = Some(Bound {
            rate: (rate * DECREASE).max(LEAST),
            changed: now,
            throttled: now,
            next: now,
        });
    }

    fn fade(&mut self, now: Instant) {
        let passed = now.duration_since(self.measured_at).as_secs_f64();
        self.taken *= (-passed / MEASURED_OVER.as_secs_f64()).exp();
        self.measured_at = now;
    }

    /// The bound in bytes a second, while there is one.
    #[cfg(test)]
    fn rate(&self) -> Option<f64> {
        self.bound.map(|bound| bound.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn without_a_throttle_nothing_waits() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..100 {
            assert_eq!(pace.turn(MIB, now), Duration::ZERO);
            pace.taken(MIB, now);
        }
    }

    #[test]
    fn a_throttle_slows_down_and_the_rate_climbs_again() {
        let begun = Instant::now();
        let mut now = begun;
        let mut pace = Pace::new(now);
        for _ in 0..100 {
            now += Duration::from_millis(100);
            pace.taken(MIB, now);
        }
        pace.throttled(now, now);
        let first = pace.rate().unwrap();
        let measured = 10.0 * (MIB as f64);
        assert!(first > measured * 0.4 && first < measured * 0.8, "{first}");
        pace.throttled(begun, now);
        assert_eq!(pace.rate(), Some(first), "throttled together");
        now += Duration::from_millis(1);
        pace.throttled(now, now);
        let second = pace.rate().unwrap();
        assert!(second < first);
        assert_eq!(pace.turn(MIB, now), Duration::ZERO);
        let wait = pace.turn(MIB, now).as_secs_f64();
        assert!(
            (wait - (MIB as f64 + REQUEST) / second).abs() < 0.01,
            "{wait}"
        );
        now += Duration::from_secs(10);
        pace.turn(MIB, now);
        assert!(pace.rate().unwrap() > second + 9.0 * INCREASE);
        now += LIFTED_AFTER;
        assert_eq!(pace.turn(MIB, now), Duration::ZERO);
        assert_eq!(pace.rate(), None);
    }

    #[test]
    fn against_a_bucket_of_bytes_it_comes_near_the_rate_that_the_destination_permits() {
        let permitted = 3.0 * (MIB as f64);
        let mut now = Instant::now();
        let begun = now;
        let mut pace = Pace::new(now);
        let (mut tokens, mut filled) = (permitted, now);
        let (mut taken, mut throttled) = (0.0, 0);
        while now - begun < Duration::from_mins(2) {
            now += pace.turn(MIB, now) + Duration::from_millis(5);
            tokens = (tokens + permitted * (now - filled).as_secs_f64()).min(permitted);
            filled = now;
            if tokens >= MIB as f64 {
                tokens -= MIB as f64;
                taken += MIB as f64;
                pace.taken(MIB, now);
            } else {
                throttled += 1;
                pace.throttled(now, now);
                now += Duration::from_millis(250);
            }
        }
        let share = taken / (permitted * 120.0);
        assert!(share > 0.7, "{share}");
        assert!(throttled < 120, "{throttled} throttles in two minutes");
    }

    #[test]
    fn it_never_stops_altogether() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..1000 {
            now += Duration::from_millis(1);
            pace.throttled(now, now);
        }
        assert!(pace.rate().unwrap() >= LEAST);
    }
}
