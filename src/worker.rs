//! The thread that reads: it owns the files, the lanes of every output, and the journal. It
//! waits for events of the file system, for acknowledgements and for time to pass, and does no
//! network. Its only way out are sealed batches; its only way in is the mailbox.

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc as channel;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use tokio::sync::{mpsc, oneshot};

use crate::batch::{Batch, BatchId};
use crate::config::Shutdown;
use crate::crash_point;
use crate::dead_letters::DeadLetters;
use crate::deliver::{Ahead, Report};
use crate::dispatch::Dispatcher;
use crate::journal::Journal;
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::observe::snapshot::WorkerView;
use crate::source::generation::reader::Reader;
use crate::source::{Moment, Source};

mod care;
mod changes;
mod ending;
mod holding;
mod idle;
mod looks;
mod losses;
mod missing;
#[cfg(test)]
mod model;
mod opening;
mod refused;
mod regaining;
mod replay;
mod reports;
mod settings;
mod view;

use care::Care;
use ending::Ending;
pub(crate) use ending::{Left, Unopened};
use losses::Losses;
use missing::Missing;
use opening::Opening;
use refused::RefusedRecords;
use regaining::Regained;
use settings::Pause;
pub(crate) use settings::{InputFacts, Settings};

/// How often files are looked through for ones to close or to try again.
const TIDY_EVERY: Duration = Duration::from_secs(1);
/// Nothing to do for this long: buffers go back to the system.
const IDLE_AFTER: Duration = Duration::from_secs(2);
/// The loop turns at least this often, as health asks.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What the reading thread is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// The sending side has something to tell.
    Report(Report),
    /// Somebody wants to see.
    View {
        /// Whether every file is wanted, or only totals.
        with_files: bool,
        /// Where to.
        reply: oneshot::Sender<WorkerView>,
    },
    /// Make no more batches. It is answered once those that are on their way are acknowledged,
    /// or after a moment without that.
    Pause {
        /// Where to.
        reply: oneshot::Sender<()>,
    },
    /// Go on by another configuration. Whoever sent batches before sends none any more.
    Change(Box<Settings>),
    /// Deliver what is there, then end.
    Stop,
}

/// The way to the reading thread.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    messages: channel::Sender<Message>,
    wake: Arc<OwnedFd>,
}

impl Mailbox {
    /// A mailbox and what the worker reads from it.
    pub(crate) fn new() -> std::io::Result<(Self, Inbox)> {
        let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        let (messages, inbox) = channel::channel();
        Ok((
            Self {
                messages,
                wake: Arc::clone(&wake),
            },
            Inbox {
                messages: inbox,
                wake,
            },
        ))
    }

    /// Tells the worker. Nobody hears it when the worker has ended.
    pub(crate) fn send(&self, message: Message) {
        if self.messages.send(message).is_ok() {
            // It only fails when the counter is full, and then the worker wakes anyway.
            let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
        }
    }
}

/// The worker's end of the mailbox.
#[derive(Debug)]
pub(crate) struct Inbox {
    messages: channel::Receiver<Message>,
    wake: Arc<OwnedFd>,
}

#[cfg(test)]
impl Inbox {
    /// Waits for the next message; nothing once nobody can send one.
    pub(crate) fn next(&self) -> Option<Message> {
        self.messages.recv().ok()
    }
}

/// One output, as the worker sees it.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Makes its batches.
    pub(crate) dispatcher: Dispatcher,
    /// Takes them to the network. Its room is what the dispatcher keeps in flight at most.
    pub(crate) batches: mpsc::Sender<Batch>,
}

/// All that the thread owns.
#[derive(Debug)]
pub(crate) struct Worker {
    inbox: Inbox,
    source: Source,
    journal: Journal,
    outputs: Vec<Lane>,
    opening: Opening,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    care: Care,
    losses: Losses,
    dead_letters: DeadLetters,
    refused: RefusedRecords,
    missing: Missing,
    regained: Regained,
    /// Batches that were refused as too new, and were sealed before the clock was set back.
    ahead: BTreeMap<BatchId, Ahead>,
    shutdown: Shutdown,
    /// Events of the file system are left to gather until then, but for names that come.
    listen_from: Instant,
    gather: Duration,
    reader: Reader,
    tidy_at: Instant,
    prune_at: Instant,
    last_batch: Option<Instant>,
    pause: Option<Pause>,
    ending: Option<Ending>,
}

