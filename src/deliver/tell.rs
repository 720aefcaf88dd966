//! What is counted of each answer, and what the operator is told: news once, and nothing more
//! often than once a minute.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Answer;
use super::cloudwatch::CREATING;
use crate::batch::{Batch, StreamId};
use crate::observe::health::OutputHealth;
use crate::observe::metrics::{Metrics, OfOutput, RecordResult, Records, Requests};
use crate::observe::repeats::{Failing, Repeats};

/// Tells of one output.
#[derive(Debug)]
pub(super) struct Teller {
    health: Arc<OutputHealth>,
    metrics: Arc<Metrics>,
    told: Mutex<Told>,
}

/// What the log was told of an output.
#[derive(Debug, Default)]
struct Told {
    failing: Failing,
    held: Repeats,
    doubtful: Repeats,
}

impl Teller {
    pub(super) fn new(health: &Arc<OutputHealth>, metrics: &Arc<Metrics>) -> Self {
        Self {
            health: Arc::clone(health),
            metrics: Arc::clone(metrics),
            told: Mutex::default(),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, batch: &Batch, answer: &Answer) {
        let requests = Requests {
            output: self.health.name.clone(),
            class: answer.class.name(),
        };
        self.metrics.requests.get_or_create(&requests).inc();
        self.metrics
            .sent_bytes
            .get_or_create(&self.label())
            .inc_by(batch.sealed.body.len() as u64);
    }

    /// Counts records that are stored.
    pub(super) fn count_delivered(&self, records: u32) {
        let delivered = Records {
            output: self.health.name.clone(),
            result: RecordResult::delivered,
        };
        let counter = self.metrics.records.get_or_create(&delivered);
        counter.inc_by(u64::from(records));
    }

    /// Counts bytes of a body, before compression, that was stored.
    pub(super) fn count_bytes(&self, uncompressed: usize) {
        self.metrics
            .delivered_bytes
            .get_or_create(&self.label())
            .inc_by(uncompressed as u64);
    }

    /// Counts a batch of an earlier run.
    pub(super) fn count_replayed(&self) {
        self.metrics.replayed.get_or_create(&self.label()).inc();
    }

    /// Counts what is known of a batch as a whole.
    pub(super) fn count_done(&self, batch: &Batch) {
        let metrics = &self.metrics;
        let of_output = self.label();
        metrics
            .replaced
            .get_or_create(&of_output)
            .inc_by(u64::from(batch.sealed.replaced));
        metrics
            .cut
            .get_or_create(&of_output)
            .inc_by(u64::from(batch.sealed.cut));
    }

    /// Counts a batch that is sent again though it may be stored.
    pub(super) fn count_doubtful(&self, batch: &Batch, why: &str) {
        self.metrics.doubtful.get_or_create(&self.label()).inc();
        let Some(repeats) = self.told().doubtful.say("doubtful", Instant::now()) else {
            return;
        };
        tracing::warn!(
            output = self.health.name,
            stream = %batch.stream,
            records = batch.sealed.records,
            why,
            repeats,
            "sending a batch again that may be stored already: its records may be there twice"
        );
    }

    pub(super) fn tell_delivered(&self) {
        let health = &self.health;
        let blocked = health.delivered();
        if self.told().failing.works()
            && let Some(blocked) = blocked
        {
            let seconds = blocked.since.elapsed().unwrap_or_default().as_secs();
            tracing::info!(
                output = health.name,
                reason = blocked.reason,
                seconds,
                "delivers again"
            );
        }
    }

    /// It answers, if not as it should.
    pub(super) fn note_answered(&self) {
        self.health.answered();
        self.told().failing.works();
    }

    /// A stream waits, for this reason.
    pub(super) fn tell_held(&self, stream: StreamId, reason: &'static str, sentence: &str) {
        let health = &self.health;
        if health.stream_is_held(stream, reason, sentence)
            && let Some(repeats) = self.told().held.say(reason, Instant::now())
        {
            tracing::warn!(
                output = health.name,
                reason,
                why = sentence,
                repeats,
                "a stream waits; nothing is lost"
            );
        }
    }

    pub(super) fn tell_failed(&self, batch: &Batch, answer: &Answer) {
        let health = &self.health;
        health.failed(answer.reason, &answer.sentence);
        let Some(repeats) = self.told().failing.fails(answer.reason, Instant::now()) else {
            tracing::debug!(
                output = health.name,
                answer = answer.sentence,
                "not delivered yet"
            );
            return;
        };
        if answer.reason == CREATING {
            tracing::info!(
                output = health.name,
                stream = %batch.stream,
                answer = answer.sentence,
                repeats,
                "waiting for its turn to create a log group or a log stream"
            );
        } else {
            tracing::warn!(
                output = health.name,
                reason = answer.reason,
                class = answer.class.name(),
                stream = %batch.stream,
                answer = answer.sentence,
                repeats,
                "not delivered; nothing is lost, it is tried again"
            );
        }
    }

    fn label(&self) -> OfOutput {
        OfOutput {
            output: self.health.name.clone(),
        }
    }
}
