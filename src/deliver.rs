//! Sends sealed batches until each is delivered. Owns the only retry loop, and the order of the
//! batches within a stream. Never changes a batch, never gives up.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::batch::{Batch, BatchId, StreamId};
use crate::connect::{Failure, Kind};
use crate::observe::health::OutputHealth;
use crate::observe::metrics::Metrics;
use attempts::Attempts;

mod attempts;
pub(crate) mod cloudwatch;
pub(crate) mod loki;
mod retry;
mod tell;

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

/// What it means for a batch that a connection failed.
fn of_failure(failure: &Failure) -> Answer {
    let (class, reason) = match failure.kind() {
        Kind::Settings => (Class::Hold, "config"),
        Kind::Unreachable => (Class::Retry, "unreachable"),
        Kind::Proxy => (Class::Hold, "proxy"),
        Kind::Tls => (Class::Hold, "tls"),
        Kind::Broken => (Class::Open, "connection"),
    };
    Answer::new(class, reason, failure.to_string())
}

/// What a batch needs before it is sent again when it may be stored already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubts {
    /// Nothing: the backend knows its own.
    None,
    /// Nothing can be done; it may be stored twice, which is counted.
    Counted,
    /// To be looked for; where that tells nothing, it is sent again and counted.
    Looked,
    /// To be looked for; where that tells nothing, it is held.
    Required,
}

/// What looking for a batch came to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    /// It is stored.
    Stored,
    /// It is not to be seen, at least not yet.
    Absent,
    /// It cannot be told; the sentence says why.
    CannotTell(String),
    /// The request itself came to nothing.
    Failed(Answer),
}

/// Speaks to one kind of backend.
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

    /// What is to be done before a batch is sent again that may be stored already.
    fn doubts(&self) -> Doubts {
        match self {
            // The same bytes again: Loki drops what it has.
            Self::Loki(_) => Doubts::None,
            Self::CloudWatch(sender) => sender.doubts(),
        }
    }

    /// How long a request may go on at the backend after it was sent.
    fn deadline(&self) -> Duration {
        match self {
            Self::Loki(_) => Duration::ZERO,
            Self::CloudWatch(sender) => sender.deadline(),
        }
    }

    /// Looks whether a batch is stored.
    async fn look_for(&self, batch: &Batch) -> Look {
        match self {
            Self::Loki(_) => Look::Absent,
            Self::CloudWatch(sender) => sender.look_for(batch).await,
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
        let output = self.output;
        let attempts = Arc::new(Attempts::new(self));
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
                        running.spawn(Arc::clone(&attempts).deliver(batch));
                    }
                }
                Some(done) = running.join_next() => {
                    // A task only fails by a panic, and a panic ends the process.
                    let Ok((stream, batch)) = done else { continue };
                    acknowledge(Acknowledgement { output, stream, batch });
                    if let Some(queue) = waiting.get_mut(&stream) {
                        if let Some(next) = queue.pop_front() {
                            running.spawn(Arc::clone(&attempts).deliver(next));
                        } else {
                            waiting.remove(&stream);
                        }
                    }
                }
            }
        }
    }
}