/// What a turn of the loop came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// There may be more to do at once.
    Busy,
    /// There is nothing to do for now.
    Idle,
    /// There is nothing more to do, or no more time.
    Ended,
}

impl Worker {
    /// A worker that has not looked at anything yet.
    pub(crate) fn new(
        inbox: Inbox,
        journal: Journal,
        settings: Settings,
        health: Arc<Health>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self::starting(inbox, journal, settings, (health, metrics), Moment::now())
    }

    fn starting(
        inbox: Inbox,
        mut journal: Journal,
        settings: Settings,
        (health, metrics): (Arc<Health>, Arc<Metrics>),
        at: Moment,
    ) -> Self {
        looks::note_first_start(&mut journal, at);
        Self {
            inbox,
            source: Source::new(settings.patterns(), at),
            opening: Opening::new(settings.inputs, &journal),
            journal,
            outputs: settings.outputs,
            health,
            care: Care::new(at.now),
            losses: Losses::new(Arc::clone(&metrics)),
            dead_letters: settings.dead_letters,
            refused: RefusedRecords::default(),
            missing: Missing::new(at.now),
            regained: Regained::default(),
            ahead: BTreeMap::new(),
            metrics,
            shutdown: settings.shutdown,
            listen_from: at.now,
            gather: settings.gather,
            reader: Reader::default(),
            tidy_at: at.now,
            prune_at: at.now,
            last_batch: None,
            pause: None,
            ending: None,
        }
    }

    /// Reads until it is stopped. Says when the first look is noted: from then on nothing that is
    /// there can slip away. Returns what is left undelivered.
    pub(crate) fn run(mut self, has_begun: impl FnOnce()) -> Vec<Left> {
        self.begin(Moment::now());
        has_begun();
        loop {
            match self.turn(Moment::now()) {
                Turn::Busy => {}
                Turn::Idle => self.wait(),
                Turn::Ended => return self.left(),
            }
        }
    }

    /// Does what there is to do at one moment.
    fn turn(&mut self, at: Moment) -> Turn {
        self.health.beat();
        self.read_mail(at);
        let is_listening = at.now >= self.listen_from;
        let is_asked = is_listening || self.reads_at(at.now);
        // A copy is met before its original is read further: once that is emptied, nobody could
        // say any more what the copy is.
        if is_asked || self.source.has_arrivals() {
            let changes = self.source.look_at_events(&mut self.journal, at);
            if !changes.is_empty() {
                self.listen_from = at.now + self.gather;
            }
            self.apply(changes, at);
        }
        let changes = self.source.look_when_due(&mut self.journal, at);
        self.apply(changes, at);
        if at.now >= self.tidy_at {
            self.tidy_at = at.now + TIDY_EVERY;
            self.tidy(at);
        }
        self.care_for_volumes(at);
        let is_busy = self.make_batches(at);
        self.note_look();
        self.tell_refused(at.now);
        self.journal.commit(at.now);
        self.journal.sync_if_due(at.now);
        self.regain_past(at);
        self.answer_pause(at.now);
        if self.has_ended(at) {
            self.tell_all_missing(at);
            self.note_all_sizes(at);
            self.note_deleted(at);
            self.refused.hurry(at.now);
            self.tell_refused(at.now);
            self.journal.sync(at.now);
            return Turn::Ended;
        }
        if is_busy {
            return Turn::Busy;
        }
        self.shrink_when_idle(at.now);
        Turn::Idle
    }

    /// Takes up what an earlier run left, then looks at all that the configuration means.
    fn begin(&mut self, at: Moment) {
        self.opening.recall_times(&self.journal, &mut self.outputs);
        self.give_up_batches(at);
        self.note_deadlines(at.now);
        self.take_up_batches();
        let changes = self.source.walk(&mut self.journal, at);
        self.apply(changes, at);
        self.opening
            .first_look_done(&mut self.journal, &self.outputs);
        self.miss_what_was_open(at.now);
        self.say_what_removed_outputs_miss();
        self.note_look();
        self.journal.commit(at.now);
    }

