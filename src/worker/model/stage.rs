//! A reading thread on real files with made-up clocks, and the backends that take its batches.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use super::acts::{Labels, Outcome, Setup};
use super::backend::Backend;
use super::records;
use crate::batch::{Batch, StreamId};
use crate::dead_letters;
use crate::deliver::{Ahead, Report};
use crate::journal::Journal;
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::record::Time;
use crate::source::Moment;
use crate::source::system::births;
use crate::source::system::denied;
use crate::worker::{Mailbox, Message, Turn, Worker};

mod knowledge;
mod settings;

/// The outputs, by name; the first is a Loki, the second a CloudWatch Logs.
pub(super) const OUTPUTS: [&str; 2] = ["loki", "cloudwatch"];
/// Where the logs lie, and where they are when nobody finds them.
const LOGS: &str = "logs";
const AWAY: &str = "away";
/// Turns that one moment can take at most: more is a loop that does not end.
const MOST_TURNS: usize = 5000;

/// The agent and what surrounds it.
#[derive(Debug)]
pub(super) struct Stage {
    dir: Rc<TempDir>,
    setup: Setup,
    /// Where the folder of the logs is, and whether another one is in its place.
    logs: (&'static str, bool),
    at: Moment,
    agent: Option<Agent>,
    /// Bytes of which the agents said that they were lost.
    pub(super) said_lost: u64,
    pub(super) backends: [Backend; 2],
}

#[derive(Debug)]
struct Agent {
    worker: Worker,
    mailbox: Mailbox,
    outgoing: Outgoing,
}

/// Where the batches of the configured outputs come out, each with which output it is.
type Outgoing = Vec<(usize, mpsc::Receiver<Batch>)>;

impl Stage {
    pub(super) fn new(setup: Setup) -> Self {
        births::clear();
        denied::clear();
        // Nothing is to survive a power loss here.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            TempDir::new_in(memory)
        } else {
            TempDir::new()
        };
        let dir = dir.unwrap();
        std::fs::create_dir(dir.path().join(LOGS)).unwrap();
        let mut stage = Self {
            dir: Rc::new(dir),
            setup,
            logs: (LOGS, false),
            at: Moment {
                now: Instant::now(),
                time: Time(1_700_000_000_000_000_000),
            },
            agent: None,
            said_lost: 0,
            backends: Default::default(),
        };
        stage.start(setup.labels());
        stage
    }

    /// The same place at the same time, without an agent: for what happens while that is at work.
    pub(super) fn without_agent(&self) -> Self {
        Self {
            dir: Rc::clone(&self.dir),
            agent: None,
            said_lost: 0,
            backends: Default::default(),
            ..*self
        }
    }

    /// It is as late as at the other place.
    pub(super) fn catch_up(&mut self, other: &Self) {
        let ahead = other.at.now.saturating_duration_since(self.at.now);
        self.advance(ahead);
    }

