//! What the receiver's thread and its owner share: one lock over everything that arrived, a
//! condition for those who wait for it, and the signal that frees hanging requests.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::faults::{FaultState, Faults, Verdict};
use super::ledger::Ledger;
use super::options::{Backend, Options};
use super::summary::Summary;
use super::{cloudwatch, loki};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    state: Mutex<State>,
    changed: Condvar,
    /// Room for a decompressed body, used again for each request.
    pub(super) room: Mutex<Vec<u8>>,
    /// How often the hanging requests of each backend were freed.
    freed: watch::Sender<[u64; 2]>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) ledgers: [Ledger; 2],
    pub(super) faults: [FaultState; 2],
    pub(super) loki: loki::Streams,
    pub(super) cloudwatch: cloudwatch::Groups,
}

impl State {
    pub(super) fn ledger(&mut self, backend: Backend) -> &mut Ledger {
        &mut self.ledgers[backend.index()]
    }

    pub(super) fn faults(&mut self, backend: Backend) -> &mut FaultState {
        &mut self.faults[backend.index()]
    }

    pub(super) fn total(&self) -> Summary {
        let [loki, cloudwatch] = &self.ledgers;
        let mut total = loki.summary.clone();
        total.add(&cloudwatch.summary);
        total
    }
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        let state = State {
            ledgers: [Ledger::new(options.keep), Ledger::new(options.keep)],
            faults: <[FaultState; 2]>::default(),
            loki: loki::Streams::default(),
            cloudwatch: cloudwatch::Groups::default(),
        };
        Self {
            options,
            state: Mutex::new(state),
            changed: Condvar::new(),
            room: Mutex::new(Vec::new()),
            freed: watch::Sender::new([0; 2]),
        }
    }

    /// The counts stay true even if a thread panicked while it held the lock, so such a lock
    /// is taken all the same.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something and wakes those who wait.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let value = change(&mut self.lock());
        self.changed.notify_all();
        value
    }

    pub(super) fn set_faults(&self, backend: Backend, faults: Faults) {
        self.change(|state| {
            state.faults(backend).set(faults);
            self.free(backend);
        });
    }

    pub(super) fn pause(&self, backend: Backend, paused: bool) {
        self.change(|state| {
            state.faults(backend).paused = paused;
            if !paused {
                self.free(backend);
            }
        });
    }

    pub(super) fn clear(&self) {
        self.change(|state| {
            for ledger in &mut state.ledgers {
                ledger.clear();
            }
            state.loki = loki::Streams::default();
            state.cloudwatch = cloudwatch::Groups::default();
        });
    }

    /// What is to be done with this request, and how often hanging ones had been freed when
    /// that was decided.
    pub(super) fn decide(&self, backend: Backend, operation: &str) -> (Verdict, u64) {
        let mut state = self.lock();
        let verdict = state.faults(backend).decide(operation);
        (verdict, self.freed.borrow()[backend.index()])
    }

    /// For a request that is to hang: ends when the backend's requests are freed once more.
    pub(super) async fn hang(&self, backend: Backend, before: u64) {
        let mut freed = self.freed.subscribe();
        self.change(|state| state.ledger(backend).summary.hanging += 1);
        let _count = Hanging {
            shared: self,
            backend,
        };
        // The sender lives as long as `self`, so this ends only when the number grows.
        let _ = freed
            .wait_for(|times| times[backend.index()] != before)
            .await;
    }

    pub(super) fn wait_until(
        &self,
        backend: Option<Backend>,
        timeout: Duration,
        mut condition: impl FnMut(&Summary) -> bool,
    ) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            let holds = match backend {
                Some(backend) => condition(&state.ledger(backend).summary),
                None => condition(&state.total()),
            };
            if holds {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Called under the lock, so that no verdict comes between the change and the freeing.
    fn free(&self, backend: Backend) {
        self.freed.send_modify(|times| times[backend.index()] += 1);
    }
}

/// Counts a hanging request out, also when its client goes away.
struct Hanging<'a> {
    shared: &'a Shared,
    backend: Backend,
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        self.shared.change(|state| {
            let summary = &mut state.ledger(self.backend).summary;
            summary.hanging = summary.hanging.saturating_sub(1);
        });
    }
}
