//! Random lives of files against a simple model: whatever happened to them and whatever the backend
//! answered, each line that was written arrives once, and in order within its content. In every second life the lines make
//! records, which are joined, dropped by level, sampled and redacted.
//!
//! Each sequence prints its seed when it fails. `PINNACE_TEST_SEED=N` runs that one alone,
//! `PINNACE_TEST_SEQUENCES=N` so many from a seed of the day.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;

use pinnace::receiver::{Backend, Faults};

use crate::harness::{Agent, Config, Numbered, PATIENCE, Scene, append, eventually};

#[path = "model/dice.rs"]
mod dice;
#[path = "model/more.rs"]
mod more;
#[path = "model/trouble.rs"]
mod trouble;

pub(super) use dice::{Dice, seeds};
use more::{KEYS, More};

/// Sequences of a usual run.
const SEQUENCES: u64 = 24;
/// Sequences that go on at the same time.
const AT_ONCE: usize = 6;
/// Actions of a sequence.
const ACTIONS: usize = 40;
const NAMES: [&str; 3] = ["a.log", "b.log", "c.log"];

/// What the model knows of one name.
#[derive(Debug, Default)]
struct File {
    /// Lines are numbered through all contents of the name.
    next: u64,
    /// Half a line that waits for its rest.
    unfinished: Option<String>,
    /// Whether the file is there.
    exists: bool,
    /// How often it was rotated.
    rotations: u32,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Append,
    AppendPart,
    Rotate,
    EmptyWhenDelivered,
    DeleteAndMakeAnew,
    RotateWhileAway,
    Restart,
    Kill,
    Trouble,
}

/// Each as often as it stands here.
const DECK: [Action; 18] = [
    Action::Append,
    Action::Append,
    Action::Append,
    Action::Append,
    Action::Append,
    Action::AppendPart,
    Action::AppendPart,
    Action::AppendPart,
    Action::Rotate,
    Action::Rotate,
    Action::EmptyWhenDelivered,
    Action::DeleteAndMakeAnew,
    Action::DeleteAndMakeAnew,
    Action::RotateWhileAway,
    Action::Restart,
    Action::Kill,
    Action::Trouble,
    Action::Trouble,
];

