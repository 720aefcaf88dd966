//! Sends a batch, or a part of one, again and again until what it came to is known. Decides what
//! follows from each answer; what may be stored already is looked for before it is sent again.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::pace::Pace;
use super::retry::Gate;
use super::tell::Teller;
use super::{Answer, Beside, Class, Delivery, Doubts, Look};
use crate::batch::opened::OpenError;
use crate::batch::{Batch, StreamId};
use crate::crash_point;

/// So many requests of one output are under way at once, each of another stream.
const MAX_REQUESTS: usize = 8;
/// What was stored is taken to be visible after this; until then "not seen" means nothing.
const VISIBLE_AFTER: Duration = Duration::from_secs(5);
/// The first pause between two looks; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// What was throttled so often in a row may be too large to pass at all.
const THROTTLES: u32 = 3;
/// Of more streams than this it is not remembered that they work.
const MOST_PROVEN: usize = 10_000;

/// The sending side of one output, shared by its couriers.
pub(super) struct Attempts {
    pub(super) delivery: Delivery,
    pub(super) started: Instant,
    gate: Gate,
    pace: Mutex<Pace>,
    permits: Semaphore,
    /// Reading back has a small quota: one at a time.
    looking: Semaphore,
    /// One part of a batch at a time has a body besides the batch's own.
    pub(super) cutting: Semaphore,
    /// One body at a time comes back that was put away.
    pub(super) lending: Arc<Semaphore>,
    /// Streams that took a record.
    proven: Mutex<HashSet<StreamId>>,
    pub(super) teller: Teller,
}

/// What sending came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// All records are stored.
    Taken,
    /// All but those that the answer names.
    TakenBut(Answer),
    /// All but these, of which nothing is known.
    Missing(Vec<Range<u32>>),
    /// None of them is known to be stored, and they will not be as they are.
    Refused(Answer),
}

/// What comes next.
enum Step {
    Ended(Outcome),
    Again,
    Pause(Duration),
}

/// It may be stored already.
#[derive(Debug)]
pub(super) struct Doubt {
    /// From here on the time until it must be visible is counted.
    since: Instant,
    pause: Duration,
}

impl Doubt {
    pub(super) fn since(since: Instant) -> Self {
        Self {
            since,
            pause: FIRST_PAUSE,
        }
    }
}

/// The records of the same batch that may lie in the time of what is looked for.
pub(super) type WhatIsBeside<'a> = dyn Fn() -> Result<Vec<Beside>, OpenError> + Sync + 'a;

/// How it stands with what is being sent.
struct Course<'a> {
    batch: &'a Batch,
    beside: &'a WhatIsBeside<'a>,
    doubt: Option<Doubt>,
    /// It was sent again although it may have been stored.
    is_unsure: bool,
    throttles: u32,
}

impl Attempts {
    pub(super) fn new(delivery: Delivery) -> Self {
        let started = Instant::now();
        Self {
            teller: Teller::new(&delivery.health, &delivery.metrics),
            delivery,
            started,
            gate: Gate::new(),
            pace: Mutex::new(Pace::new(started)),
            permits: Semaphore::new(MAX_REQUESTS),
            looking: Semaphore::new(1),
            cutting: Semaphore::new(1),
            lending: Arc::new(Semaphore::new(1)),
            proven: Mutex::default(),
        }
    }

    /// Sends a batch, or a part of one, until it is known what that comes to. With a doubt it
    /// may be stored already; so may records `beside` it. Says too whether what was sent may have
    /// been stored before.
    pub(super) async fn attempt(
        &self,
        batch: &Batch,
        beside: &WhatIsBeside<'_>,
        doubt: Option<Doubt>,
    ) -> (Outcome, bool) {
        let mut course = Course {
            batch,
            beside,
            doubt,
            is_unsure: false,
            throttles: 0,
        };
        loop {
            let step = match self.settle(&mut course).await {
                Some(step) => step,
                None => self.send(&mut course).await,
            };
            match step {
                Step::Ended(outcome) => return (outcome, course.is_unsure),
                Step::Again => {}
                Step::Pause(pause) => tokio::time::sleep(pause).await,
            }
        }
    }

