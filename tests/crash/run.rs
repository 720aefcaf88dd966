//! Lives one case through: an application that writes, an agent that is killed, backends that
//! fail, and the account at the end. Nothing in it depends on the seed but the seed's choices;
//! the machine's own timing stays.

use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pinnace::receiver::{Action, Backend, Faults, Summary};

use crate::application::{Application, Pace, StopOnDrop, container, lock, report, work};
use crate::case::{Case, Rotation, Script, Style};
use crate::dice::Dice;
use crate::harness::{Agent, Config, Scene, SmallVolume, pass, skipped};
use crate::outcome::Row;
use crate::points::Trouble;
use crate::rotator;

mod deaths;
mod ending;
mod full;

/// Something arrives within this once nothing is in its way, as long as anything is owed.
const DRAIN: Duration = Duration::from_mins(2);
/// Delivery must go on within this after a hang or an outage.
const GOES_ON: Duration = Duration::from_secs(30);
/// Kills of an outage, and its rotations.
const OUTAGE: (u64, u32) = (3, 10);
/// As in a sidecar.
const ON_ERROR: [&str; 1] = ["--on-error=degrade"];

/// How large a life is.
#[derive(Debug)]
pub(crate) struct Scale {
    pub(crate) pace: Pace,
    /// Times that a script plays.
    pub(crate) rounds: u64,
    /// Kills of a round, one soon after the other.
    pub(crate) kills: u64,
    /// Deaths at each named place.
    pub(crate) deaths: u64,
    /// Bytes a second that the fast ones write.
    pub(crate) fast_rate: usize,
    /// How long nothing is answered.
    pub(crate) hang: Duration,
    /// How long everything is refused.
    pub(crate) outage: Duration,
    /// How long the state's volume is full.
    pub(crate) full: Duration,
}

/// Reads an environment variable.
pub(crate) fn variable<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().and_then(|it| it.parse().ok())
}

/// Lives a case through.
pub(crate) fn live(case: &'static Case, seed: u64, scale: &Scale) -> Vec<Row> {
    let mut dice = Dice(seed);
    for byte in case.name.bytes() {
        dice = Dice(dice.roll(0..u64::MAX) ^ u64::from(byte));
    }
    let scene = Scene::new();
    let application = Application::new(
        scene.log("app.log"),
        case.rotation,
        case.style,
        dice.split(),
    );
    let application = Mutex::new(application);
    let (is_over, rotates) = (AtomicBool::new(false), AtomicBool::new(false));
    let mut pace = scale.pace;
    if case.is_fast {
        pace.rate = scale.fast_rate;
    }
    let rows = case.backends().iter();
    let rows = rows.map(|backend| row(case, *backend, pace.rate));
    let volume = match case.script {
        Script::StateFull => match full::volume(&scene) {
            None => {
                skipped(full::NO_VOLUME);
                let not_tried = Some(full::NO_VOLUME);
                return rows.map(|row| Row { not_tried, ..row }).collect();
            }
            some => some,
        },
        _ => None,
    };
    let mut life = Life {
        config: config_of(&scene, case, false),
        agent: None,
        volume,
        application: &application,
        rotates: &rotates,
        rows: rows.collect(),
        told: String::new(),
        begun: Instant::now(),
        case,
        scale,
        scene: &scene,
        dice,
    };
    std::thread::scope(|scope| {
        scope.spawn(|| work(&application, pace, &is_over, &rotates));
        let rotator = (case.rotation == Rotation::Independent).then(|| {
            let log = scene.log("app.log");
            let (is_over, rotates) = (&is_over, &rotates);
            scope.spawn(move || rotator::work(&log, pace.rotate_every, is_over, rotates))
        });
        let stop_writing = StopOnDrop(&is_over);
        if case.rotation != Rotation::Never || !matches!(case.script, Script::Point(_)) {
            life.begin();
        }
        for round in 0..scale.rounds * case.script.times() {
            life.play(round);
        }
        drop(stop_writing);
        if let Some(rotator) = rotator {
            lock(&application).rotations = rotator.join().unwrap();
        }
    });
    life.end()
}

struct Life<'a> {
    case: &'static Case,
    scale: &'a Scale,
    scene: &'a Scene,
    config: Config,
    agent: Option<Agent>,
    /// Where the state is, when it is not among everything else.
    volume: Option<SmallVolume>,
    application: &'a Mutex<Application>,
    /// Whether the application rotates as time passes.
    rotates: &'a AtomicBool,
    dice: Dice,
    rows: Vec<Row>,
    /// What happened, for the one who reads of a failure.
    told: String,
    begun: Instant,
}

