//! A reading thread on real files with made-up clocks, and the backends that take its batches.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::acts::{Labels, Outcome, Setup};
use crate::batch::opened::Opened;
use crate::batch::{self, Batch, BatchId, Encoder, StreamId};
use crate::config::{
    self, AfterDelivery, ByteSize, Config, Disk, HoldDeleted, Output, ReadFrom, Shutdown, WhenFull,
};
use crate::dead_letters::DeadLetters;
use crate::deliver::{Acknowledgement, Report};
use crate::dispatch::{Dispatcher, MAX_BATCHES, Plan};
use crate::journal::Journal;
use crate::observe::health::Health;
use crate::observe::metrics::Metrics;
use crate::pipeline;
use crate::record::Time;
use crate::source::{Moment, births};
use crate::worker::{InputFacts, Lane, Mailbox, Message, Settings, Turn, Worker};

/// The outputs, by name; the first is a Loki, the second a CloudWatch Logs.
pub(super) const OUTPUTS: [&str; 2] = ["loki", "cloudwatch"];
/// Turns that one moment can take at most: more is a loop that does not end.
const MOST_TURNS: usize = 5000;

/// The agent and what surrounds it.
#[derive(Debug)]
pub(super) struct Stage {
    dir: TempDir,
    setup: Setup,
    at: Moment,
    agent: Option<Agent>,
    pub(super) backends: [Backend; 2],
}

#[derive(Debug)]
struct Agent {
    worker: Worker,
    mailbox: Mailbox,
    incoming: Vec<mpsc::Receiver<Batch>>,
}

/// One destination.
#[derive(Debug, Default)]
pub(super) struct Backend {
    /// Batches that this run of the agent handed over, by stream.
    waiting: BTreeMap<StreamId, VecDeque<Batch>>,
    /// Every batch that was ever handed over.
    handed: HashMap<BatchId, Bytes>,
    /// The lines in them, each as often as it is there.
    pub(super) sealed: HashMap<String, usize>,
    /// What is stored, in the order of its arrival.
    pub(super) stored: Vec<Stored>,
    stored_batches: HashSet<BatchId>,
}

/// A stored record.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) stream: String,
    pub(super) time: i64,
    pub(super) line: String,
}

