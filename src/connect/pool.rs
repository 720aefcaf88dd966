//! Connections that wait for their next request: each for a while, and none for ever. A new
//! connection looks its name up again, so their end is also how a change in DNS is followed.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;

use super::dial::Dialed;
use super::{Failure, Target};

/// The connections of one output.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Duration,
    lifetime: Duration,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    kept: Vec<Kept>,
    /// Whether a task looks after them.
    is_tended: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) sender: SendRequest<Full<Bytes>>,
    target: Target,
    was_asked: Arc<AtomicBool>,
    used: Instant,
    ends: Instant,
}

impl Pool {
    pub(super) fn new(idle: Duration, lifetime: Duration) -> Self {
        Self {
            idle,
            lifetime,
            waiting: Arc::default(),
        }
    }

    /// A connection to use again, the one that was used last.
    pub(super) fn take(&self, target: &Target) -> Option<Kept> {
        let mut waiting = lock(&self.waiting);
        waiting.drop_old(self.idle);
        let at = waiting.kept.iter().rposition(|it| it.target == *target)?;
        Some(waiting.kept.remove(at))
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn put(&self, mut kept: Kept) {
        if self.idle.is_zero() {
            return;
        }
        kept.used = Instant::now();
        let mut waiting = lock(&self.waiting);
        waiting.kept.push(kept);
        if !std::mem::replace(&mut waiting.is_tended, true) {
            tokio::spawn(tend(Arc::downgrade(&self.waiting), self.idle));
        }
    }

    /// When a connection made now ends: give or take a tenth, so that those of many agents do not
    /// end together.
    fn end(&self) -> Instant {
        let random = u32::try_from(RandomState::new().hash_one(0) % 200).unwrap_or(0);
        Instant::now() + self.lifetime * (900 + random) / 1000
    }
}

/// Closes what has waited too long, until nothing waits any more.
async fn tend(waiting: Weak<Mutex<Waiting>>, idle: Duration) {
    loop {
        tokio::time::sleep(idle).await;
        let Some(waiting) = waiting.upgrade() else {
            return;
        };
        let mut waiting = lock(&waiting);
        waiting.drop_old(idle);
        if waiting.kept.is_empty() {
            waiting.is_tended = false;
            return;
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Waiting {
    fn drop_old(&mut self, idle: Duration) {
        let now = Instant::now();
        self.kept
            .retain(|it| !it.sender.is_closed() && it.ends > now && it.used + idle > now);
    }
}

impl Kept {
    /// Speaks HTTP over a new connection.
    pub(super) async fn begin(
        target: Target,
        dialed: Dialed,
        pool: &Pool,
    ) -> Result<Self, Failure> {
        let Dialed { stream, was_asked } = dialed;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Failure::broken(&target, &error, was_asked.load(Ordering::Relaxed)))?;
        tokio::spawn(async move {
            // Whoever sends learns of an error too.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            target,
            was_asked,
            used: Instant::now(),
            ends: pool.end(),
        })
    }

    /// Whether the server asked for a certificate of ours.
    pub(super) fn was_asked(&self) -> bool {
        self.was_asked.load(Ordering::Relaxed)
    }
}