impl Life<'_> {
    /// Starts the first agent. What was rotated before it looked would be nobody's debt.
    fn begin(&mut self) {
        self.start();
        for &backend in self.case.backends() {
            let has_begun = |it: &Summary| it.stored > 0;
            if !self.scene.receiver.wait_for(backend, DRAIN, has_begun) {
                self.problem(backend, "nothing came".to_owned());
            }
        }
        self.rotates.store(true, Ordering::Relaxed);
    }

    fn play(&mut self, round: u64) {
        match self.case.script {
            Script::Kills => {
                let latency_ms = self.dice.roll(0..3) * 10;
                self.all_faults(&Faults {
                    latency_ms,
                    ..Faults::default()
                });
                self.kill_often(self.scale.kills);
            }
            Script::Point(point) => self.die_at(point),
            Script::StoredThenFailed => {
                self.half_of_all(&Action::Status(500), true, 0.5);
                self.kill_often(self.scale.kills / 2);
                self.all_faults(&Faults::default());
            }
            Script::StoredThenSilent => {
                self.half_of_all(&Action::Hang, true, 0.3);
                self.kill_often(self.scale.kills / 2);
                self.all_faults(&Faults::default());
            }
            Script::Throttled => {
                self.half_of_all(&Action::Status(429), false, 0.5);
                self.kill_often(self.scale.kills / 2);
                self.all_faults(&Faults::default());
            }
            Script::Hang => {
                self.all_faults(&Faults::of(Action::Hang));
                let kills = self.dice.roll(0..3);
                self.suffer(self.scale.hang, kills);
            }
            Script::Outage => {
                self.all_faults(&Faults::of(Action::Status(503)));
                self.rotates.store(false, Ordering::Relaxed);
                self.suffer(self.scale.outage, OUTAGE.0);
                self.rotates.store(true, Ordering::Relaxed);
            }
            Script::OtherConfiguration => self.change_configuration(round.is_multiple_of(2)),
            Script::StateFull => self.fill_the_state(),
            Script::RotatedWhileDead => {
                self.rotates.store(false, Ordering::Relaxed);
                self.drain();
                let seen = self.dice.millis(0..100);
                pass(seen);
                self.kill();
                for _ in 0..3 {
                    pass(Duration::from_millis(50));
                    lock(self.application).rotate();
                }
                self.start();
            }
        }
        self.drain();
    }

    /// Lets the trouble go on for its time, with kills and, in an outage, with rotations; then
    /// ends it. Delivery must go on soon.
    fn suffer(&mut self, time: Duration, kills: u64) {
        let step = time / OUTAGE.1;
        for number in 0..OUTAGE.1 {
            pass(step);
            if self.case.script == Script::Outage {
                lock(self.application).rotate();
            }
            if u64::from(number % 3) == 1 && u64::from(number / 3) < kills {
                self.kill();
                self.start();
            }
        }
        self.all_faults(&Faults::default());
        for backend in Backend::ALL {
            let receiver = &self.scene.receiver;
            // What was hanging is stored now, whoever waits for it.
            let is_rid = receiver.wait_for(backend, GOES_ON, |it| it.hanging == 0);
            let before = receiver.summary(backend).stored;
            let goes_on = receiver.wait_for(backend, GOES_ON, |it| it.stored > before);
            if !is_rid || !goes_on {
                self.problem(backend, format!("nothing came within {GOES_ON:?}"));
            }
        }
    }

    /// Kills the agent with batches on their way, and starts it with another configuration.
    fn change_configuration(&mut self, is_other: bool) {
        let hang = Faults::of(Action::Hang).on("push").on("PutLogEvents");
        self.all_faults(&hang);
        for backend in Backend::ALL {
            let hangs = self
                .scene
                .receiver
                .wait_for(backend, GOES_ON, |it| it.hanging > 0);
            if !hangs {
                self.problem(backend, "nothing is on its way".to_owned());
            }
        }
        self.kill();
        self.config = Config {
            port: self.config.port,
            ..config_of(self.scene, self.case, is_other)
        };
        self.all_faults(&Faults::default());
        self.start();
        self.kill_often(2);
    }

    fn half_of_all(&mut self, action: &Action, store: bool, ratio: f64) {
        let seed = self.dice.roll(0..1 << 40);
        for (backend, operation) in [
            (Backend::Loki, "push"),
            (Backend::Cloudwatch, "PutLogEvents"),
        ] {
            let faults = Faults {
                store,
                ratio,
                seed,
                ..Faults::of(action.clone()).on(operation)
            };
            self.scene.receiver.set_faults(backend, faults);
        }
        self.tell(&format!("{ratio} of the requests: {action:?}"));
    }

    fn all_faults(&mut self, faults: &Faults) {
        for backend in Backend::ALL {
            self.scene.receiver.set_faults(backend, faults.clone());
        }
        let (action, latency) = (&faults.action, faults.latency_ms);
        self.tell(&format!("requests: {action:?}, {latency} ms"));
    }

    fn start(&mut self) {
        let path = self.scene.write(&self.config);
        self.agent = Some(match &self.volume {
            Some(volume) => Agent::launch_at(volume, &path, &ON_ERROR),
            None => Agent::launch(&path, &ON_ERROR),
        });
    }

    fn kill(&mut self) {
        let Some(mut agent) = self.agent.take() else {
            return;
        };
        self.take_counters();
        if !agent.is_running() {
            let log = agent.log_text();
            self.problem(Backend::Loki, format!("the agent ended by itself: {log}"));
        }
        let log = agent.log_text();
        agent.kill();
        for row in &mut self.rows {
            row.kills += 1;
        }
        let _ = writeln!(self.told, "{log}");
        self.tell("killed");
    }

    /// Waits until all that is written by now is stored.
    fn drain(&mut self) {
        if !self.case.all_is_stored() {
            // Nobody knows how many there are still; the end is waited for with what is left.
            return;
        }
        let lines = lock(self.application).lines;
        for &backend in self.case.backends() {
            let receiver = &self.scene.receiver;
            let mut stored = receiver.summary(backend).stored;
            while stored < lines {
                if !receiver.wait_for(backend, DRAIN, |it| it.stored > stored) {
                    let problem =
                        format!("{stored} of {lines} lines were stored, none in {DRAIN:?}");
                    self.problem(backend, problem);
                    break;
                }
                stored = receiver.summary(backend).stored;
            }
        }
        self.tell(&format!("{lines} lines are stored"));
    }

    fn problem(&mut self, backend: Backend, problem: String) {
        self.tell(&problem);
        let row = self.rows.iter_mut().find(|row| row.backend == backend);
        row.unwrap().problems.push(problem);
    }

    fn tell(&mut self, what: &str) {
        let at = self.begun.elapsed();
        let _ = writeln!(self.told, "{at:.3?} {what}");
    }
}

