//! Sends sealed batches until each is delivered. Owns the only retry loop, and the order of the
//! batches within a stream. Never changes a batch, never gives up.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::batch::{Batch, BatchId, StreamId};
use crate::connect::Failure;
use crate::dead_letters::{Letter, Written};
use crate::observe::health::OutputHealth;
use crate::observe::metrics::Metrics;
use crate::record::Time;
use answers::Without;
use attempts::Attempts;
use courier::Courier;
use tray::Tray;

mod answers;
mod attempts;
mod clock;
pub(crate) mod cloudwatch;
mod courier;
pub(crate) mod loki;
mod pace;
mod refusals;
mod retry;
mod tell;
mod tray;

/// What an answer means. Every answer of every backend falls into one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// All of it is stored.
    Delivered,
    /// It is stored but for those records that the answer names, which the backend never takes.
    Partial,
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
            Self::Partial => "partial",
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
    /// Records that the backend refuses, as far as it says which.
    pub(crate) rejected: Vec<Rejected>,
    /// Throttled, and for all that is known so large that it is always throttled.
    pub(crate) may_be_too_large: bool,
    /// When the request went out that may store the batch, where other requests went before it.
    pub(crate) put_at: Option<Instant>,
}

/// Records of a batch that the backend says it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejected {
    /// Which ones, counted from 0.
    pub(crate) records: Range<u32>,
    /// Why, in a word.
    pub(crate) reason: &'static str,
    /// The same in a sentence, where the answer has none of its own for these.
    pub(crate) sentence: Option<&'static str>,
}

impl Answer {
    /// All is stored.
    pub(crate) fn delivered() -> Self {
        Self::new(Class::Delivered, "", "")
    }

    /// Another answer.
    pub(crate) fn new(class: Class, reason: &'static str, sentence: impl Into<String>) -> Self {
        Self {
            class,
            reason,
            sentence: sentence.into(),
            retry_after: None,
            rejected: Vec::new(),
            may_be_too_large: false,
            put_at: None,
        }
    }
}

/// What it means for a batch that a connection failed.
fn of_failure(failure: &Failure) -> Answer {
    let row = answers::without(Without::Failure(failure.kind()));
    Answer::new(row.class, row.reason, failure.to_string())
}

/// What it means for a batch that there was no answer, or none that can be read: `said` is what
/// was seen of it.
fn unanswered(without: Without, said: &str) -> Answer {
    let row = answers::without(without);
    Answer::new(row.class, row.reason, format!("{said}; {}", row.mending))
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
    /// It is stored but for these of its records.
    StoredBut(Vec<Range<u32>>),
    /// Some of it is to be seen. If that stays so it cannot be told; the sentence says why.
    Partly(String),
    /// It is not to be seen, at least not yet.
    Absent,
    /// It cannot be told; the sentence says why.
    CannotTell(String),
    /// The request itself came to nothing.
    Failed(Answer),
}

/// A record of the same batch that may lie in the time of a part that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Beside {
    time: Time,
    text: String,
    /// Whether that is known; else it may be.
    is_stored: bool,
}

/// Speaks to one kind of backend.
pub(crate) enum Sender {
    /// A Loki push endpoint.
    Loki(Box<loki::Sender>),
    /// CloudWatch Logs.
    CloudWatch(cloudwatch::Sender),
}

/// What a request needs while it is under way lies on the heap: hundreds of batches may wait their
/// turn, and each would hold room for it.
impl Sender {
    /// Begins with what goes on beside the batches.
    fn begin(&self) {
        match self {
            Self::Loki(_) => {}
            Self::CloudWatch(sender) => sender.begin(),
        }
    }