    fn read_mail(&mut self, at: Moment) {
        let mut counter = [0u8; 8];
        // Nothing to read is the usual case.
        let _ = rustix::io::read(&self.inbox.wake, &mut counter);
        while let Ok(message) = self.inbox.messages.try_recv() {
            match message {
                Message::Report(report) => self.take_report(report, at),
                Message::View { with_files, reply } => {
                    // What is told as delivered is on disk as delivered.
                    self.journal.commit(at.now);
                    let _ = reply.send(self.view(with_files, at));
                }
                Message::Pause { reply } => self.pause = Some(Pause::new(reply, at.now)),
                Message::Change(settings) => self.change(*settings, at),
                Message::Stop => self.begin_to_end(at),
            }
        }
    }

    /// Makes at most one batch for each output, so that mail and events have their turn.
    /// Returns whether there may be more to make.
    fn make_batches(&mut self, at: Moment) -> bool {
        use crate::dispatch::Next;
        if !self.makes_batches(at.now) {
            return false;
        }
        let mut is_busy = false;
        for index in 0..self.outputs.len() {
            let Self {
                outputs,
                source,
                reader,
                journal,
                ..
            } = self;
            let Some(output) = outputs.get_mut(index) else {
                continue;
            };
            match output.dispatcher.next_batch(source, reader, journal, at) {
                Next::Nothing => {}
                Next::Batch(batch) => {
                    is_busy = true;
                    self.last_batch = Some(at.now);
                    // Before the first byte goes out.
                    journal.commit(at.now);
                    crash_point::pass("sealed");
                    // There is room for all that may be in flight; a sender that is gone has
                    // been told to end.
                    let _ = output.batches.try_send(batch);
                }
                Next::OtherContent(id) => {
                    is_busy = true;
                    self.read_other_content(id, at);
                }
                Next::Hole(id, len, begins) => {
                    is_busy = true;
                    self.metrics.hole_bytes.inc_by(len);
                    if begins {
                        tracing::warn!(generation = %id, len, "skipped a hole of NULs in a file: its writer does not append, or the power went while it was written");
                    }
                }
                Next::Unreadable(id, error) => {
                    is_busy = true;
                    self.source.note_unreadable(id, &error);
                }
            }
        }
        is_busy
    }

    fn makes_batches(&self, now: Instant) -> bool {
        let ending = self.ending.as_ref();
        self.pause.is_none() && !ending.is_some_and(|ending| ending.is_closing(now))
    }

    fn shrink_when_idle(&mut self, now: Instant) {
        if self
            .last_batch
            .is_some_and(|last| now.duration_since(last) >= IDLE_AFTER)
        {
            self.last_batch = None;
            self.reader.shrink();
            self.journal.shrink();
            for output in &mut self.outputs {
                output.dispatcher.shrink();
            }
        }
    }

    /// Whether a batch is due.
    fn reads_at(&self, now: Instant) -> bool {
        let mut dues = self.outputs.iter().map(|it| it.dispatcher.next_due());
        dues.any(|due| due.is_some_and(|due| due <= now))
    }

    /// When something is due, whatever happens.
    fn wakes_at(&self, now: Instant) -> Instant {
        let makes_batches = self.makes_batches(now);
        let dues = self
            .outputs
            .iter()
            .filter(|_| makes_batches)
            .filter_map(|output| output.dispatcher.next_due());
        dues.chain(self.journal.next_due())
            .chain((now < self.listen_from).then_some(self.listen_from))
            .chain(self.source.next_retry())
            .chain(self.last_batch.map(|last| last + IDLE_AFTER))
            .chain(self.next_tidy())
            .chain(self.refused.next_due())
            .chain(self.next_care())
            .chain(self.pause.as_ref().and_then(Pause::next_due))
            .chain(self.ending.as_ref().map(|ending| ending.next_due(now)))
            .fold(self.source.next_due(), Instant::min)
            .min(now + LONGEST_WAIT)
    }

    /// Waits until something happens or something is due.
    fn wait(&self) {
        let now = Instant::now();
        let is_listening = now >= self.listen_from;
        let timeout = self.wakes_at(now).saturating_duration_since(now);
        let timeout = Timespec::try_from(timeout).ok();
        let wake = PollFd::from_borrowed_fd(self.inbox.wake.as_fd(), PollFlags::IN);
        let events = if is_listening {
            self.source.descriptor()
        } else {
            self.source.descriptor_of_arrivals()
        };
        // An interrupted wait is a short one.
        let _ = match events {
            Some(events) => {
                let events = PollFd::from_borrowed_fd(events, PollFlags::IN);
                poll(&mut [wake, events], timeout.as_ref())
            }
            None => poll(&mut [wake], timeout.as_ref()),
        };
    }
}
