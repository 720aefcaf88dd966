//! Storms of rotations: one follows the other as fast as the machine can, in the middle of the
//! agent's looks, while its lines go out. Each line arrives once.
//!
//! Each storm prints its seed when it fails. `PINNACE_TEST_SEED=N` runs that one alone,
//! `PINNACE_TEST_STORMS=N` so many from a seed of the day.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use pinnace::receiver::Backend;

use super::containers::gzip;
use super::model::{Dice, seeds};
use crate::harness::{Account, Agent, Config, Numbered, PATIENCE, Scene, lines_of};

/// Storms of a usual run.
const STORMS: u64 = 8;
/// Rotations of a storm.
const ROTATIONS: u32 = 60;

/// How a log is rotated.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Each gets the next number.
    Numbers,
    /// The same, and those from the second on are compressed.
    Compressed,
    /// Each gets a name that it keeps.
    Dates,
    /// Its writer copies and empties it.
    Copies,
}

/// An agent, and the log that is rotated under its looks.
struct Storm {
    scene: Scene,
    config: Config,
    way: Way,
    is_polled: bool,
    series: Numbered,
    dice: Dice,
    /// What happened, for the one who reads of a failure.
    told: String,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let scene = Scene::new();
        let glob = ["app.log", "app.log*"][dice.index(2)];
        let ways = [Way::Numbers, Way::Compressed, Way::Dates, Way::Copies];
        let way = ways[dice.index(ways.len())];
        let is_polled = dice.roll(4) == 0;
        let width = dice.index(200);
        Self {
            told: format!("seed {seed}: {glob}, {way:?}, polled: {is_polled}, width {width}\n"),
            config: Config {
                inputs: vec![scene.input("app", &[glob], "")],
                ..scene.loki_config()
            },
            scene,
            way,
            is_polled,
            series: Numbered::wide("storm", width),
            dice,
        }
    }

    /// Starts an agent; one that is told of changes where the system cannot be kept from that.
    fn start(&self) -> Agent {
        let config = self.scene.write(&self.config);
        let polling = self.is_polled.then(|| Agent::without_inotify(&config));
        polling.flatten().unwrap_or_else(|| Agent::start(&config))
    }

    fn rage(mut self) {
        let log = self.scene.log("app.log");
        let mut agent = self.start();
        for rotated in 0..ROTATIONS {
            for _ in 0..=self.dice.roll(3) {
                let count = self.dice.roll(30) + 1;
                self.series.append_to(&log, count);
                self.pause();
            }
            self.rotate(&log, rotated);
            self.pause();
            if self.dice.roll(20) == 0 {
                writeln!(self.told, "killed after {} lines", self.series.next).unwrap();
                agent.kill();
                agent = self.start();
            }
        }
        self.series.append_to(&log, 1);
        let count = self.series.next;
        let arrived = self
            .scene
            .receiver
            .wait_for(Backend::Loki, PATIENCE, |it| it.stored >= count);
        let said = agent.stop_well();
        self.told += &said;
        let mut arrived_lines = lines_of(&self.scene, Backend::Loki, |_| true);
        arrived_lines.sort();
        Account::of(&self.series.all(), &arrived_lines).assert_exact(&self.told);
        assert!(arrived, "{}", self.told);
        self.scene.assert_flawless(Backend::Loki);
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the pace of a writer, which waits for nobody"
    )]
    fn pause(&mut self) {
        if self.dice.roll(2) == 0 {
            let micros = self.dice.roll(3000);
            std::thread::sleep(Duration::from_micros(micros));
        }
    }

    fn rotate(&mut self, log: &Path, rotated: u32) {
        let numbered = |number: u32, end: &str| self.scene.log(&format!("app.log.{number}{end}"));
        if let Way::Dates = self.way {
            let name = format!("app.log-20261122-{rotated:03}");
            return fs::rename(log, self.scene.log(&name)).unwrap();
        }
        for number in (1..=rotated).rev() {
            let is_compressed = numbered(number, ".gz").exists();
            let end = if is_compressed { ".gz" } else { "" };
            fs::rename(numbered(number, end), numbered(number + 1, end)).unwrap();
        }
        let first = numbered(1, "");
        if let Way::Copies = self.way {
            fs::copy(log, first).unwrap();
            File::create(log).unwrap();
        } else {
            fs::rename(log, first).unwrap();
        }
        if let Way::Compressed = self.way
            && rotated > 0
        {
            let plain = numbered(2, "");
            gzip(&plain, &numbered(2, ".gz"));
            fs::remove_file(plain).unwrap();
        }
    }
}

#[test]
fn whatever_the_pace_of_rotations_each_line_arrives_once() {
    for seed in seeds("PINNACE_TEST_STORMS", STORMS) {
        Storm::new(seed).rage();
    }
}
