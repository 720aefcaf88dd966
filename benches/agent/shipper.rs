//! The programs that are measured, and how each is started for the same job: the agent, the agent
//! without a journal or without a look at the lines, the yardstick, and the peers that are at hand.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::job::{Job, Wire};
use crate::peers::Peer;
use crate::process::Process;

/// The agent under test: the one named by `BENCH_AGENT`, else the one that was built with the
/// benches.
pub(crate) fn agent() -> PathBuf {
    let named = std::env::var_os("BENCH_AGENT");
    named.map_or_else(|| env!("CARGO_BIN_EXE_pinnace").into(), PathBuf::from)
}

/// Who ships.
pub(crate) enum Program {
    Pinnace,
    /// Pinnace where its state directory cannot be made: what the journal costs is the difference.
    WithoutJournal,
    /// Pinnace told to take the lines as they are: what looking into them costs is the difference.
    AsTheyAre,
    Yardstick,
    Peer(Peer),
}

impl Program {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Pinnace => "Pinnace",
            Self::WithoutJournal => "without journal",
            Self::AsTheyAre => "lines as they are",
            Self::Yardstick => "yardstick",
            Self::Peer(peer) => &peer.name,
        }
    }

    /// Whether it must deliver: the agent and its yardstick, not the peers.
    pub(crate) fn is_own(&self) -> bool {
        !matches!(self, Self::Peer(_))
    }

    /// Starts the job.
    pub(crate) fn start(&self, job: &Job<'_>) -> Result<Process> {
        match self {
            Self::Pinnace => {
                let state = job.scratch.join("state");
                start_agent(job, &state, "exit")
            }
            Self::WithoutJournal => {
                let file = job.scratch.join("no-folder");
                fs::write(&file, "")?;
                start_agent(job, &file.join("state"), "degrade")
            }
            Self::AsTheyAre => {
                let job = Job {
                    is_plain: true,
                    ..*job
                };
                Self::Pinnace.start(&job)
            }
            Self::Yardstick => start_yardstick(job),
            Self::Peer(peer) => peer.start(job),
        }
    }
}

fn start_agent(job: &Job<'_>, state: &Path, on_error: &str) -> Result<Process> {
    let scheme = if job.authority.is_some() {
        "https"
    } else {
        "http"
    };
    let url = format!("{scheme}://{}", job.address);
    let wait = job
        .max_wait
        .map(|wait| format!(", batch: {{ max_wait: {}ms }}", wait.as_millis()));
    let wait = wait.unwrap_or_default();
    let records = if job.is_plain {
        ", format: plain, multiline: off"
    } else {
        ""
    };
    let mut text = format!(
        "state_dir: {}\nserver: {{ listen: \"off\" }}\n\
         inputs: [{{ name: app, include: [\"{}/*.log*\"]{records} }}]\noutputs:\n",
        state.display(),
        job.logs.display()
    );
    for wire in job.outputs {
        let compression = match wire {
            Wire::Snappy => "snappy",
            Wire::Gzip => "gzip",
            Wire::Literal | Wire::Json => "none",
        };
        let kind = if wire.is_loki() {
            format!("name: loki, type: loki, url: \"{url}\"")
        } else {
            format!(
                "name: cloudwatch, type: cloudwatch_logs, log_group: /bench, log_stream: bench, \
                 region: eu-west-1, endpoint_url: \"{url}\", create: {{ log_group: true }}"
            )
        };
        writeln!(text, "  - {{ {kind}, compression: {compression}{wait} }}")?;
    }
    let config = job.scratch.join("pinnace.yaml");
    fs::write(&config, text)?;
    let mut command = Command::new(agent());
    command
        .args(["run", &format!("--on-error={on_error}"), "--config"])
        .arg(config);
    if let Some(authority) = job.authority {
        command.env("SSL_CERT_FILE", authority);
    }
    Process::start(&mut command)
}

/// The yardstick is this program, told to be it.
fn start_yardstick(job: &Job<'_>) -> Result<Process> {
    let [wire] = job.outputs else {
        bail!("the yardstick has one output");
    };
    let every = job
        .follow
        .then(|| job.max_wait.unwrap_or(Duration::from_secs(1)));
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["yardstick", wire.name()])
        .arg(job.address.to_string())
        .arg(every.map_or(0, |every| every.as_millis()).to_string())
        .arg(job.logs)
        .args(job.authority);
    Process::start(&mut command)
}
