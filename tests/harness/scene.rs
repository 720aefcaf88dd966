//! Where a test plays: a folder with logs and state, a receiver, and the configuration that
//! joins them. Writes the YAML; starts no agent.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use pinnace::receiver::{Backend, CloudwatchLimits, Keep, LokiLimits, Options, Receiver};
use serde_json::Value;
use tempfile::TempDir;

use super::{Agent, eventually, get};

/// A folder and a receiver.
#[derive(Debug)]
pub(crate) struct Scene {
    dir: TempDir,
    /// What the agent talks to.
    pub(crate) receiver: Receiver,
}

/// The configuration of an agent, piece by piece.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// `state_dir`.
    pub(crate) state_dir: PathBuf,
    /// The port of `server.listen`; off without one.
    pub(crate) port: Option<u16>,
    /// The keys of `shutdown`, in flow form.
    pub(crate) shutdown: String,
    /// Further lines at the top.
    pub(crate) top: String,
    /// Inputs in flow form.
    pub(crate) inputs: Vec<String>,
    /// Outputs in flow form.
    pub(crate) outputs: Vec<String>,
}

impl Scene {
    /// A scene whose receiver keeps every record.
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    /// A scene whose receiver keeps only digests.
    pub(crate) fn of_digests() -> Self {
        Self::with(Options {
            keep: Keep::Digest,
            ..Options::default()
        })
    }

    /// A scene whose receiver keeps every record and takes those of any time.
    pub(crate) fn of_any_time() -> Self {
        Self::with(Options {
            loki: LokiLimits::default().any_time(),
            cloudwatch: CloudwatchLimits {
                too_old: None,
                ..CloudwatchLimits::default()
            },
            ..Options::default()
        })
    }

