//! Many streams of an output wait, each for a reason of its own: the others go on.

use std::fs;

use pinnace::receiver::{Backend, Faults};

use crate::harness::{Account, Agent, Config, MEMORY_CEILING, Scene, append, eventually, lines_of};
use crate::refused::{BAD, poison, texts};

/// With two batches of each on their way these are far more than an output may have in memory.
const MEMORY: &str = "memory_limit: 10MiB";
/// A body that comes back for its dead letters is there as it was sent and unpacked.
const CEILING: u64 = MEMORY_CEILING + (4 << 20);
const FILES: usize = 12;
const BYTES_OF_EACH: usize = 3 << 20;

/// A scene with so many files that hold these texts again and again, and one that is good.
struct Waiting {
    scene: Scene,
    config: Config,
    written: Vec<String>,
    good: usize,
}

impl Waiting {
    fn with(top: &str, texts_of_file: &[String]) -> Self {
        let scene = Scene::new();
        let config = Config {
            top: format!("{MEMORY}\n{top}"),
            ..scene
                .config_of(Backend::Loki, "compression: none")
                .serving()
        };
        scene.receiver.set_faults(Backend::Loki, poison());
        let mut written = Vec::new();
        for file in 0..FILES {
            let mut text = String::new();
            for number in 0.. {
                let line = &texts_of_file[number % texts_of_file.len()];
                let line = format!("{file} {number} {line}");
                text.push_str(&line);
                text.push('\n');
                written.push(line);
                if text.len() > BYTES_OF_EACH {
                    break;
                }
            }
            append(&scene.log(&format!("waits-{file}.log")), text);
        }
        Self {
            scene,
            config,
            written,
            good: 0,
        }
    }

    fn is_on_its_way(&self, bytes: u64) -> bool {
        eventually(|| self.config.metric_sum("pinnace_in_flight_bytes", "loki") > bytes)
    }

    /// Writes a line to the file beside the others, and waits until it is there.
    fn assert_others_go_on(&mut self) {
        let line = format!("good {}", self.good);
        append(&self.scene.log("good.log"), format!("{line}\n"));
        let is_there = || lines_of(&self.scene, Backend::Loki, |it| it.line == line).len() == 1;
        assert!(eventually(is_there), "{line} does not arrive");
        self.written.push(line);
        self.good += 1;
    }

    /// What waits fills the memory, and then all of it waits.
    fn assert_wait_alone(&mut self, agent: &Agent, says: &str) {
        agent.wait_for_log(says);
        assert!(self.is_on_its_way(5 << 20));
        self.assert_others_go_on();
        assert!(self.is_on_its_way(22 << 20), "some were never read");
        self.assert_others_go_on();
        let peak = agent.peak_memory();
        assert!(peak < CEILING, "{peak} bytes of memory at the peak");
    }

    /// Another run is taken all that it sends: each line is there once, or was refused before.
    fn assert_settled_after_a_kill(mut self, agent: Agent) {
        agent.kill();
        self.scene
            .receiver
            .set_faults(Backend::Loki, Faults::default());
        let agent = self.scene.start(&self.config);
        self.config.wait_until_no_lag();
        let peak = agent.peak_memory();
        assert!(peak < CEILING, "{peak} bytes of memory at the peak");
        agent.stop_well();
        let mut settled = lines_of(&self.scene, Backend::Loki, |_| true);
        settled.extend(texts(&self.config.dead_letters()));
        settled.sort_unstable();
        self.written.sort_unstable();
        Account::of(&self.written, &settled).assert_exact("loki");
    }
}

#[test]
fn streams_that_are_refused_for_good_hold_up_no_other() {
    let bad = format!("{BAD} {}", "x".repeat(1000));
    let mut waiting = Waiting::with("", &[bad]);
    let agent = waiting.scene.start(&waiting.config);
    waiting.assert_wait_alone(&agent, "it is not the records");
    waiting.assert_settled_after_a_kill(agent);
}

#[test]
fn streams_that_wait_for_room_in_the_dead_letters_hold_up_no_other() {
    let bad = format!("{BAD} {}", "y".repeat(30_000));
    let texts = ["fine".to_owned(), bad];
    let mut waiting = Waiting::with("dead_letters: { max_bytes: 64KiB }", &texts);
    let agent = waiting.scene.start(&waiting.config);
    waiting.assert_wait_alone(&agent, "dead_letters.max_bytes");
    let letters = fs::metadata(waiting.config.state_dir.join("dead-letters.ndjson"));
    assert!(letters.unwrap().len() <= 64 << 10);
    waiting.assert_settled_after_a_kill(agent);
}
