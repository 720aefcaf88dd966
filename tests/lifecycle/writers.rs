//! Files that have no name of their own any more, while their writers have them open: however long
//! they say nothing.

use std::fs::{self, File};
use std::io::Write as _;

use pinnace::receiver::Backend;

use crate::harness::{Agent, Config, Numbered, Scene, eventually};

/// A log of one line that its writer has open.
struct Log {
    scene: Scene,
    config: Config,
    series: Numbered,
    writer: File,
}

impl Log {
    /// Of an input with these further keys.
    fn new(keys: &str) -> Self {
        let scene = Scene::new();
        let config = Config {
            inputs: vec![scene.input("app", &["*.log"], keys)],
            ..scene.loki_config().serving()
        };
        let path = scene.log("app.log");
        let mut series = Numbered::new("deleted");
        series.append_to(&path, 1);
        let writer = File::options().append(true).open(&path).unwrap();
        Self {
            scene,
            config,
            series,
            writer,
        }
    }

    /// Starts an agent that says all it does.
    fn start(&self) -> Agent {
        let level = ("PINNACE_LOG", "debug".to_owned());
        Agent::start_with(&self.scene.write(&self.config), &[level])
    }

    /// Deletes the log when its line is delivered, and waits until the agent has asked who writes
    /// it and got this answer.
    fn delete(&self, agent: &Agent, writer: &str) {
        self.scene.wait_for_stored(Backend::Loki, 1);
        fs::remove_file(self.scene.log("app.log")).unwrap();
        agent.wait_for_log(&format!("writer={writer}"));
    }

    /// The writer writes another line, and that arrives.
    fn write(&mut self) {
        let line = self.series.next_line();
        self.writer.write_all(line.as_bytes()).unwrap();
        self.scene.wait_for_stored(Backend::Loki, self.series.next);
    }

    /// The writer ends, and so does the holding. Returns what the agent said.
    fn close(self, agent: Agent) -> String {
        drop(self.writer);
        let open = || self.config.metric::<u64>("pinnace_files_open");
        assert!(eventually(|| open() == Some(0)), "{:?}", open());
        let lost = self
            .config
            .metric("pinnace_lost_bytes_total{reason=\"hold_deleted\"}");
        assert_eq!(lost, Some(0));
        let log = agent.stop_well();
        self.scene.assert_arrived(Backend::Loki, &self.series.all());
        log
    }
}

#[test]
fn a_deleted_file_is_read_on_after_a_silence_while_its_writer_has_it_open_and_is_closed_then() {
    let mut log = Log::new("");
    let agent = log.start();
    log.delete(&agent, "There");
    log.write();
    let said = log.close(agent);
    assert!(said.contains("closed: all of it is delivered"), "{said}");
}

#[test]
fn a_deleted_file_that_its_writer_has_open_counts_for_no_limit() {
    let mut log = Log::new("hold_deleted: { max_bytes: 0 }");
    let agent = log.start();
    log.delete(&agent, "There");
    log.write();
    log.close(agent);
}

#[test]
fn a_deleted_file_whose_writer_cannot_be_seen_is_held_for_longer_than_ten_seconds() {
    let mut log = Log::new("");
    let agent = log
        .scene
        .launch_powerless(&log.config, &["--on-error=exit"]);
    let Some(agent) = agent else {
        return;
    };
    log.delete(&agent, "Unseen");
    log.write();
    agent.stop_well();
    log.scene.assert_arrived(Backend::Loki, &log.series.all());
}
