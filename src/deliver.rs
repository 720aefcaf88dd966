//! Sends sealed batches until each is delivered. Owns the only retry loop, and the order of the
//! batches within a stream. Never changes a batch, never gives up.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::batch::{Batch, BatchId, StreamId};
use crate::observe::health::OutputHealth;
use crate::observe::metrics::{Metrics, OfOutput, RecordResult, Records, Requests};
use crate::record::Time;
use retry::Gate;

pub(crate) mod cloudwatch;
pub(crate) mod loki;
mod retry;

/// So many requests of one output are under way at once, each of another stream.
const MAX_REQUESTS: usize = 8;

/// What an answer means. Every answer of every backend falls into one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// All of it is stored.
    Delivered,
    /// It is stored but for so many records, which the backend never takes.
    Partial {
        /// How many were refused.
        rejected: u32,
    },
    /// Nothing is stored; the same again, later.
    Retry,
    /// Nothing is stored, and nothing will be while it is that large.
    Split,
    /// The backend refuses what is in it.
    Refused,
    /// The backend would take it, but not from us or not here: someone has to mend something.
    Hold,
    /// It may be stored or not.
    Open,
}

impl Class {
    /// The word for metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Partial { .. } => "partial",
            Self::Retry => "retry",
            Self::Split => "split",
            Self::Refused => "refused",
            Self::Hold => "hold",
            Self::Open => "open",
        }
    }
}

/// An answer, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What it means.
    pub(crate) class: Class,
    /// Why, in a word for metrics.
    pub(crate) reason: &'static str,
    /// What was answered and what would mend it, for the operator.
    pub(crate) sentence: String,
    /// How long the backend asks to wait.
    pub(crate) retry_after: Option<Duration>,
}

impl Answer {
    /// All is stored.
    pub(crate) fn delivered() -> Self {
        Self {
            class: Class::Delivered,
            reason: "",
            sentence: String::new(),
            retry_after: None,
        }
    }

    /// Another answer.
    pub(crate) fn new(class: Class, reason: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            class,
            reason,
            sentence: sentence.into(),
            retry_after: None,
        }
    }
}

/// Speaks to one kind of backend.
#[expect(clippy::large_enum_variant, reason = "there is one for each output")]
pub(crate) enum Sender {
    /// A Loki push endpoint.
    Loki(loki::Sender),
    /// CloudWatch Logs.
    CloudWatch(cloudwatch::Sender),
}

impl Sender {
    async fn send(&self, batch: &Batch) -> Answer {
        match self {
            Self::Loki(sender) => sender.send(batch).await,
            Self::CloudWatch(sender) => sender.send(batch).await,
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loki(_) => "Loki",
            Self::CloudWatch(_) => "CloudWatch",
        })
    }
}

/// What is told of a delivered batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acknowledgement {
    /// Index of the output.
    pub(crate) output: usize,
    /// The stream.
    pub(crate) stream: StreamId,
    /// The batch.
    pub(crate) batch: BatchId,
}

/// One output's sending side.
pub(crate) struct Delivery {
    /// Index of the output.
    pub(crate) output: usize,
    /// Speaks to the backend.
    pub(crate) sender: Sender,
    /// What the operator is told.
    pub(crate) health: Arc<OutputHealth>,
    /// Counts.
    pub(crate) metrics: Arc<Metrics>,
}

impl Delivery {
    /// Delivers what comes from `batches` until that ends and all is delivered.
    pub(crate) async fn run(
        self,
        mut batches: mpsc::Receiver<Batch>,
        acknowledge: impl Fn(Acknowledgement),
    ) {
        let shared = Arc::new(Shared {
            delivery: self,
            gate: Gate::new(),
            permits: Semaphore::new(MAX_REQUESTS),
        });
        let mut waiting: HashMap<StreamId, VecDeque<Batch>> = HashMap::new();
        let mut running = JoinSet::new();
        let mut is_open = true;
        while is_open || !running.is_empty() {
            tokio::select! {
                batch = batches.recv(), if is_open => {
                    let Some(batch) = batch else {
                        is_open = false;
                        continue;
                    };
                    // One batch of a stream is under way: the next one waits its turn.
                    if let Some(queue) = waiting.get_mut(&batch.stream_id) {
                        queue.push_back(batch);
                    } else {
                        waiting.insert(batch.stream_id, VecDeque::new());
                        running.spawn(Arc::clone(&shared).deliver(batch));
                    }
                }
                Some(done) = running.join_next() => {
                    // A task only fails by a panic, and a panic ends the process.
                    let Ok((stream, batch)) = done else { continue };
                    acknowledge(Acknowledgement { output: shared.delivery.output, stream, batch });
                    if let Some(queue) = waiting.get_mut(&stream) {
                        if let Some(next) = queue.pop_front() {
                            running.spawn(Arc::clone(&shared).deliver(next));
                        } else {
                            waiting.remove(&stream);
                        }
                    }
                }
            }
        }
    }
}

