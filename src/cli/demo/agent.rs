//! The agent of a demo: a process of its own, never longer there than the demo, with a
//! configuration that knows only the demo's folder and receiver.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};

/// A running agent. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Agent {
    child: Child,
    pid: Pid,
    peak_bytes: u64,
}

/// Variables that could lead the agent elsewhere than to the demo's receiver begin so.
const STRAY: [&str; 6] = [
    "PINNACE_",
    "AWS_",
    "HTTP_",
    "HTTPS_",
    "ALL_PROXY",
    "NO_PROXY",
];

impl Agent {
    /// Starts `pinnace run` with this configuration; its log is appended to `log`.
    pub(super) fn start(config: &Path, log: &Path) -> io::Result<Self> {
        let log: File = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os() {
            let upper = name.to_string_lossy().to_uppercase();
            if STRAY.iter().any(|stray| upper.starts_with(stray)) {
                command.env_remove(&name);
            }
        }
        let child = command
            .args(["demo", "--agent-of", &std::process::id().to_string()])
            .arg("--config")
            .arg(config)
            // Whatever stands in the user's own files is not for the demo.
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // The script writes its times in UTC.
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for the demo, which then ends the agent.
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_child(&child);
        Ok(Self {
            child,
            pid,
            peak_bytes: 0,
        })
    }

    /// Looks how much memory it has used, and whether it has ended.
    pub(super) fn look(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let peak = status.ok().as_deref().and_then(peak_bytes);
        self.peak_bytes = self.peak_bytes.max(peak.unwrap_or_default());
        self.child.try_wait()
    }

    /// Sends SIGTERM.
    pub(super) fn ask_to_stop(&self) -> io::Result<()> {
        Ok(kill_process(self.pid, Signal::TERM)?)
    }

    /// The most memory it had in use, in bytes, as far as [`Self::look`] saw it.
    pub(super) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Becomes the agent of the demo with this process id: dies with it, even when that is killed.
/// Returns only when it could not.
pub(super) fn become_agent(demo: u32, config: &Path) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    let parent = getppid().map(|pid| pid.as_raw_nonzero().get());
    if parent != i32::try_from(demo).ok() {
        return io::Error::other("the demo has ended");
    }
    match std::env::current_exe() {
        Ok(pinnace) => Command::new(pinnace)
            .args(["run", "--on-error", "exit", "--config"])
            .arg(config)
            .exec(),
        Err(error) => error,
    }
}

/// `VmHWM` in the text of `/proc/PID/status`.
fn peak_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The demo's configuration. Both outputs wait half a second at most for a batch to fill, so
/// that there is something to see.
pub(super) fn config(folder: &Path, logs: &Path, loki_url: &str, cloudwatch_url: &str) -> String {
    let state = quoted(&folder.join("state").to_string_lossy());
    let include = quoted(
        &PathBuf::from(glob_of(&logs.to_string_lossy()))
            .join("*.log")
            .to_string_lossy(),
    );
    format!(
        r#"version: 1
state_dir: {state}
shutdown: {{ timeout: 5s, quiet_for: 50ms }}
server: {{ listen: "off" }}
inputs:
  - name: report
    include: [{include}]
    fields: {{ service: rapport }}
    multiline: off
outputs:
  - name: loki
    type: loki
    url: {loki_url}
    labels: {{ service_name: "{{service}}", filename: "{{path}}" }}
    batch: {{ max_wait: 500ms }}
  - name: cloudwatch
    type: cloudwatch_logs
    log_group: /demo/rapport
    log_stream: "{{file}}"
    region: eu-west-1
    endpoint_url: {cloudwatch_url}
    create: {{ log_group: true, retention_in_days: 14 }}
    batch: {{ max_wait: 500ms }}
"#
    )
}

/// A YAML text in which nothing is replaced.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace('$', "$$"))
}

/// A glob that matches this path only.
fn glob_of(path: &str) -> String {
    let mut glob = String::new();
    for c in path.chars() {
        if "*?[]{}!\\".contains(c) {
            glob.push('\\');
        }
        glob.push(c);
    }
    glob
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Source, load};

    #[test]
    fn the_configuration_is_right_in_the_oddest_folder() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("l'été ${HOME} [a] {b}*");
        std::fs::create_dir(&odd).unwrap();
        let text = config(
            &odd,
            &odd.join("logs"),
            "http://127.0.0.1:9",
            "http://127.0.0.1:9",
        );
        let file = folder.path().join("pinnace.yaml");
        std::fs::write(&file, text).unwrap();
        let config = load(&Source::File(file), &Environment::from_process()).unwrap();
        assert_eq!(config.state_dir, odd.join("state"));
        let glob = &config.inputs[0].include[0];
        let log = odd.join("logs/report_20261122.log");
        assert!(fast_glob::glob_match(glob, log.to_str().unwrap()), "{glob}");
        assert_eq!(config.server.listen, None);
        assert_eq!(config.outputs.len(), 2);
    }

    #[test]
    fn the_peak_is_read_in_bytes() {
        for (status, expected) in [
            (
                "Name:\tpinnace\nVmHWM:\t   11264 kB\nVmRSS:\t 9000 kB\n",
                Some(11264 * 1024),
            ),
            ("Name:\tpinnace\nState:\tZ (zombie)\n", None),
            ("VmHWM:\tmany kB\n", None),
        ] {
            assert_eq!(peak_bytes(status), expected);
        }
    }
}
