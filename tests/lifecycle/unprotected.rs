//! Batches that are sealed while the journal cannot be written: no change of the configuration gives
//! them up, and they are as safe as others once it can be written again.

use std::fs;
use std::path::PathBuf;

use pinnace::receiver::{Action, Backend, Faults};

use crate::faults::{READ_ONLY_STATE, is_unprotected};
use crate::harness::{Agent, Config, Numbered, PATIENCE, Scene, eventually, stand_in};

/// An agent whose journal cannot be written, and two logs.
struct Life {
    scene: Scene,
    config: Config,
    agent: Agent,
    app: Numbered,
    job: Numbered,
}

impl Life {
    /// Lines of both are delivered, and the journal cannot be written any more.
    fn new() -> Self {
        let scene = Scene::new();
        let config = config(&scene, "a");
        let library = stand_in(&scene, READ_ONLY_STATE);
        let agent = Agent::preloading(&library, &scene.write(&config));
        let mut life = Self {
            app: Numbered::new("app"),
            job: Numbered::new("job"),
            scene,
            config,
            agent,
        };
        life.job.append_to(&life.scene.log("job.log"), 10);
        life.go_on();
        fs::write(life.read_only(), "").unwrap();
        let is_so = eventually(|| {
            life.go_on();
            is_unprotected(&life.config)
        });
        assert!(is_so, "{}", life.agent.log_text());
        life
    }

    fn read_only(&self) -> PathBuf {
        self.scene.dir().join("read-only")
    }

    fn go_on(&mut self) {
        self.app.append_to(&self.scene.log("app.log"), 10);
        self.wait_for_all();
    }

    fn lines(&self) -> u64 {
        self.app.next + self.job.next
    }

    fn wait_for_all(&self) {
        for backend in Backend::ALL {
            self.scene.wait_for_stored(backend, self.lines());
        }
    }

    fn set_faults(&self, faults: &Faults) {
        for backend in Backend::ALL {
            self.scene.receiver.set_faults(backend, faults.clone());
        }
    }

    /// Lets lines of `job.log` be on their way without protection.
    fn put_on_the_way(&mut self, faults: &Faults) {
        let injected = Backend::ALL.map(|it| self.scene.receiver.summary(it).injected);
        self.set_faults(faults);
        self.job.append_to(&self.scene.log("job.log"), 10);
        for (backend, before) in Backend::ALL.into_iter().zip(injected) {
            let receiver = &self.scene.receiver;
            let is_asked = receiver.wait_for(backend, PATIENCE, |it| it.injected > before);
            assert!(is_asked, "{backend}");
        }
        assert!(is_unprotected(&self.config));
    }

    /// The same, and they are stored.
    fn put_in_doubt(&mut self) {
        self.put_on_the_way(&Faults {
            store: true,
            ..Faults::of(Action::Status(500))
        });
        self.wait_for_all();
    }

    /// Other labels, and another stream.
    fn relabel(&mut self) {
        self.config = Config {
            port: self.config.port,
            ..config(&self.scene, "b")
        };
    }

    /// Everything is answered again, and every line has arrived once.
    fn end(mut self) {
        self.set_faults(&Faults::default());
        self.go_on();
        self.config.wait_until_no_lag();
        let doubtful = "pinnace_doubtful_resends_total{output=\"cloudwatch\"}";
        let doubtful = self.config.metric(doubtful).unwrap_or(0);
        assert_eq!(doubtful, 0);
        let lines = self.lines();
        let log = self.agent.stop_well();
        assert!(!log.contains("bytes were lost"), "{log}");
        for backend in Backend::ALL {
            let summary = self.scene.receiver.summary(backend);
            let counts = (summary.stored, summary.repeated);
            assert_eq!(counts, (lines, 0), "{backend}");
            self.scene.assert_series_arrived(backend, &self.app);
            self.scene.assert_series_arrived(backend, &self.job);
        }
    }
}

/// All logs to both backends, into streams by this name.
fn config(scene: &Scene, name: &str) -> Config {
    let labels = format!("labels: {{ service_name: {name}, filename: \"{{path}}\" }}");
    let stream = format!("log_stream: \"{name}-{{file}}\"");
    Config {
        inputs: vec![scene.input("app", &["*.log"], "")],
        outputs: vec![scene.loki(&labels), scene.cloudwatch(&stream)],
        ..scene.empty_config()
    }
    .serving()
}

#[test]
fn what_may_be_stored_goes_out_as_it_is_over_a_change() {
    let mut life = Life::new();
    life.put_in_doubt();
    life.relabel();
    life.scene.change(&life.agent, &life.config);
    assert!(is_unprotected(&life.config));
    life.end();
}

#[test]
fn what_is_in_no_file_any_more_goes_out_over_a_change() {
    let mut life = Life::new();
    life.put_on_the_way(&Faults::of(Action::Status(503)));
    fs::write(life.scene.log("job.log"), "").unwrap();
    // What is not in its file is no lag: so it is seen.
    let lag = |backend: Backend| format!("pinnace_lag_bytes{{output=\"{backend}\"}} 0");
    life.config.wait_for_samples(&Backend::ALL.map(lag));
    life.relabel();
    life.scene.change(&life.agent, &life.config);
    life.end();
}

#[test]
fn what_was_sealed_before_outlives_a_kill_once_the_journal_can_be_written() {
    let mut life = Life::new();
    life.put_in_doubt();
    fs::remove_file(life.read_only()).unwrap();
    assert!(eventually(|| !is_unprotected(&life.config)));
    life.relabel();
    life.agent.kill();
    life.agent = life.scene.start(&life.config);
    life.end();
}
