//! When the next attempt is made. The only file that knows the `backoff` crate, which is no
//! longer maintained (deny.toml says why it stays).

use std::sync::Mutex;
use std::time::{Duration, Instant};

use backoff::ExponentialBackoffBuilder;
use backoff::SystemClock;
use backoff::backoff::Backoff as _;
use backoff::exponential::ExponentialBackoff;
use tokio::sync::MutexGuard;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
const FIRST_SLOW: Duration = Duration::from_secs(5);
const LONGEST_SLOW: Duration = Duration::from_mins(5);
/// However long the backend asks to wait, it is tried again after this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);
/// A wait is drawn from this much around the exponential value, so that many agents that failed
/// together do not come back together.
const JITTER: f64 = 0.5;

/// Waits that grow, each with jitter, for ever.
#[derive(Debug)]
pub(super) struct Backoff {
    inner: ExponentialBackoff<SystemClock>,
    longest: Duration,
}

impl Backoff {
    fn new(first: Duration, longest: Duration) -> Self {
        let inner = ExponentialBackoffBuilder::new()
            .with_initial_interval(first)
            .with_max_interval(longest)
            .with_multiplier(2.0)
            .with_randomization_factor(JITTER)
            .with_max_elapsed_time(None)
            .build();
        Self { inner, longest }
    }

    /// For a destination that does not answer as it should.
    fn usual() -> Self {
        Self::new(FIRST, LONGEST)
    }

    /// For a batch that is refused.
    pub(super) fn slow() -> Self {
        Self::new(FIRST_SLOW, LONGEST_SLOW)
    }

    /// For what no line waits for.
    pub(super) fn patient() -> Self {
        Self::new(FIRST, LONGEST_SLOW)
    }

    /// The next wait.
    pub(super) fn next(&mut self) -> Duration {
        self.inner.next_backoff().unwrap_or(self.longest)
    }
}

/// Lets requests of an output through: all of them while it answers, one at a time and after a
/// wait while it does not.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    backoff: Backoff,
    /// While the output fails: when it may be tried again, and when it failed last.
    failing: Option<(Instant, Instant)>,
}

impl Gate {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                backoff: Backoff::usual(),
                failing: None,
            }),
            turn: tokio::sync::Mutex::new(()),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Waits until a request may be sent. While what is returned is held and the output fails,
    /// no other one passes.
    pub(super) async fn pass(&self) -> Option<MutexGuard<'_, ()>> {
        self.state().failing?;
        let turn = self.turn.lock().await;
        loop {
            let (not_before, _) = self.state().failing?;
            let now = Instant::now();
            if now >= not_before {
                return Some(turn);
            }
            tokio::time::sleep_until(not_before.into()).await;
        }
    }

    /// A request that was begun at `started` failed.
    pub(super) fn failed(&self, started: Instant, retry_after: Option<Duration>) {
        let mut state = self.state();
        // Requests that were under way together fail together: that is one failure.
        if state.failing.is_some_and(|(_, failed)| started < failed) {
            return;
        }
        let now = Instant::now();
        let wait = state
            .backoff
            .next()
            .max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER));
        state.failing = Some((now + wait, now));
    }

    /// A request succeeded.
    pub(super) fn succeeded(&self) {
        let mut state = self.state();
        if state.failing.take().is_some() {
            state.backoff = Backoff::usual();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_never_end() {
        let mut backoff = Backoff::usual();
        let waits: Vec<Duration> = (0..100).map(|_| backoff.next()).collect();
        assert!(waits[0] <= FIRST.mul_f64(1.0 + JITTER));
        assert!(waits[20..].iter().all(|&wait| {
            wait >= LONGEST.mul_f64(1.0 - JITTER) && wait <= LONGEST.mul_f64(1.0 + JITTER)
        }));
    }

    #[tokio::test]
    async fn while_an_output_fails_one_request_passes_at_a_time() {
        let gate = Gate::new();
        assert!(gate.pass().await.is_none(), "all pass while it answers");
        let before = Instant::now();
        gate.failed(before, None);
        let turn = gate.pass().await;
        assert!(turn.is_some());
        assert!(before.elapsed() >= FIRST.mul_f64(1.0 - JITTER));
        tokio::select! {
            biased;
            _ = gate.pass() => panic!("a second one passed"),
            () = tokio::task::yield_now() => {}
        }
        gate.succeeded();
        drop(turn);
        assert!(gate.pass().await.is_none());
    }

    #[tokio::test]
    async fn requests_that_fail_together_count_once() {
        let gate = Gate::new();
        let started = Instant::now();
        gate.failed(started, None);
        let first = gate.state().failing;
        for _ in 0..10 {
            gate.failed(started, Some(Duration::from_mins(1)));
        }
        assert_eq!(gate.state().failing, first);
    }
}