impl Stage {
    pub(super) fn new(setup: Setup, labels: Labels) -> Self {
        births::clear();
        // Nothing is to survive a power loss here.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            TempDir::new_in(memory)
        } else {
            TempDir::new()
        };
        let dir = dir.unwrap();
        std::fs::create_dir(dir.path().join("logs")).unwrap();
        let mut stage = Self {
            dir,
            setup,
            at: Moment {
                now: Instant::now(),
                time: Time(1_700_000_000_000_000_000),
            },
            agent: None,
            backends: Default::default(),
        };
        stage.start(labels);
        stage
    }

    /// The path of a log.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder("logs").join(name)
    }

    /// The path of a folder beside that of the state.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The time by the wall clock.
    pub(super) fn time(&self) -> Time {
        self.at.time
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
        let dir = self.dir.path();
        let now = self.at.now;
        let (journal, recovery) = Journal::open(&dir.join("state"), now).unwrap();
        assert!(recovery.findings.is_empty(), "{:?}", recovery.findings);
        let names: &[&str] = if self.setup.means_all {
            &["*.log", "*.log.*"]
        } else {
            &["*.log"]
        };
        let include: Vec<_> = names
            .iter()
            .map(|name| self.path(name).to_str().unwrap().to_owned())
            .collect();
        let (mailbox, inbox) = Mailbox::new().unwrap();
        let (mut outputs, mut incoming) = (Vec::new(), Vec::new());
        let config = config(labels);
        for output in &config.outputs {
            let (batches, receiver) = mpsc::channel(MAX_BATCHES);
            incoming.push(receiver);
            outputs.push(Lane {
                dispatcher: Dispatcher::new(self.plan(&config, output)),
                batches,
            });
        }
        let inputs = vec![InputFacts {
            name: "app".to_owned(),
            include,
            exclude: Vec::new(),
            read_from: ReadFrom::Beginning,
            fields: BTreeMap::new(),
            hold_deleted: HoldDeleted {
                max_bytes: ByteSize(u64::MAX),
                max_age: Duration::MAX,
                min_free: ByteSize(0),
            },
            after_delivery: AfterDelivery {
                delete_rotated: false,
                keep: 0,
                still_for: Duration::ZERO,
            },
            disk: Disk {
                max_bytes: None,
                when_full: WhenFull::default(),
            },
        }];
        let settings = Settings {
            inputs,
            outputs,
            gather: Duration::from_millis(10),
            shutdown: Shutdown {
                timeout: Duration::from_secs(20),
                quiet_for: Duration::from_millis(500),
                final_lines: false,
                termination_log: None,
            },
            dead_letters: DeadLetters::new(&dir.join("state"), 1 << 20, false),
        };
        let health = Arc::new(Health::new());
        let metrics = Arc::new(Metrics::new());
        let mut worker = Worker::starting(inbox, journal, settings, (health, metrics), self.at);
        for backend in &mut self.backends {
            backend.waiting.clear();
        }
        worker.begin(self.at);
        self.agent = Some(Agent {
            worker,
            mailbox,
            incoming,
        });
        self.turn();
    }

    fn plan(&self, config: &Config, output: &Output) -> Plan {
        let max_bytes = self.setup.batch_bytes;
        let encoder = if output.name == OUTPUTS[0] {
            let plain = batch::loki::Compression::None;
            Encoder::Loki(batch::loki::Encoder::new(plain, max_bytes))
        } else {
            Encoder::CloudWatch(batch::cloudwatch::Encoder::new(false, max_bytes))
        };
        Plan {
            encoder,
            max_bytes: max_bytes as u64,
            max_wait: Duration::from_millis(self.setup.max_wait),
            ..pipeline::plan(config, output, 1 << 20, &Metrics::new())
        }
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
        for (backend, incoming) in self.backends.iter_mut().zip(&mut agent.incoming) {
            while let Ok(batch) = incoming.try_recv() {
                backend.take(batch);
            }
        }
    }

    /// A batch on its way gets its answer.
    pub(super) fn answer(&mut self, output: usize, which: usize, outcome: Outcome) -> bool {
        let backend = &mut self.backends[output];
        let streams: Vec<_> = backend.waiting.keys().copied().collect();
        if streams.is_empty() {
            return false;
        }
        let stream = streams[which % streams.len()];
        let queue = backend.waiting.get_mut(&stream).unwrap();
        let batch = match outcome {
            Outcome::Open => queue.front().cloned(),
            Outcome::Delivered => queue.pop_front(),
        };
        if queue.is_empty() {
            backend.waiting.remove(&stream);
        }
        let batch = batch.unwrap();
        backend.store(&batch);
        if let (Outcome::Delivered, Some(agent)) = (outcome, &self.agent) {
            agent
                .mailbox
                .send(Message::Report(Report::Done(Acknowledgement {
                    output,
                    stream,
                    batch: batch.id,
                })));
        }
        true
    }

    /// Everything on its way arrives, and what follows from that too.
    pub(super) fn answer_all(&mut self, output: usize) {
        while self.answer(output, 0, Outcome::Delivered) {
            self.turn();
        }
    }

    /// The agent dies.
    pub(super) fn kill(&mut self) {
        self.agent = None;
    }

    /// The agent is asked to stop, and does.
    pub(super) fn stop(&mut self, answers: [bool; 2]) {
        let Some(agent) = &self.agent else {
            return;
        };
        agent.mailbox.send(Message::Stop);
        for _ in 0..MOST_TURNS {
            if self.pass(Duration::from_millis(100)) {
                self.agent = None;
                return;
            }
            for output in (0..2).filter(|it| answers[*it]) {
                while self.answer(output, 0, Outcome::Delivered) {}
            }
        }
        panic!("it does not stop");
    }

    /// Whether the agent holds this file open.
    pub(super) fn holds(&self, inode: u64) -> bool {
        self.agent.as_ref().is_some_and(|agent| {
            let mut open = agent.worker.source.generations();
            open.any(|it| it.key.inode == inode && it.place != crate::source::Place::Gone)
        })
    }

    /// Whether the agent has seen what is in this file now.
    pub(super) fn has_seen(&self, inode: u64) -> bool {
        self.agent.as_ref().is_some_and(|agent| {
            let mut open = agent.worker.source.generations();
            open.any(|it| it.key.inode == inode && !it.is_another())
        })
    }

    /// What the agent knows, for the one who reads of a failure.
    pub(super) fn told(&self) -> String {
        let Some(agent) = &self.agent else {
            return "no agent".to_owned();
        };
        let open: Vec<_> = agent
            .worker
            .source
            .generations()
            .map(|it| {
                format!(
                    "{} {} at {} {:?} {} bytes",
                    it.id,
                    it.origin.file_name().unwrap().display(),
                    it.path.file_name().unwrap().display(),
                    it.place,
                    it.size
                )
            })
            .collect();
        open.join("\n")
    }
}

fn config(labels: Labels) -> Config {
    let version = labels.version;
    let name = if labels.is_one_stream {
        "all"
    } else {
        "{file}"
    };
    let text = format!(
        "version: 1\nstate_dir: /s\n\
         inputs: [{{name: app, include: [/l/*.log], format: plain, multiline: off}}]\noutputs:\n\
         - {{name: loki, type: loki, url: 'http://h', labels: {{version: v{version}, name: '{name}'}}}}\n\
         - {{name: cloudwatch, type: cloudwatch_logs, log_group: v{version}, log_stream: '{name}', region: r}}\n"
    );
    config::load(&config::Source::Text(text), &config::Environment::default()).unwrap()
}

impl Backend {
    fn take(&mut self, batch: Batch) {
        let body = &batch.sealed.body;
        if let Some(before) = self.handed.get(&batch.id) {
            assert_eq!(before, body, "a sealed batch has changed");
            assert!(batch.is_replay, "handed over twice in one run");
        } else {
            assert!(!batch.is_replay, "a replay of what was never sent");
            for (_, line) in opened(&batch) {
                *self.sealed.entry(line).or_default() += 1;
            }
            self.handed.insert(batch.id, body.clone());
        }
        self.waiting
            .entry(batch.stream_id)
            .or_default()
            .push_back(batch);
    }

    /// What is there already is a replay, and stays as it is.
    fn store(&mut self, batch: &Batch) {
        if !self.stored_batches.insert(batch.id) {
            return;
        }
        for (time, line) in opened(batch) {
            self.stored.push(Stored {
                stream: batch.stream.to_string(),
                time,
                line,
            });
        }
    }
}

/// The times, in nanoseconds, and the lines of a batch.
fn opened(batch: &Batch) -> Vec<(i64, String)> {
    let opened = Opened::of(&batch.sealed, &batch.stream).unwrap();
    let records = opened.records();
    records
        .map(|it| (it.time.0, it.text.into_owned()))
        .collect()
}
