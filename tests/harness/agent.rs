//! The agent as a process of its own: started, told to end, killed. Its log is read as it comes
//! and shown when the test fails.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, SmallVolume};

/// A running agent. Killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Child,
    log: Arc<Log>,
    has_ended: bool,
}

/// How an agent ended.
#[derive(Debug)]
pub(crate) struct Exit {
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// All that it said.
    pub(crate) log: String,
}

/// What the agent wrote to stderr so far.
#[derive(Debug, Default)]
struct Log {
    state: Mutex<(Vec<String>, bool)>,
    changed: Condvar,
}

impl Agent {
    /// Starts `pinnace run` with this configuration and waits for nothing.
    pub(crate) fn launch(config: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinnace"));
        command.arg("run").arg("--config").arg(config);
        command.args(arguments);
        Self::of(command, &[]).unwrap()
    }

    /// The same where a small volume is.
    pub(crate) fn launch_at(volume: &SmallVolume, config: &Path, arguments: &[&str]) -> Self {
        let mut command = volume.command(env!("CARGO_BIN_EXE_pinnace"));
        command.arg("run").arg("--config").arg(config);
        command.args(arguments);
        Self::of(command, &[]).unwrap()
    }

    /// The same, to die by its own hand: `at` is a place and the passing of it, as in
    /// `sealed:3` (`src/crash_point.rs`).
    pub(crate) fn launch_to_die(config: &Path, arguments: &[&str], at: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinnace"));
        command.arg("run").arg("--config").arg(config);
        command.args(arguments);
        Self::of(command, &[("PINNACE_CRASH_AT", at.to_owned())]).unwrap()
    }

    /// The same with variables, until it says that it has started.
    pub(crate) fn start_with(config: &Path, variables: &[(&str, String)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinnace"));
        command
            .args(["run", "--on-error=exit", "--config"])
            .arg(config);
        let agent = Self::of(command, variables).unwrap();
        agent.wait_for_log("started version=");
        agent
    }

    /// The same as another user, with its log in all detail; nothing when that user cannot run
    /// the program.
    pub(crate) fn launch_as(user: u32, config: &Path, arguments: &[&str]) -> Option<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinnace"));
        command.arg("run").arg("--config").arg(config);
        command.args(arguments).uid(user).gid(user);
        Self::of(command, &[("PINNACE_LOG", "debug".to_owned())]).ok()
    }

