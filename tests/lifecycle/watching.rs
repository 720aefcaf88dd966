//! `pinnace status --watch` over the lives of several agents.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::harness::{Config, Scene};

/// The command, which is ended at the end of the test.
struct Watching {
    child: Child,
    shown: Lines<BufReader<ChildStdout>>,
    told: Lines<BufReader<ChildStderr>>,
}

impl Watching {
    fn start(config: &Config) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_pinnace"))
            .args(["status", "--watch", "--json", "--state-dir"])
            .arg(&config.state_dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let shown = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, shown, told }
    }

    /// Reads on until an agent with so many outputs is shown.
    fn wait_for_outputs(&mut self, count: usize) {
        loop {
            let line = self.shown.next().unwrap().unwrap();
            let status: Value = serde_json::from_str(&line).unwrap();
            if status["outputs"].as_array().unwrap().len() == count {
                return;
            }
        }
    }

    /// The next sentence is that nobody answers.
    fn wait_for_absence(&mut self) {
        let line = self.told.next().unwrap().unwrap();
        assert!(line.starts_with("no agent answers at "), "{line}");
        assert!(line.ends_with("; asking again every second"), "{line}");
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It may have ended by itself: then the test has failed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_says_when_no_agent_answers_and_goes_on_with_the_next() {
    let scene = Scene::new();
    let one = scene.loki_config();
    let mut both = one.clone();
    both.outputs.push(scene.cloudwatch("log_stream: all"));
    let mut watching = Watching::start(&one);
    watching.wait_for_absence();
    let agent = scene.start(&one);
    watching.wait_for_outputs(1);
    agent.stop_well();
    watching.wait_for_absence();
    let agent = scene.start(&both);
    watching.wait_for_outputs(2);
    agent.stop_well();
}

#[test]
fn an_agent_answers_whose_state_directory_has_a_path_too_long_for_a_socket() {
    let scene = Scene::new();
    let mut config = scene.loki_config();
    config.state_dir = config.state_dir.join("s".repeat(200));
    let agent = scene.start(&config);
    let (code, text) = config.status_text();
    assert_eq!(code, Some(0), "{text}");
    agent.stop_well();
}