struct Shared {
    delivery: Delivery,
    gate: Gate,
    permits: Semaphore,
}

impl Shared {
    /// Sends one batch until it is delivered.
    async fn deliver(self: Arc<Self>, batch: Batch) -> (StreamId, BatchId) {
        let mut refusals = retry::Backoff::slow();
        if batch.is_replay {
            let output = OfOutput {
                output: self.delivery.health.name.clone(),
            };
            self.delivery.metrics.replayed.get_or_create(&output).inc();
        }
        loop {
            let answer = {
                // The semaphore is never closed.
                let _permit = self.permits.acquire().await;
                let _turn = self.gate.pass().await;
                let started = Instant::now();
                let answer = self.delivery.sender.send(&batch).await;
                self.count(&batch, &answer);
                match answer.class {
                    Class::Delivered | Class::Partial { .. } => self.gate.succeeded(),
                    Class::Split | Class::Refused => {}
                    Class::Retry | Class::Hold | Class::Open => {
                        self.gate.failed(started, answer.retry_after);
                    }
                }
                answer
            };
            match answer.class {
                Class::Delivered | Class::Partial { .. } => {
                    self.tell_delivered(&batch, &answer);
                    return (batch.stream_id, batch.id);
                }
                Class::Split | Class::Refused => {
                    self.tell_failed(&batch, &answer);
                    tokio::time::sleep(refusals.next()).await;
                }
                Class::Retry | Class::Hold | Class::Open => self.tell_failed(&batch, &answer),
            }
        }
    }

    fn count(&self, batch: &Batch, answer: &Answer) {
        let Delivery {
            health, metrics, ..
        } = &self.delivery;
        let output = || health.name.clone();
        let requests = Requests {
            output: output(),
            class: answer.class.name(),
        };
        metrics.requests.get_or_create(&requests).inc();
        let of_output = OfOutput { output: output() };
        metrics
            .sent_bytes
            .get_or_create(&of_output)
            .inc_by(batch.sealed.body.len() as u64);
        let rejected = match answer.class {
            Class::Delivered => 0,
            Class::Partial { rejected } => rejected.min(batch.sealed.records),
            _ => return,
        };
        for (result, count) in [
            (RecordResult::delivered, batch.sealed.records - rejected),
            (RecordResult::rejected, rejected),
        ] {
            if count > 0 || result == RecordResult::delivered {
                let records = Records {
                    output: output(),
                    result,
                };
                metrics
                    .records
                    .get_or_create(&records)
                    .inc_by(u64::from(count));
            }
        }
        let uncompressed = batch.sealed.uncompressed as u64;
        metrics
            .delivered_bytes
            .get_or_create(&of_output)
            .inc_by(uncompressed);
        metrics
            .replaced
            .get_or_create(&of_output)
            .inc_by(u64::from(batch.sealed.replaced));
        metrics
            .cut
            .get_or_create(&of_output)
            .inc_by(u64::from(batch.sealed.cut));
    }

    fn tell_delivered(&self, batch: &Batch, answer: &Answer) {
        let health = &self.delivery.health;
        if let Class::Partial { rejected } = answer.class {
            tracing::warn!(
                output = health.name,
                stream = %batch.stream,
                rejected,
                first_time = show(batch.sealed.first_time),
                last_time = show(batch.sealed.last_time),
                answer = answer.sentence,
                "the destination refused records of a batch and stored the others"
            );
        }
        if let Some(blocked) = health.delivered() {
            let seconds = blocked.since.elapsed().unwrap_or_default().as_secs();
            tracing::info!(
                output = health.name,
                reason = blocked.reason,
                seconds,
                "delivers again"
            );
        }
    }

    fn tell_failed(&self, batch: &Batch, answer: &Answer) {
        let health = &self.delivery.health;
        let is_news = health.failed(answer.reason, &answer.sentence);
        if is_news {
            tracing::warn!(
                output = health.name,
                reason = answer.reason,
                class = answer.class.name(),
                stream = %batch.stream,
                answer = answer.sentence,
                "not delivered; nothing is lost, it is tried again"
            );
        } else {
            tracing::debug!(
                output = health.name,
                answer = answer.sentence,
                "not delivered yet"
            );
        }
    }
}

fn show(time: Time) -> String {
    crate::observe::snapshot::utc(time)
}