    /// A scene with a receiver of one's own.
    pub(crate) fn with(options: Options) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("pinnace-test-")
            .tempdir()
            .unwrap();
        fs::create_dir(dir.path().join("logs")).unwrap();
        let receiver = Receiver::start(options).unwrap();
        Self { dir, receiver }
    }

    /// The scene's folder.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A file in the folder of logs.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.dir().join("logs").join(name)
    }

    /// Gives each of so many rotated files the next number, as `logrotate` does: the first is
    /// free then.
    pub(crate) fn make_room(&self, rotated: u32) -> PathBuf {
        let name = |number: u32| self.log(&format!("app.log.{number}"));
        for number in (1..=rotated).rev() {
            fs::rename(name(number), name(number + 1)).unwrap();
        }
        name(1)
    }

    /// Rotates `app.log`, of which so many rotated files are there, by renaming.
    pub(crate) fn rotate(&self, rotated: u32) {
        fs::rename(self.log("app.log"), self.make_room(rotated)).unwrap();
    }

    /// An input with the include patterns `globs` below the folder of logs.
    pub(crate) fn input(&self, name: &str, globs: &[&str], more: &str) -> String {
        let globs: Vec<_> = globs
            .iter()
            .map(|glob| format!("\"{}\"", self.log(glob).display()))
            .collect();
        format!(
            "{{ name: {name}, include: [{}], {more} }}",
            globs.join(", ")
        )
    }

    /// A Loki output with quick batches, one stream for each file.
    pub(crate) fn loki(&self, more: &str) -> String {
        format!(
            "{{ name: loki, type: loki, url: \"{}\", batch: {{ max_wait: 20ms }}, {more} }}",
            self.receiver.loki_url()
        )
    }

    /// A CloudWatch output with quick batches into one stream.
    pub(crate) fn cloudwatch(&self, more: &str) -> String {
        format!(
            "{{ name: cloudwatch, type: cloudwatch_logs, endpoint_url: \"{}\", region: eu-west-1, \
             log_group: /apps/test, create: {{ log_group: true }}, batch: {{ max_wait: 20ms }}, {more} }}",
            self.receiver.cloudwatch_url()
        )
    }

    /// A configuration without inputs and outputs.
    pub(crate) fn empty_config(&self) -> Config {
        Config {
            state_dir: self.dir().join("state"),
            port: None,
            shutdown: "timeout: 30s, quiet_for: 50ms".to_owned(),
            top: String::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// All `*.log` to Loki.
    pub(crate) fn loki_config(&self) -> Config {
        self.config_of(Backend::Loki, "")
    }

    /// All `*.log` to CloudWatch, into the stream `/apps/test:all`.
    pub(crate) fn cloudwatch_config(&self) -> Config {
        self.config_of(Backend::Cloudwatch, "")
    }

    /// All `*.log` to one backend, with further keys of its output.
    pub(crate) fn config_of(&self, backend: Backend, more: &str) -> Config {
        self.config_to(match backend {
            Backend::Loki => self.loki(more),
            Backend::Cloudwatch => self.cloudwatch(&format!("log_stream: all, {more}")),
        })
    }

    /// All `*.log` to this output.
    pub(crate) fn config_to(&self, output: String) -> Config {
        Config {
            inputs: vec![self.input("app", &["*.log"], "")],
            outputs: vec![output],
            ..self.empty_config()
        }
    }

    /// Writes a configuration to its file.
    pub(crate) fn write(&self, config: &Config) -> PathBuf {
        let path = self.dir().join("pinnace.yaml");
        fs::write(&path, config.yaml()).unwrap();
        path
    }

    /// Starts an agent with this configuration.
    pub(crate) fn start(&self, config: &Config) -> Agent {
        Agent::start(&self.write(config))
    }

    /// Lets an agent go on by another configuration. Returns what it said of that.
    pub(crate) fn change(&self, agent: &Agent, config: &Config) -> String {
        let said = agent.log_len();
        self.write(config);
        agent.hang_up();
        agent.wait_for_log_after(said, "another configuration is in force")
    }

    /// Launches an agent that has no power over the files of others; nothing where the program
    /// is not reachable for such a user.
    pub(crate) fn launch_powerless(&self, config: &Config, arguments: &[&str]) -> Option<Agent> {
        const NOBODY: u32 = 65534;
        let path = self.write(config);
        if !rustix::process::geteuid().is_root() {
            return Some(Agent::launch(&path, arguments));
        }
        fs::create_dir_all(&config.state_dir).unwrap();
        chown(&config.state_dir, Some(NOBODY), Some(NOBODY)).unwrap();
        fs::set_permissions(self.dir(), fs::Permissions::from_mode(0o755)).unwrap();
        let agent = Agent::launch_as(NOBODY, &path, arguments);
        if agent.is_none() {
            super::skipped("the built program is not reachable for another user");
        }
        agent
    }

    /// What Loki holds of a file, by the default labels.
    pub(crate) fn loki_stream_of(&self, name: &str, service: &str) -> String {
        format!(
            "{{filename=\"{}\", service_name=\"{service}\"}}",
            self.log(name).display()
        )
    }

    /// Waits until a backend holds as many records, and shows what is there when it does not.
    pub(crate) fn wait_for_stored(&self, backend: Backend, count: u64) {
        let arrived = self
            .receiver
            .wait_for(backend, super::PATIENCE, |it| it.stored >= count);
        let summary = self.receiver.summary(backend);
        assert!(
            arrived,
            "{} of {count} records arrived: {summary:#?}",
            summary.stored
        );
    }

    /// No limit was broken, no record refused, and no line stored twice.
    pub(crate) fn assert_flawless(&self, backend: Backend) {
        let summary = self.receiver.summary(backend);
        assert_eq!(summary.violations, [], "{backend}");
        assert_eq!(summary.rejected_total(), 0, "{backend}");
        assert_eq!(summary.repeated, 0, "{backend}");
        for stream in &summary.streams {
            assert_eq!(stream.disordered, 0, "{backend} {}", stream.name);
        }
    }
}

/// A port that is free at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

impl Config {
    /// The same, serving HTTP on a port that is free.
    pub(crate) fn serving(mut self) -> Self {
        self.port = Some(free_port());
        self
    }

    /// The port on which it serves.
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap()
    }

    fn yaml(&self) -> String {
        let listen = self
            .port
            .map_or_else(|| "off".to_owned(), |port| format!("\"127.0.0.1:{port}\""));
        let mut yaml = format!(
            "version: 1\nstate_dir: \"{}\"\nserver: {{ listen: {listen} }}\nshutdown: {{ {} }}\n{}\n",
            self.state_dir.display(),
            self.shutdown,
            self.top
        );
        for (key, items) in [("inputs", &self.inputs), ("outputs", &self.outputs)] {
            writeln!(yaml, "{key}:").unwrap();
            for item in items {
                writeln!(yaml, "  - {item}").unwrap();
            }
        }
        yaml
    }

    /// What `pinnace status` prints, with its exit code.
    pub(crate) fn status_text(&self) -> (Option<i32>, String) {
        self.status(&[])
    }

    /// What `pinnace status --json` tells; null when no agent answers.
    pub(crate) fn status_json(&self) -> Value {
        serde_json::from_str(&self.status(&["--json"]).1).unwrap_or_default()
    }

    fn status(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
            .args(["status", "--state-dir"])
            .arg(&self.state_dir)
            .args(arguments)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }

    /// Waits until the metrics of a running agent hold all these lines.
    pub(crate) fn wait_for_samples<S: AsRef<str>>(&self, samples: &[S]) {
        for sample in samples {
            let line = format!("{}\n", sample.as_ref());
            let mut metrics = String::new();
            let is_there = eventually(|| {
                metrics = super::get(self.port(), "/metrics").map_or_else(String::new, |it| it.1);
                metrics.contains(&line)
            });
            assert!(is_there, "{line} is not in\n{metrics}");
        }
    }

    /// The value of a metric, by its name with its labels; nothing when no agent answers or the
    /// metric is not there.
    pub(crate) fn metric<T: FromStr>(&self, sample: &str) -> Option<T> {
        let (_, text) = get(self.port(), "/metrics")?;
        let value = text.lines().find_map(|line| line.strip_prefix(sample))?;
        value.trim().parse().ok()
    }

    /// Waits until every output of a running agent has nothing left.
    pub(crate) fn wait_until_no_lag(&self) {
        self.wait_until_outputs_have_no("lag_bytes");
    }

    /// Waits until no output of a running agent has anything on its way.
    pub(crate) fn wait_until_all_is_answered(&self) {
        self.wait_until_outputs_have_no("in_flight_batches");
    }

    /// Waits as long as it comes nearer: how fast is a matter of the machine.
    fn wait_until_outputs_have_no(&self, key: &str) {
        let mut left = u64::MAX;
        while left > 0 {
            let mut status = Value::Null;
            let mut now = left;
            let comes_nearer = eventually(|| {
                status = self.status_json();
                let outputs = status["outputs"].as_array();
                let each = outputs.map(|it| it.iter().map(|it| it[key].as_u64()));
                now = each.and_then(Iterator::sum::<Option<u64>>).unwrap_or(left);
                now < left
            });
            assert!(comes_nearer, "{status:#}");
            left = now;
        }
    }
}
