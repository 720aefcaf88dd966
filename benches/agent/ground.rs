//! Where a run happens: a receiver that accounts for every line, and a folder that is gone
//! afterwards. Says whether all was delivered; measures only when lines arrived.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pinnace::receiver::{
    Backend, CloudwatchLimits, Digest, Keep, LokiLimits, Observer, Options, Receiver,
};

use crate::job::{Job, Wire};
use crate::process::Process;
use crate::shipper::Program;

/// When no line has come for so long, no more come: from ourselves, and from peers, some of which
/// never send their last lines.
const STALLED: Duration = Duration::from_mins(2);
const PEER_STALLED: Duration = Duration::from_secs(15);

/// Where a run happens: a receiver, and a folder that is gone afterwards.
pub(crate) struct Ground {
    pub(crate) receiver: Receiver,
    pub(crate) scratch: tempfile::TempDir,
    stalled: Duration,
    /// When requests were answered, and how many lines had arrived by then.
    arrivals: Arc<Mutex<Vec<(Instant, u64)>>>,
}

impl Ground {
    pub(crate) fn new(program: &Program) -> Result<Self> {
        let arrivals = Arc::default();
        let noted: Arc<Mutex<Vec<_>>> = Arc::clone(&arrivals);
        let mut options = Options {
            keep: Keep::Digest,
            observer: Some(Observer::new(move |exchange| {
                let arrival = (Instant::now(), exchange.arrivals);
                noted
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(arrival);
            })),
            ..Options::default()
        };
        if matches!(program, Program::Yardstick | Program::Peer(_)) {
            // Whether they keep to every rule is not the question here.
            options.loki = LokiLimits::default().any_time();
            options.cloudwatch = CloudwatchLimits {
                require_signature: false,
                ..CloudwatchLimits::default()
            };
        }
        let scratch = tempfile::tempdir()?;
        fs::create_dir(scratch.path().join("logs"))?;
        Ok(Self {
            receiver: Receiver::start(options)?,
            scratch,
            stalled: if program.is_own() {
                STALLED
            } else {
                PEER_STALLED
            },
            arrivals,
        })
    }

    /// The folder for files that are written during the run.
    pub(crate) fn logs(&self) -> PathBuf {
        self.scratch.path().join("logs")
    }

    pub(crate) fn job<'a>(&'a self, logs: &'a Path, outputs: &'a [Wire]) -> Job<'a> {
        Job {
            logs,
            scratch: self.scratch.path(),
            outputs,
            address: self.receiver.address(),
            authority: None,
            max_wait: None,
            follow: false,
            is_plain: false,
        }
    }

    /// Waits until so many lines are stored. An error when the program ended, or when no line
    /// comes any more.
    pub(crate) fn wait(&self, process: &mut Process, backend: Backend, lines: u64) -> Result<()> {
        let step = Duration::from_secs(1);
        let mut last = (0, Instant::now());
        while !self
            .receiver
            .wait_for(backend, step, |it| it.stored >= lines)
        {
            process.must_run()?;
            let stored = self.receiver.summary(backend).stored;
            if stored > last.0 {
                last = (stored, Instant::now());
            }
            ensure!(
                last.1.elapsed() < self.stalled,
                "only {stored} of {lines} lines arrived"
            );
        }
        Ok(())
    }

    /// Every line is there, once, and no limit was broken.
    pub(crate) fn check(
        &self,
        program: &Program,
        backend: Backend,
        written: &Digest,
    ) -> Result<()> {
        let summary = self.receiver.summary(backend);
        ensure!(
            summary.digest.lines == written.lines && summary.digest.sum == written.sum,
            "{} lines were written and {} arrived, or others",
            written.lines,
            summary.digest.lines
        );
        let twice = summary.repeated + summary.replayed;
        ensure!(!program.is_own() || twice == 0, "{twice} lines came twice");
        ensure!(
            !program.is_own() || summary.violations.is_empty(),
            "{:?}",
            summary.violations
        );
        Ok(())
    }

    /// Of each line, from its writing to the answer that stored it, in milliseconds. They arrive
    /// in the order in which they are written; the first line of all is not among them.
    pub(crate) fn latencies(&self, times: &[Instant]) -> Vec<f64> {
        let arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = 0;
        let mut latencies = Vec::with_capacity(times.len());
        for (number, written) in times.iter().enumerate() {
            while arrivals.get(at).is_some_and(|it| it.1 < number as u64 + 2) {
                at += 1;
            }
            if let Some((arrived, _)) = arrivals.get(at) {
                let latency = arrived.saturating_duration_since(*written);
                latencies.push(latency.as_secs_f64() * 1e3);
            }
        }
        latencies
    }
}
