//! One batch, attempt after attempt, until it is delivered. Decides what follows from each
//! answer; a batch that may be stored already is looked for before it is sent again.

use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::retry::{Backoff, Gate};
use super::{Answer, Class, Delivery, Doubts, Look};
use crate::batch::{Batch, BatchId, StreamId};
use crate::crash_point;
use crate::observe::metrics::OfOutput;

/// So many requests of one output are under way at once, each of another stream.
const MAX_REQUESTS: usize = 8;
/// What was stored is taken to be visible after this; until then "not seen" means nothing.
const VISIBLE_AFTER: Duration = Duration::from_secs(5);
/// The first pause between two looks; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The sending side of one output, shared by its batches.
pub(super) struct Attempts {
    pub(super) delivery: Delivery,
    started: Instant,
    gate: Gate,
    permits: Semaphore,
    /// Reading back has a small quota: one at a time.
    looking: Semaphore,
}

/// What comes next for a batch.
enum Step {
    Done,
    Again,
    Pause(Duration),
}

/// A batch may be stored already.
struct Doubt {
    /// From here on the time until it must be visible is counted.
    since: Instant,
    pause: Duration,
}

impl Doubt {
    fn since(since: Instant) -> Self {
        Self {
            since,
            pause: FIRST_PAUSE,
        }
    }
}

impl Attempts {
    pub(super) fn new(delivery: Delivery) -> Self {
        Self {
            delivery,
            started: Instant::now(),
            gate: Gate::new(),
            permits: Semaphore::new(MAX_REQUESTS),
            looking: Semaphore::new(1),
        }
    }

    /// Sends one batch until it is delivered.
    pub(super) async fn deliver(self: std::sync::Arc<Self>, batch: Batch) -> (StreamId, BatchId) {
        let mut refusals = Backoff::slow();
        let mut doubt = None;
        if batch.is_replay {
            self.delivery
                .metrics
                .replayed
                .get_or_create(&self.label())
                .inc();
            // It was sent before this process was there.
            doubt = Some(Doubt::since(self.started));
        }
        loop {
            let step = match self.settle(&batch, &mut doubt).await {
                Some(step) => step,
                None => self.send(&batch, &mut refusals, &mut doubt).await,
            };
            match step {
                Step::Done => return (batch.stream_id, batch.id),
                Step::Again => {}
                Step::Pause(pause) => tokio::time::sleep(pause).await,
            }
        }
    }

    /// Does what must be done before a batch in doubt may be sent; nothing when it may be.
    async fn settle(&self, batch: &Batch, doubt: &mut Option<Doubt>) -> Option<Step> {
        let open = doubt.as_mut()?;
        let doubts = self.delivery.sender.doubts();
        match doubts {
            Doubts::None => {
                *doubt = None;
                return None;
            }
            Doubts::Counted => {
                self.count_doubtful(batch, "reading back is switched off");
                *doubt = None;
                return None;
            }
            Doubts::Looked | Doubts::Required => {}
        }
        // The semaphores are never closed.
        let looking = self.looking.acquire().await;
        let permit = self.permits.acquire().await;
        let turn = self.gate.pass().await;
        let started = Instant::now();
        let look = self.delivery.sender.look_for(batch).await;
        crash_point::pass("looked_for");
        let step = match look {
            Look::Stored => {
                self.gate.succeeded();
                let answer = Answer::delivered();
                self.count_records(batch, &answer);
                self.tell_delivered(batch, &answer);
                Some(Step::Done)
            }
            Look::Absent if started >= open.since + VISIBLE_AFTER => {
                *doubt = None;
                None
            }
            Look::Absent => {
                let visible_in = (open.since + VISIBLE_AFTER).saturating_duration_since(started);
                let pause = open.pause.min(visible_in);
                open.pause *= 2;
                Some(Step::Pause(pause))
            }
            Look::CannotTell(why) if doubts == Doubts::Required => {
                let sentence = format!("cannot tell whether a batch is stored: {why}");
                let answer = Answer::new(Class::Hold, "unverified", sentence);
                self.gate.failed(started, None);
                self.tell_failed(batch, &answer);
                Some(Step::Again)
            }
            Look::CannotTell(why) => {
                self.count_doubtful(batch, &why);
                *doubt = None;
                None
            }
            Look::Failed(answer) => {
                self.gate.failed(started, answer.retry_after);
                self.tell_failed(batch, &answer);
                Some(Step::Again)
            }
        };
        drop((turn, permit, looking));
        step
    }

    /// Sends a batch once.
    async fn send(&self, batch: &Batch, refusals: &mut Backoff, doubt: &mut Option<Doubt>) -> Step {
        let permit = self.permits.acquire().await;
        let turn = self.gate.pass().await;
        let started = Instant::now();
        let answer = self.delivery.sender.send(batch).await;
        self.count(batch, &answer);
        let step = match answer.class {
            Class::Delivered | Class::Partial { .. } => {
                crash_point::pass("stored");
                self.gate.succeeded();
                self.tell_delivered(batch, &answer);
                Step::Done
            }
            Class::Split | Class::Refused => {
                self.tell_failed(batch, &answer);
                Step::Pause(refusals.next())
            }
            Class::Retry | Class::Hold => {
                self.gate.failed(started, answer.retry_after);
                self.tell_failed(batch, &answer);
                Step::Again
            }
            Class::Open => {
                self.gate.failed(started, answer.retry_after);
                self.tell_failed(batch, &answer);
                // A request whose answer was lost may still be at work until its own deadline.
                let deadline = started + self.delivery.sender.deadline();
                *doubt = Some(Doubt::since(Instant::now().max(deadline)));
                Step::Again
            }
        };
        drop((turn, permit));
        step
    }

    pub(super) fn label(&self) -> OfOutput {
        OfOutput {
            output: self.delivery.health.name.clone(),
        }
    }
}