    /// Does what must be done before what is in doubt may be sent; nothing when it may be.
    async fn settle(&self, course: &mut Course<'_>) -> Option<Step> {
        let open = course.doubt.as_mut()?;
        let batch = course.batch;
        let doubts = self.delivery.sender.doubts();
        match doubts {
            Doubts::None => {
                course.doubt = None;
                course.is_unsure = true;
                return None;
            }
            Doubts::Counted => {
                self.teller
                    .count_doubtful(batch, "reading back is switched off");
                course.doubt = None;
                course.is_unsure = true;
                return None;
            }
            Doubts::Looked | Doubts::Required => {}
        }
        // The semaphores are never closed.
        let looking = self.looking.acquire().await;
        let permit = self.permits.acquire().await;
        let turn = self.gate.pass().await;
        let started = Instant::now();
        let look = match (course.beside)() {
            Ok(beside) => self.delivery.sender.look_for(batch, &beside).await,
            Err(error) => Look::CannotTell(error.to_string()),
        };
        crash_point::pass("looked_for");
        let must_be_visible = started >= open.since + VISIBLE_AFTER;
        let step = match look {
            Look::Stored => {
                self.gate.succeeded();
                Some(Step::Ended(Outcome::Taken))
            }
            Look::Absent | Look::StoredBut(_) | Look::Partly(_) if !must_be_visible => {
                let visible_in = (open.since + VISIBLE_AFTER).saturating_duration_since(started);
                let pause = open.pause.min(visible_in);
                open.pause *= 2;
                Some(Step::Pause(pause))
            }
            Look::StoredBut(missing) => {
                self.gate.succeeded();
                Some(Step::Ended(Outcome::Missing(missing)))
            }
            Look::Absent => {
                course.doubt = None;
                None
            }
            Look::CannotTell(why) | Look::Partly(why) if doubts == Doubts::Required => {
                let sentence = format!("cannot tell whether a batch is stored: {why}");
                let answer = Answer::new(Class::Hold, "unverified", sentence);
                self.gate.failed(started, None);
                self.teller.tell_failed(batch, &answer);
                Some(Step::Again)
            }
            Look::CannotTell(why) | Look::Partly(why) => {
                self.teller.count_doubtful(batch, &why);
                course.doubt = None;
                course.is_unsure = true;
                None
            }
            Look::Failed(answer) => {
                self.gate.failed(started, answer.retry_after);
                self.teller.tell_failed(batch, &answer);
                Some(Step::Again)
            }
        };
        drop((turn, permit, looking));
        step
    }

    /// Sends once.
    async fn send(&self, course: &mut Course<'_>) -> Step {
        let batch = course.batch;
        let bytes = batch.sealed.uncompressed;
        let permit = self.permits.acquire().await;
        let wait = self.pace().turn(bytes, Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let turn = self.gate.pass().await;
        let started = Instant::now();
        let answer = self.delivery.sender.send(batch).await;
        self.teller.count(batch, &answer);
        let now = Instant::now();
        if matches!(answer.class, Class::Delivered | Class::Partial) {
            self.pace().taken(bytes, now);
        }
        let step = match answer.class {
            Class::Delivered => {
                crash_point::pass("stored");
                self.gate.succeeded();
                Step::Ended(Outcome::Taken)
            }
            Class::Partial => {
                crash_point::pass("stored");
                self.gate.succeeded();
                Step::Ended(Outcome::TakenBut(answer))
            }
            Class::Split | Class::Refused => {
                // It answers: others may pass.
                self.gate.succeeded();
                self.teller.note_answered();
                Step::Ended(Outcome::Refused(answer))
            }
            Class::Retry | Class::Hold => {
                self.gate.failed(started, answer.retry_after);
                self.teller.tell_failed(batch, &answer);
                if answer.reason == "throttled" {
                    self.pace().throttled(started, now);
                    course.throttles += 1;
                }
                if answer.may_be_too_large
                    && course.throttles >= THROTTLES
                    && batch.sealed.records > 1
                {
                    Step::Ended(Outcome::Refused(answer))
                } else {
                    Step::Again
                }
            }
            Class::Open => {
                self.gate.failed(started, answer.retry_after);
                self.teller.tell_failed(batch, &answer);
                // A request whose answer was lost may still be at work until its own deadline.
                let put_at = answer.put_at.unwrap_or(started);
                course.doubt = Some(Doubt::since(now.max(put_at + batch.deadline)));
                Step::Again
            }
        };
        drop((turn, permit));
        step
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers whether a stream is seen to work.
    pub(super) fn note_proven(&self, stream: StreamId, is_proven: bool) {
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_proven {
            proven.remove(&stream);
            return;
        }
        if proven.len() >= MOST_PROVEN {
            // What is forgotten is proven again by the next record.
            proven.clear();
        }
        proven.insert(stream);
    }

    /// Whether a stream was seen to work.
    pub(super) fn is_proven(&self, stream: StreamId) -> bool {
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven.contains(&stream)
    }
}
