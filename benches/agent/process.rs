//! A program under measure, and what the operating system accounts to it alone.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A running program, killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) started: Instant,
}

impl Process {
    /// Starts it. It hears nothing, and what it says is kept for when it ends by itself.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let said = tempfile::tempfile()?;
        let started = Instant::now();
        let child = command
            .stdin(Stdio::piped())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self { child, started })
    }

    /// An error when it has ended.
    pub(crate) fn must_run(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("it ended by itself: {status}"),
        }
    }

    /// User and system time so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = self.proc("stat")?;
        let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        let second = rustix::param::clock_ticks_per_second();
        // Rounded down to ticks; what its threads took is known to the nanosecond, but without
        // those that have ended. Neither says too much.
        let whole = Duration::from_nanos(ticks * 1_000_000_000 / second);
        let mut threads = Duration::ZERO;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            let nanos = text.split(' ').next().and_then(|it| it.parse().ok());
            threads += Duration::from_nanos(nanos.unwrap_or(0));
        }
        Ok(whole.max(threads))
    }

    /// The most memory it ever had in RAM, in bytes.
    pub(crate) fn peak(&self) -> Result<u64> {
        let status = self.proc("status")?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .context("VmHWM")?;
        let kib: u64 = line.split_whitespace().nth(1).context("VmHWM")?.parse()?;
        Ok(kib * 1024)
    }

    fn proc(&self, name: &str) -> Result<String> {
        Ok(fs::read_to_string(format!(
            "/proc/{}/{name}",
            self.child.id()
        ))?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
