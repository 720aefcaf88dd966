//! Why something does not work at the moment, in words, and whether the agent's own loops turn.
//! Shared by those who find out and those who are asked.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

use crate::batch::StreamId;

/// A loop that has not turned for this long hangs.
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// What the whole agent knows of itself.
#[derive(Debug)]
pub(crate) struct Health {
    started: Instant,
    worker_beat: AtomicU64,
    troubles: Mutex<BTreeMap<&'static str, Trouble>>,
    /// What is on its way is to be taken up again as after a restart.
    anew: Notify,
}

/// Something that is wrong with the agent itself.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    /// What is wrong, and how to mend it.
    pub(crate) sentence: String,
    /// Since when.
    pub(crate) since: SystemTime,
}

impl Health {
    /// All well.
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            worker_beat: AtomicU64::new(0),
            troubles: Mutex::new(BTreeMap::new()),
            anew: Notify::new(),
        }
    }

    /// Asks that what is on its way be taken up again as after a restart.
    pub(crate) fn ask_to_begin_anew(&self) {
        self.anew.notify_one();
    }

    /// Waits until somebody asks for that.
    pub(crate) async fn asked_to_begin_anew(&self) {
        self.anew.notified().await;
    }

    /// The reading loop turned once more.
    pub(crate) fn beat(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.worker_beat.store(millis, Ordering::Relaxed);
    }

    /// Whether the reading loop turns.
    pub(crate) fn is_alive(&self) -> bool {
        let beat = Duration::from_millis(self.worker_beat.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(beat) < STUCK_AFTER
    }

    /// How long the agent has been running.
    pub(crate) fn uptime(&self) -> Duration {
        self.started.elapsed()
    }

    /// Notes what is wrong with a part, or that it is well again.
    pub(crate) fn set_trouble(&self, part: &'static str, sentence: Option<String>) {
        let mut troubles = lock(&self.troubles);
        match sentence {
            None => {
                troubles.remove(part);
            }
            Some(sentence) => {
                let since = troubles
                    .get(part)
                    .map_or_else(SystemTime::now, |it| it.since);
                troubles.insert(part, Trouble { sentence, since });
            }
        }
    }

    /// What is wrong now, by part.
    pub(crate) fn troubles(&self) -> BTreeMap<&'static str, Trouble> {
        lock(&self.troubles).clone()
    }
}

/// Why an output does not deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// One word for metrics.
    pub(crate) reason: &'static str,
    /// What the destination answered, and what would mend it.
    pub(crate) sentence: String,
    /// Since when.
    pub(crate) since: SystemTime,
}

/// What is known of one output.
#[derive(Debug)]
pub(crate) struct OutputHealth {
    /// The output's name.
    pub(crate) name: String,
    state: Mutex<OutputState>,
}

#[derive(Debug, Default, Clone)]
struct OutputState {
    blocked: Option<Blocked>,
    /// Streams that wait while others may go on.
    held: BTreeMap<StreamId, Blocked>,
    last_error: Option<(SystemTime, String)>,
    last_delivered: Option<SystemTime>,
}

impl OutputHealth {
    /// An output of which nothing is known yet.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: Mutex::default(),
        }
    }

    /// A request came to nothing.
    pub(crate) fn failed(&self, reason: &'static str, sentence: &str) {
        let mut state = lock(&self.state);
        let now = SystemTime::now();
        state.last_error = Some((now, sentence.to_owned()));
        let earlier = state.blocked.take();
        let since = earlier.map_or(now, |blocked| blocked.since);
        state.blocked = Some(Blocked {
            reason,
            sentence: sentence.to_owned(),
            since,
        });
    }

    /// A batch was delivered. Returns why the output was blocked until now.
    pub(crate) fn delivered(&self) -> Option<Blocked> {
        let mut state = lock(&self.state);
        state.last_delivered = Some(SystemTime::now());
        state.blocked.take()
    }

    /// It answers, if not as it should.
    pub(crate) fn answered(&self) {
        lock(&self.state).blocked = None;
    }

    /// One of its streams waits. Returns whether this is news.
    pub(crate) fn stream_is_held(
        &self,
        stream: StreamId,
        reason: &'static str,
        sentence: &str,
    ) -> bool {
        let mut state = lock(&self.state);
        let now = SystemTime::now();
        state.last_error = Some((now, sentence.to_owned()));
        let earlier = state.held.get(&stream);
        let is_news = earlier.is_none_or(|held| held.reason != reason);
        let since = earlier.map_or(now, |held| held.since);
        let held = Blocked {
            reason,
            sentence: sentence.to_owned(),
            since,
        };
        state.held.insert(stream, held);
        is_news
    }

    /// A stream waits no longer.
    pub(crate) fn stream_goes_on(&self, stream: StreamId) {
        lock(&self.state).held.remove(&stream);
    }

    /// No stream waits.
    pub(crate) fn streams_go_on(&self) {
        lock(&self.state).held.clear();
    }

    /// A stream waits no longer for this reason. Returns whether it waits for none.
    pub(crate) fn stream_goes_on_from(&self, stream: StreamId, reason: &'static str) -> bool {
        let held = &mut lock(&self.state).held;
        if held.get(&stream).is_some_and(|it| it.reason == reason) {
            held.remove(&stream);
        }
        !held.contains_key(&stream)
    }

    /// Why it, or one of its streams, does not deliver at the moment.
    pub(crate) fn blocked(&self) -> Option<Blocked> {
        let state = lock(&self.state);
        let oldest = state.held.values().min_by_key(|held| held.since);
        state.blocked.as_ref().or(oldest).cloned()
    }

    /// The last thing that went wrong, and when.
    pub(crate) fn last_error(&self) -> Option<(SystemTime, String)> {
        lock(&self.state).last_error.clone()
    }

    /// When a batch was last delivered.
    pub(crate) fn last_delivered(&self) -> Option<SystemTime> {
        lock(&self.state).last_delivered
    }
}

/// Locks a mutex whose holders never panic in the middle of a change.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