    /// Starts `pinnace run` without a file, and waits until it says that it has started. No
    /// variable sets where it listens: it goes on when another agent has that port.
    pub(crate) fn with_variables(variables: &[(&str, String)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pinnace"));
        command.args(["run", "--on-error=degrade"]);
        let agent = Self::of(command, variables).unwrap();
        agent.wait_for_log("started version=");
        agent
    }

    /// Starts it where the system has no inotify instance for it, and waits until it says that
    /// it has started; nothing where such a place cannot be made.
    pub(crate) fn without_inotify(config: &Path) -> Option<Self> {
        let none = "echo 0 > /proc/sys/user/max_inotify_instances";
        let within = |script: &str| {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "sh", "-c", script]);
            command
        };
        let probe = within(none).stderr(Stdio::null()).status();
        if !probe.is_ok_and(|status| status.success()) {
            return None;
        }
        // Both exec, so the process is the agent in the end.
        Self::started_by(within(&format!("{none} && exec \"$0\" \"$@\"")), config)
    }

    /// Starts it where the machine seems to have been started less than a second ago, and waits
    /// until it says that it has started; nothing where such a place cannot be made.
    pub(crate) fn after_a_boot(config: &Path) -> Option<Self> {
        let up = fs::read_to_string("/proc/uptime").ok()?;
        let (seconds, _) = up.split_once('.')?;
        let within = || {
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--time", "--boottime"]);
            command.arg(format!("-{seconds}"));
            command
        };
        let probe = within().arg("true").stderr(Stdio::null()).status();
        if !probe.is_ok_and(|status| status.success()) {
            return None;
        }
        Self::started_by(within(), config)
    }

    /// Starts it by a command that becomes what follows it, and waits until it says that it has
    /// started.
    fn started_by(mut command: Command, config: &Path) -> Option<Self> {
        command.arg(env!("CARGO_BIN_EXE_pinnace"));
        command
            .args(["run", "--on-error=exit", "--config"])
            .arg(config);
        let agent = Self::of(command, &[]).ok()?;
        agent.wait_for_log("started version=");
        Some(agent)
    }

    /// Starts it with a library that stands in for calls of the system, and waits until it says
    /// that it has started.
    pub(crate) fn preloading(library: &Path, config: &Path) -> Self {
        let mut command = Command::new("env");
        command.arg(format!("LD_PRELOAD={}", library.display()));
        Self::started_by(command, config).unwrap()
    }

    /// Starts it with so few descriptors, and waits until it says that it has started.
    pub(crate) fn with_descriptors(most: u32, config: &Path) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]);
        Self::started_by(command, config).unwrap()
    }

    fn of(mut command: Command, variables: &[(&str, String)]) -> io::Result<Self> {
        // Credentials and settings of whoever runs the tests must not change them.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let is_setting = ["AWS_", "PINNACE_", "SSL_CERT_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
                || name.to_ascii_uppercase().ends_with("_PROXY");
            if is_setting {
                command.env_remove(&*name);
            }
        }
        // No test asks anyone but itself.
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        if let Ok(level) = std::env::var("TEST_AGENT_LOG") {
            command.env("PINNACE_LOG", level);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = Arc::new(Log::default());
        let for_thread = Arc::clone(&log);
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                for_thread.add(String::from_utf8_lossy(&line).into_owned());
            }
            for_thread.close();
        });
        Ok(Self {
            child,
            log,
            has_ended: false,
        })
    }

    /// Starts it and waits until it says that it has started.
    pub(crate) fn start(config: &Path) -> Self {
        let agent = Self::launch(config, &["--on-error=exit"]);
        agent.wait_for_log("started version=");
        agent
    }

    /// Waits until a line of its log holds `text`, and returns the line.
    pub(crate) fn wait_for_log(&self, text: &str) -> String {
        self.wait_for_log_after(0, text)
    }

    /// The same, looking only at what was said after the first `skip` lines.
    pub(crate) fn wait_for_log_after(&self, skip: usize, text: &str) -> String {
        let found = self.log.wait(PATIENCE, |lines, is_over| {
            let found = lines.iter().skip(skip).find(|line| line.contains(text));
            (found.is_some() || is_over).then(|| found.cloned())
        });
        let said = || self.log_text();
        found
            .flatten()
            .unwrap_or_else(|| panic!("the agent never said {text:?}, but:\n{}", said()))
    }

    /// How many lines it has said.
    pub(crate) fn log_len(&self) -> usize {
        self.log.lock().0.len()
    }

    /// All that it has said.
    pub(crate) fn log_text(&self) -> String {
        self.log.lock().0.join("\n")
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that it ever had in RAM, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Sends SIGTERM and waits for nothing.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Sends SIGHUP and waits for nothing.
    pub(crate) fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    /// Lets it do nothing until it is thawed: whatever happens meanwhile happens between two of
    /// its looks.
    pub(crate) fn freeze(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
        let is_stopped = super::eventually(|| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
            stat.rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('T'))
        });
        assert!(is_stopped, "it does not stop");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) fn stop(self) -> Exit {
        self.terminate();
        self.wait(PATIENCE)
    }

    /// Sends SIGTERM and waits for an end with exit code 0.
    pub(crate) fn stop_well(self) -> String {
        let exit = self.stop();
        assert_eq!(exit.code, Some(0), "{}", exit.log);
        let was_asked_twice = exit.log.contains("asked twice");
        assert!(
            !was_asked_twice,
            "somebody else sent a signal too: {}",
            exit.log
        );
        exit.log
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.has_ended = true;
    }

    /// Waits for the end.
    pub(crate) fn wait(mut self, limit: Duration) -> Exit {
        // Its end closes the pipe that its log comes through.
        let ended = self
            .log
            .wait(limit, |_, is_over| is_over.then_some(()))
            .is_some();
        let log = self.log_text();
        assert!(ended, "the agent has not ended within {limit:?}:\n{log}");
        let status = self.child.wait().unwrap();
        self.has_ended = true;
        Exit {
            code: status.code(),
            signal: status.signal(),
            log,
        }
    }

    /// Whether the process is still there.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Agent {
    #[expect(clippy::print_stderr, reason = "shown with the failed test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the agent said:\n{}\n---", self.log_text());
        }
        if !self.has_ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Log {
    fn lock(&self) -> std::sync::MutexGuard<'_, (Vec<String>, bool)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: String) {
        self.lock().0.push(line);
        self.changed.notify_all();
    }

    fn close(&self) {
        self.lock().1 = true;
        self.changed.notify_all();
    }

    fn wait<T>(&self, limit: Duration, look: impl Fn(&[String], bool) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&state.0, state.1) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