fn row(case: &Case, backend: Backend, rate: usize) -> Row {
    Row {
        case: case.name,
        backend,
        not_tried: None,
        asked_rate: rate,
        lines: 0,
        bytes: 0,
        wrote_for: Duration::ZERO,
        kills: 0,
        rotations: 0,
        lost: 0,
        replayed: 0,
        duplicated: 0,
        beyond: 0,
        has_parts: matches!(case.script, Script::Point(it) if it.trouble != Trouble::None),
        doubtful: 0,
        time: Duration::ZERO,
        problems: Vec::new(),
    }
}

/// The configuration of a case, or another that goes on with the same files.
fn config_of(scene: &Scene, case: &Case, is_other: bool) -> Config {
    let (name, compression, stream, limit) = if is_other {
        ("other", "none", "other", "3s")
    } else {
        ("app", "snappy", "all", "2s")
    };
    let (level, keys) = match (case.style, is_other) {
        (Style::Lines, _) => ("", ""),
        (Style::Records, _) => (", level: \"{level}\"", report::KEYS),
        (Style::Pipes, false) => ("", container::KEYS),
        (Style::Pipes, true) => ("", container::OTHER_KEYS),
    };
    let labels = format!("labels: {{ service_name: {name}{level} }}, compression: {compression}");
    let stream = if case.rotation == Rotation::NewName {
        "\"{file}\""
    } else {
        stream
    };
    let more = format!("request_timeout: {limit}");
    let output = |backend: &Backend| match backend {
        Backend::Loki => scene.loki(&format!("{labels}, {more}")),
        Backend::Cloudwatch => scene.cloudwatch(&format!("log_stream: {stream}, {more}")),
    };
    Config {
        inputs: vec![scene.input("app", &[case.glob], keys)],
        outputs: case.backends().iter().map(output).collect(),
        ..scene.empty_config()
    }
    .serving()
}