    /// A line that is the same everywhere.
    pub(super) fn same_line(&self) -> &'static str {
        if self.setup.has_records {
            records::SAME
        } else {
            "and the same once more"
        }
    }

    /// Whether lines are made into records.
    pub(super) fn has_records(&self) -> bool {
        self.setup.has_records
    }

    /// Whether a line is not to arrive; `end` is where it ends in its content.
    pub(super) fn lets_go(&self, line: &str, end: usize) -> bool {
        self.setup.has_records && records::is_let_go(line, end)
    }

    /// The path of a log.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder(self.logs.0).join(name)
    }

    /// The folder is where nobody looks for it: there is none, or an empty one stands in for it.
    pub(super) fn take_folder_away(&mut self, is_empty: bool) {
        let here = self.folder(LOGS);
        std::fs::rename(&here, self.folder(AWAY)).unwrap();
        if is_empty {
            std::fs::create_dir(&here).unwrap();
        }
        self.logs = (AWAY, is_empty);
    }

    /// It is back, and seen again.
    pub(super) fn bring_folder_back(&mut self) {
        let here = self.folder(LOGS);
        if self.logs.1 {
            std::fs::remove_dir(&here).unwrap();
        }
        std::fs::rename(self.folder(AWAY), here).unwrap();
        self.logs = (LOGS, false);
        self.pass(Duration::from_millis(100));
    }

    /// The path of a folder beside that of the state.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The time by the wall clock.
    pub(super) fn time(&self) -> Time {
        self.at.time
    }

    /// The time by a clock that nobody sets.
    pub(super) fn now(&self) -> Instant {
        self.at.now
    }

    /// Somebody sets the wall clock.
    pub(super) fn jump(&mut self, seconds: i64) {
        self.at.time.0 += seconds * 1_000_000_000;
    }

    fn advance(&mut self, by: Duration) {
        self.at.now += by;
        self.at.time.0 += i64::try_from(by.as_nanos()).unwrap();
    }

    /// A moment too short for anyone to notice.
    pub(super) fn blink(&mut self) {
        self.advance(Duration::from_micros(100));
    }

    /// Starts the agent with this configuration.
    pub(super) fn start(&mut self, labels: Labels) {
        self.launch(labels);
        if let Some(agent) = &mut self.agent {
            agent.worker.begin(self.at);
        }
        self.turn();
    }

    /// An agent comes up, which has not looked at anything yet.
    pub(super) fn launch(&mut self, labels: Labels) {
        let (journal, recovery) =
            Journal::open(&self.dir.path().join("state"), self.at.now).unwrap();
        assert!(recovery.findings.is_empty(), "{:?}", recovery.findings);
        for backend in &mut self.backends {
            backend.begin(journal.state());
        }
        let (mailbox, inbox) = Mailbox::new().unwrap();
        let (settings, outgoing) = self.settings(labels);
        let health = Arc::new(Health::new());
        let metrics = Arc::new(Metrics::new());
        let worker = Worker::starting(inbox, journal, settings, (health, metrics), self.at);
        self.agent = Some(Agent {
            worker,
            mailbox,
            outgoing,
        });
    }

    /// The agent goes on by another configuration.
    pub(super) fn reload(&mut self, labels: Labels) {
        let Some(agent) = &self.agent else {
            return;
        };
        let (reply, mut is_paused) = oneshot::channel();
        agent.mailbox.send(Message::Pause { reply });
        while is_paused.try_recv().is_err() {
            self.pass(Duration::from_secs(1));
        }
        let (settings, outgoing) = self.settings(labels);
        let agent = self.agent.take().unwrap();
        // Whoever sent batches sends none any more.
        self.backends.iter_mut().for_each(Backend::forget_waiting);
        agent.mailbox.send(Message::Change(Box::new(settings)));
        self.agent = Some(Agent { outgoing, ..agent });
        self.turn();
    }

    /// The agent does what there is to do at this moment. Returns whether it has ended.
    pub(super) fn turn(&mut self) -> bool {
        let Some(agent) = &mut self.agent else {
            return false;
        };
        for _ in 0..MOST_TURNS {
            let turn = agent.worker.turn(self.at);
            if turn != Turn::Busy {
                self.take_in();
                return turn == Turn::Ended;
            }
        }
        panic!("the loop does not come to rest");
    }

    /// The agent looks for what it is done with, and at no file before that.
    pub(super) fn tidy(&mut self) {
        if let Some(agent) = &mut self.agent {
            agent.worker.tidy(self.at);
        }
    }

    /// Time passes, and the agent wakes when it wants to. Returns whether it has ended.
    pub(super) fn pass(&mut self, by: Duration) -> bool {
        let end = self.at.now + by;
        let mut has_ended = self.turn();
        while let Some(agent) = self.agent.as_ref().filter(|_| !has_ended) {
            let due = agent.worker.wakes_at(self.at.now);
            if due > end {
                break;
            }
            let least = Duration::from_millis(1);
            self.advance(due.saturating_duration_since(self.at.now).max(least));
            has_ended = self.turn();
        }
        self.advance(end.saturating_duration_since(self.at.now));
        has_ended || self.turn()
    }

    /// The batches that the agent handed over are on their way.
    fn take_in(&mut self) {
        let Some(agent) = &mut self.agent else {
            return;
        };
        for (output, incoming) in &mut agent.outgoing {
            while let Ok(batch) = incoming.try_recv() {
                self.backends[*output].take(batch);
            }
        }
        let state = agent.worker.journal.state();
        for (output, backend) in self.backends.iter_mut().enumerate() {
            backend.note_given_up(output, state);
        }
    }

    /// A request on its way gets its answer.
    pub(super) fn answer(&mut self, output: usize, which: usize, outcome: Outcome) {
        let streams = self.backends[output].streams();
        if let Some(stream) = streams.get(which % streams.len().max(1)) {
            self.answer_stream(output, *stream, outcome);
        }
    }

    /// The same for a stream. Returns whether there was anything to answer or to tell.
    fn answer_stream(&mut self, output: usize, stream: StreamId, outcome: Outcome) -> bool {
        let Some(agent) = &self.agent else {
            return false;
        };
        let mut outputs = agent.outgoing.iter();
        let Some(index) = outputs.position(|(it, _)| *it == output) else {
            return false;
        };
        let backend = &mut self.backends[output];
        let Some(reports) = backend.answer((output, index), stream, outcome) else {
            return false;
        };
        for report in reports {
            agent.mailbox.send(Message::Report(report));
        }
        true
    }

    /// All that is on its way was refused as too new, and lies ahead of the clock. Returns whether it
    /// will be given up.
    pub(super) fn refuse_as_ahead(&mut self) -> bool {
        let agent = self.agent.as_ref().unwrap();
        let ahead = self.on_the_way().into_iter().map(|batch| Ahead {
            batch,
            may_be_stored: false,
        });
        let report = Report::Ahead(ahead.collect());
        agent.mailbox.send(Message::Report(report));
        self.turn();
        !self.agent.as_ref().unwrap().worker.ahead.is_empty()
    }

    /// Everything on its way is answered, and what follows from that too.
    pub(super) fn answer_all(&mut self, output: usize) {
        let mut is_over = false;
        while !std::mem::replace(&mut is_over, true) {
            // The agent may have something to note before there is more to answer.
            self.turn();
            for stream in self.backends[output].streams() {
                while self.answer_stream(output, stream, Outcome::Delivered) {
                    is_over = false;
                    self.turn();
                }
            }
        }
    }

    /// The agent dies.
    pub(super) fn kill(&mut self) {
        let agent = self.agent.take();
        self.said_lost += agent.map_or(0, |it| it.worker.metrics.lost_in_all());
    }

    /// The agent is asked to stop, and does.
    pub(super) fn stop(&mut self, answers: [bool; 2]) {
        let Some(agent) = &self.agent else {
            return;
        };
        agent.mailbox.send(Message::Stop);
        for _ in 0..MOST_TURNS {
            if self.pass(Duration::from_millis(100)) {
                return self.kill();
            }
            for output in (0..2).filter(|it| answers[*it]) {
                self.answer_all(output);
            }
        }
        panic!("it does not stop");
    }

    /// The texts of the dead letters of an output.
    pub(super) fn letters(&self, output: usize) -> Vec<String> {
        let path = self.dir.path().join("state").join(dead_letters::NAME);
        let letters = std::fs::read_to_string(path).unwrap_or_default();
        let letters = letters.lines();
        let letters = letters.map(|it| serde_json::from_str::<serde_json::Value>(it).unwrap());
        letters
            .filter(|it| it["output"] == OUTPUTS[output])
            .map(|it| it["text"].as_str().unwrap().to_owned())
            .collect()
    }
}
