//! A run that begins without its state directory, which comes later: what an earlier run had on its
//! way, and what was read meanwhile. Nothing is left out, and what is there twice is counted.

use std::fmt::Write as _;
use std::fs;

use pinnace::receiver::{Action, Backend, Faults, Summary};

use crate::degraded::launch;
use crate::harness::{Agent, Config, Numbered, PATIENCE, Scene, append, eventually, lines_of};

const BACKEND: Backend = Backend::Cloudwatch;

/// A run that ended, and one that begins without what it knew.
struct Life {
    scene: Scene,
    config: Config,
}

impl Life {
    /// All logs go to CloudWatch Logs; with these keys of the input and of batches.
    fn new(input: &str, batch: &str) -> Self {
        let scene = Scene::new();
        let output = scene.cloudwatch("log_stream: all");
        let config = Config {
            inputs: vec![scene.input("app", &["*.log"], input)],
            outputs: vec![output.replace("batch: { ", &format!("batch: {{ {batch}"))],
            ..scene.empty_config()
        };
        Self {
            scene,
            config: config.serving(),
        }
    }

    /// An agent that has delivered a log of one line, and looked at all there is.
    fn start(&self) -> Agent {
        let agent = self.scene.start(&self.config);
        self.config.wait_until_no_lag();
        append(&self.scene.log("first.log"), "first\n");
        self.scene.wait_for_stored(BACKEND, 1);
        agent
    }

    /// An agent that cannot use its state directory, and has opened so many logs.
    fn start_without_state(&self, logs: usize) -> Agent {
        fs::rename(&self.config.state_dir, self.scene.dir().join("aside")).unwrap();
        append(&self.config.state_dir, "in the way");
        let agent = launch(&self.scene, &self.config);
        agent.wait_for_log("create the state directory");
        let opened = format!("pinnace_files_open {logs}");
        self.config.wait_for_samples(&[opened]);
        agent
    }

    /// The state directory is there again, and the agent knows what is in it.
    fn bring_state_back(&self, agent: &Agent) {
        fs::remove_file(&self.config.state_dir).unwrap();
        fs::rename(self.scene.dir().join("aside"), &self.config.state_dir).unwrap();
        agent.wait_for_log("what an earlier run delivered is known by now");
    }

    fn wait_for_answers(&self) {
        assert!(eventually(|| self.config.batches_on_their_way() == 0));
    }

    /// How many batches were counted as doubtful, and how often each of these is stored.
    fn end(self, agent: Agent, lines: &[String]) -> (u64, Vec<usize>) {
        let last = lines.last().unwrap();
        let stored = || lines_of(&self.scene, BACKEND, |_| true);
        assert!(
            eventually(|| stored().contains(last)),
            "{}",
            agent.log_text()
        );
        self.config.wait_until_no_lag();
        let doubtful = self.config.metric_sum("pinnace_doubtful_resends_total", "");
        agent.stop_well();
        let stored = stored();
        let times = |line: &String| stored.iter().filter(|it| *it == line).count();
        (doubtful, lines.iter().map(times).collect())
    }
}

#[test]
fn what_was_on_its_way_is_read_again_and_counted() {
    for is_stored in [true, false] {
        // The log is new when it is first met, so all of it is owed; and then it is not.
        let life = Life::new("read_from: end", "");
        let log = life.scene.log("app.log");
        let mut series = Numbered::new("line");
        let agent = life.start();
        let hang = Faults::of(Action::Hang).on("PutLogEvents");
        let hang = if is_stored {
            hang.after_storing()
        } else {
            hang
        };
        let receiver = &life.scene.receiver;
        receiver.set_faults(BACKEND, hang);
        series.append_to(&log, 10);
        let hangs = |it: &Summary| it.hanging > 0;
        assert!(receiver.wait_for(BACKEND, PATIENCE, hangs));
        agent.kill();
        receiver.set_faults(BACKEND, Faults::default());
        let agent = life.start_without_state(2);
        life.bring_state_back(&agent);
        series.append_to(&log, 10);
        let again = 1 + usize::from(is_stored);
        let times = [vec![again; 10], vec![1; 10]].concat();
        assert_eq!(life.end(agent, &series.all()), (1, times), "{is_stored}");
    }
}

#[test]
fn what_was_read_behind_lines_that_are_owed_is_read_again_and_counted() {
    let life = Life::new("read_from: end", "");
    let log = life.scene.log("app.log");
    let mut series = Numbered::new("line");
    let agent = life.start();
    series.append_to(&log, 10);
    life.scene.wait_for_stored(BACKEND, 11);
    agent.stop_well();
    series.append_to(&log, 10);
    let agent = life.start_without_state(2);
    series.append_to(&log, 10);
    life.scene.wait_for_stored(BACKEND, 21);
    life.bring_state_back(&agent);
    series.append_to(&log, 10);
    let times = [vec![1; 20], vec![2; 10], vec![1; 10]].concat();
    assert_eq!(life.end(agent, &series.all()), (1, times));
}

#[test]
fn of_two_pipes_only_what_is_on_its_way_comes_again() {
    // A batch has room for 1040 records of 100 bytes. Behind 1880 of them a line of stdout is open,
    // and 430 lines of stderr are delivered although they lie behind that.
    let life = Life::new("max_line: 64KiB, multiline: off", "max_bytes: 128KiB, ");
    let log = life.scene.log("app.log");
    let at = jiff::Timestamp::now();
    let mut texts = Vec::new();
    let mut written = String::new();
    for number in 0..2310 {
        if number == 1880 {
            writeln!(written, "{at} stdout P one ").unwrap();
        }
        texts.push(format!("{number:0>100}"));
        writeln!(written, "{at} stderr F {}", texts[number]).unwrap();
    }
    append(&log, written);
    let agent = life.scene.start(&life.config);
    life.scene.wait_for_stored(BACKEND, 2310);
    life.wait_for_answers();
    agent.kill();
    // Nothing is in doubt that is refused for its pace.
    let receiver = &life.scene.receiver;
    receiver.set_faults(
        BACKEND,
        Faults::of(Action::Error("ThrottlingException".to_owned())),
    );
    let agent = life.start_without_state(1);
    agent.wait_for_log("not delivered; nothing is lost");
    life.bring_state_back(&agent);
    life.scene.receiver.set_faults(BACKEND, Faults::default());
    append(&log, format!("{at} stdout F line\n"));
    texts.push("one line".to_owned());
    let times = [vec![2; 2080], vec![1; 231]].concat();
    assert_eq!(life.end(agent, &texts), (2, times));
}