/// The agent, the files, and what must arrive of them.
struct World {
    scene: Scene,
    config: Config,
    backend: Backend,
    agent: Option<Agent>,
    files: BTreeMap<&'static str, File>,
    /// Whole lines written, in order, by name.
    written: BTreeMap<&'static str, Vec<String>>,
    /// Last lines without a line end in files that were rotated since all was delivered: they go
    /// out when their file has been still for a while, which a stop does not wait for.
    last_words: u64,
    /// Whether rotated names are meant too.
    takes_rotated: bool,
    /// Where records are written, of several lines, with levels and secrets: the time that all of
    /// them say.
    at: Option<String>,
    /// What happened, for the one who reads of a failure.
    told: String,
    /// Whether a file was deleted since all was delivered.
    has_deleted: bool,
    /// Some answers take their time, so that there is something on its way when it matters.
    latency_ms: u64,
    /// Whether there may be replays.
    may_replay: bool,
    dice: Dice,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let scene = Scene::new();
        let is_loki = dice.roll(2) == 0;
        let backend = if is_loki {
            Backend::Loki
        } else {
            Backend::Cloudwatch
        };
        let glob = ["*.log", "*.log*"][usize::try_from(dice.roll(2)).unwrap()];
        let mut config = if is_loki {
            scene.loki_config()
        } else {
            let mut config = scene.cloudwatch_config();
            config.outputs = vec![scene.cloudwatch("log_stream: \"{file}\"")];
            config
        };
        let has_records = seed % 2 == 1;
        let keys = if has_records { KEYS } else { "" };
        config.inputs = vec![scene.input("app", &[glob], keys)];
        if has_records && is_loki {
            let labels = "labels: { filename: \"{path}\", level: \"{level}\" }";
            config.outputs = vec![scene.loki(labels)];
        }
        "timeout: 30s, quiet_for: 10ms".clone_into(&mut config.shutdown);
        let latency_ms = dice.roll(3) * 7;
        let world = Self {
            agent: Some(scene.start(&config)),
            files: NAMES.iter().map(|name| (*name, File::default())).collect(),
            written: NAMES.iter().map(|name| (*name, Vec::new())).collect(),
            told: format!("{backend}, {glob}, records: {has_records}, latency {latency_ms} ms\n"),
            last_words: 0,
            has_deleted: false,
            may_replay: false,
            takes_rotated: glob == "*.log*",
            at: has_records.then(|| {
                jiff::Timestamp::now()
                    .strftime("%Y-%m-%d %H:%M:%S,%3f")
                    .to_string()
            }),
            scene,
            config,
            backend,
            latency_ms,
            dice,
        };
        world.set_faults(Faults::default());
        world
    }

    fn set_faults(&self, faults: Faults) {
        let faults = Faults {
            latency_ms: self.latency_ms,
            ..faults
        };
        self.scene.receiver.set_faults(self.backend, faults);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scene.log(name)
    }

    fn expected(&self) -> u64 {
        let lines: usize = self.written.values().map(Vec::len).sum();
        u64::try_from(lines).unwrap()
    }

    fn act(&mut self) {
        let action = DECK[usize::try_from(self.dice.roll(DECK.len() as u64)).unwrap()];
        let name = NAMES[usize::try_from(self.dice.roll(3)).unwrap()];
        writeln!(self.told, "{action:?} {name}").unwrap();

        match action {
            Action::Append => {
                let count = 1 + self.dice.roll(40);
                self.append_lines(name, count);
            }
            Action::AppendPart => self.append_part(name),
            Action::Rotate => self.rotate(name),
            Action::EmptyWhenDelivered => {
                self.finish_line(name);
                self.wait_until_delivered();
                if self.files[name].exists {
                    let path = self.path(name);
                    let file = OpenOptions::new().write(true).open(path).unwrap();
                    file.set_len(0).unwrap();
                }
                self.append_lines(name, 3);
            }
            Action::DeleteAndMakeAnew => {
                if self.files[name].exists {
                    // What of a file is not open yet cannot outlive its deletion.
                    self.wait_until_seen(name);
                    self.append_lines(name, 3);
                    fs::remove_file(self.path(name)).unwrap();
                    self.has_deleted = true;
                }
                self.append_lines(name, 2);
            }
            Action::RotateWhileAway => {
                // Only a content that was seen is looked for under another name.
                self.append_lines(name, 1);
                self.wait_until_delivered();
                self.stop();
                self.append_lines(name, 4);
                self.rotate(name);
                self.append_lines(name, 4);
                self.start();
            }
            Action::Restart => {
                self.stop();
                self.append_lines(name, 5);
                self.start();
            }
            Action::Kill => {
                // Loki knows a replay for what it is; CloudWatch stores it again, so there
                // nothing is on its way. And a deleted file goes with the one who held it.
                if self.backend == Backend::Cloudwatch || self.has_deleted {
                    self.wait_until_delivered();
                    self.config.wait_until_all_is_answered();
                }
                self.agent.take().unwrap().kill();
                self.may_replay = true;
                self.append_lines(name, 5);
                self.start();
            }
            Action::Trouble => {
                let faults = trouble::of(self.backend, &mut self.dice);
                writeln!(self.told, "{faults:?}").unwrap();
                self.may_replay |= faults.store;
                self.set_faults(faults);
            }
        }
    }

    fn start(&mut self) {
        self.agent = Some(self.scene.start(&self.config));
    }

    fn stop(&mut self) {
        let owed = self.expected() - self.last_words;
        let log = self.agent.take().unwrap().stop_well();
        let stored = self.scene.receiver.summary(self.backend).stored;
        assert!(
            stored >= owed,
            "{stored} of {owed} lines arrived before the end\n{}\n{log}",
            self.told
        );
    }

    fn next_line(&mut self, name: &'static str) -> String {
        let width = usize::try_from(self.dice.roll(120)).unwrap();
        let file = self.files.get_mut(name).unwrap();
        let mut series = Numbered::wide(name, width);
        series.next = file.next;
        file.next += 1;
        let line = series.next_line();
        let level = ["INFO", "WARNING", "ERROR"][width % 3];
        match &self.at {
            Some(at) => format!("{at} - {level} - {line}"),
            None => line,
        }
    }

    /// What goes behind a line.
    fn more_of_it(&mut self, name: &'static str, offset: u64) -> More {
        let Some(at) = &self.at else {
            return More::default();
        };
        match self.dice.roll(5) {
            0 => More::line(),
            1 => More::secret(),
            2 => More::dropped(at),
            3 => More::sampled(&self.next_line(name), offset),
            _ => More::default(),
        }
    }

    fn append_lines(&mut self, name: &'static str, count: u64) {
        self.finish_line(name);
        let mut text = String::new();
        let begin = fs::metadata(self.path(name)).map_or(0, |it| it.len());
        for _ in 0..count {
            let line = self.next_line(name);
            text.push_str(&line);
            let more = self.more_of_it(name, begin + text.len() as u64);
            text.push_str(&more.written);
            let written = self.written.get_mut(name).unwrap();
            written.push(line.trim_end_matches('\n').to_owned() + more.shipped);
            written.extend(more.behind);
        }
        append(&self.path(name), text);
        self.files.get_mut(name).unwrap().exists = true;
    }

    /// Writes the rest of a line that was begun.
    fn finish_line(&mut self, name: &'static str) {
        let path = self.path(name);
        let file = self.files.get_mut(name).unwrap();
        if let Some(begun) = file.unfinished.take() {
            append(&path, " and the rest\n");
            let line = format!("{begun} and the rest");
            self.written.get_mut(name).unwrap().push(line);
        }
    }

    fn append_part(&mut self, name: &'static str) {
        self.finish_line(name);
        let line = self.next_line(name).trim_end().to_owned();
        append(&self.path(name), &line);
        let file = self.files.get_mut(name).unwrap();
        file.unfinished = Some(line);
        file.exists = true;
    }

    /// Renames and makes anew. An unfinished last line is complete as it is then.
    fn rotate(&mut self, name: &'static str) {
        let from = self.path(name);
        let file = &self.files[name];
        if file.exists && self.agent.is_some() {
            let adds_lines = self.dice.roll(2) == 0;
            // Under a name that is not meant, only a file that was seen is followed. And of one
            // that is first seen under its rotated name nobody knows that its last line is over.
            if !self.takes_rotated || (file.unfinished.is_some() && !adds_lines) {
                self.wait_until_seen(name);
            }
            if adds_lines {
                self.append_lines(name, 3);
            }
        }
        let file = self.files.get_mut(name).unwrap();
        if file.exists {
            file.rotations += 1;
            let to = self.scene.log(&format!("{name}.{}", file.rotations));
            fs::rename(from, to).unwrap();
            if let Some(last) = file.unfinished.take() {
                self.written.get_mut(name).unwrap().push(last);
                self.last_words += 1;
            }
        }
        self.append_lines(name, 2);
    }

    /// Waits until the agent has opened what is at this name now.
    fn wait_until_seen(&self, name: &str) {
        let path = self.path(name);
        let size = fs::metadata(&path).unwrap().len();
        let path = path.display().to_string();
        let is_seen = eventually(|| {
            let status = self.config.status_json();
            let mut files = status["files"].as_array().into_iter().flatten();
            files.any(|it| it["path"] == path && it["place"] == "home" && it["size"] == size)
        });
        assert!(
            is_seen,
            "{name} is not seen: {:#}\n{}",
            self.config.status_json(),
            self.told
        );
    }

    fn wait_until_delivered(&mut self) {
        let expected = self.expected();
        let arrived = self
            .scene
            .receiver
            .wait_for(self.backend, PATIENCE, |it| it.stored >= expected);
        assert!(
            arrived,
            "{} of {expected} lines arrived\n{}\n{:#}",
            self.scene.receiver.summary(self.backend).stored,
            self.told,
            self.config.status_json()
        );
        self.last_words = 0;
        self.has_deleted = false;
    }

    fn compare(&self) {
        let mut arrived: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for record in self.scene.receiver.records(self.backend) {
            let is_of = |name: &str| record.line.contains(&format!("{name} 0"));
            let name = NAMES.iter().find(|name| is_of(name));
            let name = name.unwrap_or_else(|| panic!("{record:?}\n{}", self.told));
            arrived.entry(name).or_default().push(record.line);
        }
        for (name, written) in &self.written {
            let mut arrived = arrived.remove(name).unwrap_or_default();
            // A content that was first seen under its rotated name has a stream of its own.
            arrived.sort();
            let mut written = written.clone();
            written.sort();
            let account = crate::harness::Account::of(&written, &arrived);
            account.assert_exact(&format!("{name}\n{}", self.told));
        }
        self.scene.assert_flawless(self.backend);
        let replayed = self.scene.receiver.summary(self.backend).replayed;
        assert!(replayed == 0 || self.may_replay, "{}", self.told);
    }
}

fn live(seed: u64) {
    let mut world = World::new(seed);
    writeln!(world.told, "seed {seed}").unwrap();
    for _ in 0..ACTIONS {
        world.act();
    }
    for name in NAMES {
        world.finish_line(name);
    }
    world.wait_until_delivered();
    world.stop();
    world.compare();
}

#[test]
fn whatever_happens_to_the_files_each_line_arrives_once() {
    let next = Mutex::new(seeds("PINNACE_TEST_SEQUENCES", SEQUENCES));
    // They mostly wait, so several go on at once.
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(seed) = one_of(&next) {
                    live(seed);
                }
            });
        }
    });
}

fn one_of(seeds: &Mutex<Range<u64>>) -> Option<u64> {
    seeds.lock().unwrap().next()
}