    async fn send(&self, batch: &Batch) -> Answer {
        match self {
            Self::Loki(sender) => Box::pin(sender.send(batch)).await,
            Self::CloudWatch(sender) => Box::pin(sender.send(batch)).await,
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

    /// Looks whether a batch is stored. Records `beside` it are of the same batch.
    async fn look_for(&self, batch: &Batch, beside: &[Beside]) -> Look {
        match self {
            Self::Loki(_) => Look::Absent,
            Self::CloudWatch(sender) => Box::pin(sender.look_for(batch, beside)).await,
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

/// What the owner of the journal is told.
#[derive(Debug)]
pub(crate) enum Report {
    /// A batch is delivered, or settled in parts.
    Done(Acknowledgement),
    /// A batch is cut in front of these records. Nothing of it is sent before the answer.
    Cut {
        /// The batch.
        batch: BatchId,
        /// In front of which of its records.
        at: Vec<u32>,
        /// Says that it is noted.
        noted: oneshot::Sender<()>,
    },
    /// Records of a batch are delivered.
    Delivered {
        /// The batch.
        batch: BatchId,
        /// Which of its records.
        records: Range<u32>,
    },
    /// Records of a batch are refused for good.
    Refused(Refused),
    /// What is left of a batch waits for others of its stream to be taken.
    Stuck(Acknowledgement),
    /// The stream of a batch waits for somebody.
    Waits {
        /// The batch.
        batch: Acknowledgement,
        /// Says whether its body lies in the journal and is to be let go of.
        is_put_away: oneshot::Sender<bool>,
    },
    /// Something is to be done with a batch whose body was put away.
    Asks {
        /// The batch.
        batch: BatchId,
        /// Takes the body; nothing where it cannot be read.
        body: oneshot::Sender<Option<Bytes>>,
    },
    /// These batches were refused as too new, as a whole, and by now they are ahead of our own clock
    /// too: it was set back.
    Ahead(Vec<Ahead>),
}

/// A batch that was refused as too new.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ahead {
    /// Its number.
    pub(crate) batch: BatchId,
    /// It was sent before with an open outcome.
    pub(crate) may_be_stored: bool,
}

/// Records that are refused for good.
#[derive(Debug)]
pub(crate) struct Refused {
    /// The batch.
    pub(crate) batch: BatchId,
    /// Whether it is of an earlier run.
    pub(crate) is_replay: bool,
    /// The stream that they were meant for.
    pub(crate) stream: String,
    /// Why, in a word.
    pub(crate) reason: &'static str,
    /// What the destination answered.
    pub(crate) answer: String,
    /// Whether they may be stored all the same.
    pub(crate) may_be_stored: bool,
    /// The records, one behind the other.
    pub(crate) letters: Vec<Letter>,
    /// Says how many of them are done with.
    pub(crate) written: oneshot::Sender<Written>,
}

/// Names a batch on its way.
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
    /// Tells the owner of the journal.
    pub(crate) report: Box<dyn Fn(Report) + Send + Sync>,
    /// Records that are older than this are dead letters before they are sent.
    pub(crate) buried: Option<Duration>,
    /// Whether records go to the dead letters even when a stream takes none.
    pub(crate) writes_all_refused: bool,
}

impl Delivery {
    /// Delivers what comes from `batches` until that ends and all is delivered.
    pub(crate) async fn run(self, mut batches: mpsc::Receiver<Batch>) {
        // An earlier configuration's streams are none of ours.
        self.health.streams_go_on();
        self.sender.begin();
        let attempts = Arc::new(Attempts::new(self));
        let mut trays: HashMap<StreamId, Arc<Tray>> = HashMap::new();
        let mut running = JoinSet::new();
        let mut is_open = true;
        while is_open || !running.is_empty() {
            tokio::select! {
                batch = batches.recv(), if is_open => {
                    let Some(batch) = batch else {
                        is_open = false;
                        continue;
                    };
                    let stream = batch.stream_id;
                    // The courier of a stream takes its batches one after the other.
                    let left = match trays.get(&stream) {
                        Some(tray) => tray.put(batch).err(),
                        None => Some(Box::new(batch)),
                    };
                    if let Some(batch) = left {
                        let tray = Arc::new(Tray::with(*batch));
                        trays.insert(stream, Arc::clone(&tray));
                        let courier = Courier::new(Arc::clone(&attempts), stream, tray);
                        running.spawn(Box::new(courier).run());
                    }
                }
                Some(ended) = running.join_next() => {
                    // A task only fails by a panic, and a panic ends the process.
                    let Ok(stream) = ended else { continue };
                    // There may be a younger one.
                    if trays.get(&stream).is_some_and(|tray| tray.is_closed()) {
                        trays.remove(&stream);
                    }
                }
            }
        }
    }
}
