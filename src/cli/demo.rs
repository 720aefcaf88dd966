//! `pinnace demo`: the main job with nothing installed. Directs the play: receiver, automation,
//! agent, stop, restart, rotation, account. Knows nothing of how the agent works inside.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::exit;
use crate::receiver::{Backend, Options, Receiver, Record};
use account::{Account, Arrived};
use agent::Agent;
use automation::Automation;
use folder::Folder;
use report::{AtOutput, Report};
use show::{Progress, Show};

mod account;
mod agent;
mod automation;
mod folder;
mod report;
mod script;
mod show;

/// How often the demo looks at what goes on.
const TICK: Duration = Duration::from_millis(25);
/// The script logs in bursts, so many ticks apart.
const TICKS_A_BURST: usize = 4;
/// How long the script writes, in bursts.
const BURSTS: usize = 70;
/// The agent is stopped when so much of the log is written, in percent.
const STOP_AT: usize = 35;
/// So many ticks after its end it is started again.
const TICKS_AWAY: usize = 24;
/// The log is rotated when so much of it is written, in percent.
const ROTATE_AT: usize = 70;
/// While the agent is away the script stops here, in percent: a slow stop is no reason for
/// nothing to be left for the second run.
const HOLD_AT: usize = 60;
/// When nothing has arrived for so long, nothing more will.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Keep the temporary folder with the configuration, the log files and the agent's own log.
    #[arg(long)]
    keep: bool,
    /// Become the agent of the demo with this process id; only the demo itself asks for it.
    #[arg(long, hide = true, value_name = "PID", requires = "config")]
    agent_of: Option<u32>,
    #[arg(long, hide = true, value_name = "FILE", requires = "agent_of")]
    config: Option<PathBuf>,
}

/// Why a demo did not come to its end.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("interrupted")]
    Interrupted,
    #[error("cannot print")]
    Print(#[source] io::Error),
    #[error("cannot {what}")]
    Cannot {
        what: &'static str,
        source: io::Error,
    },
    #[error("the agent ended by itself ({status}); the end of its log:\n{log}")]
    AgentEnded { status: ExitStatus, log: String },
    #[error("the agent does not stop")]
    AgentStays,
}

fn cannot(what: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |source| Failure::Cannot { what, source }
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    if let (Some(demo), Some(config)) = (arguments.agent_of, &arguments.config) {
        let error = agent::become_agent(demo, config);
        complain(&format!("cannot start the agent: {error}"));
        return exit::FAILED;
    }
    let parent = std::env::temp_dir();
    let mut folder = match Folder::new(&parent) {
        Ok(folder) => folder,
        Err(error) => {
            complain(&format!(
                "cannot make a folder in {}: {error}; set TMPDIR to a folder you may write to",
                parent.display()
            ));
            return exit::FAILED;
        }
    };
    if arguments.keep {
        folder.keep();
    }
    let mut show = Show::new();
    let code = match play(folder.path(), &mut show) {
        Ok(report) => {
            if !report.is_whole() {
                folder.keep();
            }
            match show.report(&report) {
                Ok(()) if report.is_whole() => exit::OK,
                _ => exit::FAILED,
            }
        }
        Err(Failure::Interrupted) => {
            let _ = show.end_line();
            complain("interrupted: the agent is stopped");
            exit::FAILED
        }
        // Nobody reads what we would say.
        Err(Failure::Print(_)) => exit::FAILED,
        Err(failure) => {
            let _ = show.end_line();
            complain(&with_source(&failure));
            folder.keep();
            exit::FAILED
        }
    };
    if folder.is_kept() {
        // As above.
        let _ = Show::kept(folder.path());
    }
    code
}

fn with_source(failure: &Failure) -> String {
    match std::error::Error::source(failure) {
        Some(source) => format!("{failure}: {source}"),
        None => failure.to_string(),
    }
}

fn complain(sentence: &str) {
    // Nobody is left to hear of it when this fails.
    let _ = writeln!(io::stderr().lock(), "pinnace demo: {sentence}");
}

fn play(folder: &Path, show: &mut Show) -> Result<Report, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot("start"))?;
    runtime.block_on(async {
        let mut stage = Stage::new(folder, show)?;
        stage.first_run().await?;
        stage.restart().await?;
        stage.rotation().await?;
        stage.last_lines().await?;
        stage.stop().await?;
        Ok(stage.report())
    })
}

/// Everything that takes part.
struct Stage<'a> {
    show: &'a mut Show,
    clock: Clock,
    config: PathBuf,
    agent_log: PathBuf,
    receiver: Receiver,
    automation: Automation,
    agent: Option<Agent>,
    /// Of the runs that are over, in bytes.
    peak_bytes: u64,
    calls_a_burst: usize,
    /// The script writes no further for now, in percent.
    hold_at: usize,
    ticks: usize,
    began: Instant,
}

/// Ticks until somebody wants it to end.
struct Clock {
    ticks: Interval,
    signals: [Signal; 3],
}

impl Clock {
    fn new() -> io::Result<Self> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            ticks,
            signals: [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ],
        })
    }

    async fn next(&mut self) -> Result<(), Failure> {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => Err(Failure::Interrupted),
            _ = terminate.recv() => Err(Failure::Interrupted),
            _ = hangup.recv() => Err(Failure::Interrupted),
            _ = self.ticks.tick() => Ok(()),
        }
    }
}

impl<'a> Stage<'a> {
    fn new(folder: &Path, show: &'a mut Show) -> Result<Self, Failure> {
        let logs = folder.join("logs");
        fs::create_dir(&logs).map_err(cannot("make a folder for the log"))?;
        let receiver = Receiver::start(Options::default()).map_err(cannot("start the receiver"))?;
        let (loki_url, cloudwatch_url) = (receiver.loki_url(), receiver.cloudwatch_url());
        let config = folder.join("pinnace.yaml");
        fs::write(
            &config,
            agent::config(folder, &logs, &loki_url, &cloudwatch_url),
        )
        .map_err(cannot("write the configuration"))?;
        let automation = Automation::new(&logs).map_err(cannot("write the log"))?;
        Ok(Self {
            show,
            clock: Clock::new().map_err(cannot("take signals"))?,
            config,
            agent_log: folder.join("agent.log"),
            receiver,
            calls_a_burst: automation.calls().div_ceil(BURSTS),
            automation,
            agent: None,
            peak_bytes: 0,
            hold_at: HOLD_AT,
            ticks: 0,
            began: Instant::now(),
        })
    }

    async fn first_run(&mut self) -> Result<(), Failure> {
        let name = self.automation.today_name();
        self.show
            .title(self.automation.lines(), &name)
            .map_err(Failure::Print)?;
        self.start("the agent starts")?;
        while self.automation.percent() < STOP_AT {
            self.tick().await?;
        }
        Ok(())
    }

    async fn restart(&mut self) -> Result<(), Failure> {
        let place = if self.automation.is_in_a_line() {
            "in the middle of a line"
        } else {
            "in the middle of it all"
        };
        self.say(&format!(
            "the agent is stopped with SIGTERM, {place}; the script writes on"
        ))?;
        self.stop().await?;
        for _ in 0..TICKS_AWAY {
            self.tick().await?;
        }
        let (loki, cloudwatch) = self.arrived();
        // Where lines came twice, more may have arrived than were written.
        let behind = (self.automation.lines() as u64).saturating_sub(loki.min(cloudwatch));
        self.hold_at = 100;
        self.start(&format!(
            "the agent starts again, {} lines behind",
            report::grouped(behind)
        ))
    }

    async fn rotation(&mut self) -> Result<(), Failure> {
        while self.automation.percent() < ROTATE_AT {
            self.tick().await?;
        }
        let name = self.automation.today_name();
        let old = self.automation.rotate().map_err(cannot("rotate the log"))?;
        self.say(&format!(
            "the log is rotated: {name} is now {old}, and begins anew"
        ))
    }

    /// Waits until all has arrived, or nothing more comes.
    async fn last_lines(&mut self) -> Result<(), Failure> {
        while !self.automation.is_over() {
            self.tick().await?;
        }
        self.say("the script has done its work")?;
        let lines = self.automation.lines() as u64;
        let mut last = (self.arrived(), Instant::now());
        while last.0.0.min(last.0.1) < lines && last.1.elapsed() < PATIENCE {
            self.tick().await?;
            let arrived = self.arrived();
            if arrived != last.0 {
                last = (arrived, Instant::now());
            }
        }
        Ok(())
    }

    fn start(&mut self, sentence: &str) -> Result<(), Failure> {
        let agent =
            Agent::start(&self.config, &self.agent_log).map_err(cannot("start the agent"))?;
        self.say(&format!("{sentence} (process {})", agent.id()))?;
        self.agent = Some(agent);
        Ok(())
    }

    /// Stops the agent and waits for its end.
    async fn stop(&mut self) -> Result<(), Failure> {
        let Some(mut agent) = self.agent.take() else {
            return Ok(());
        };
        agent.ask_to_stop().map_err(cannot("stop the agent"))?;
        let asked = Instant::now();
        loop {
            let ended = agent.look().map_err(cannot("look at the agent"))?;
            self.peak_bytes = self.peak_bytes.max(agent.peak_bytes());
            match ended {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.agent_ended(status)),
                None if asked.elapsed() >= PATIENCE => return Err(Failure::AgentStays),
                None => self.tick().await?,
            }
        }
    }

    /// Waits for the next moment; the script works, the agent is looked at.
    async fn tick(&mut self) -> Result<(), Failure> {
        self.clock.next().await?;
        self.ticks += 1;
        let is_held = self.automation.percent() >= self.hold_at;
        if self.ticks.is_multiple_of(TICKS_A_BURST) && !is_held {
            self.automation
                .burst(self.calls_a_burst)
                .map_err(cannot("write the log"))?;
        }
        if let Some(agent) = &mut self.agent {
            let ended = agent.look().map_err(cannot("look at the agent"))?;
            self.peak_bytes = self.peak_bytes.max(agent.peak_bytes());
            if let Some(status) = ended {
                return Err(self.agent_ended(status));
            }
        }
        let (loki, cloudwatch) = self.arrived();
        let progress = Progress {
            seconds: self.began.elapsed().as_secs_f64(),
            percent: self.automation.percent(),
            written: self.automation.lines() as u64,
            loki,
            cloudwatch,
        };
        self.show.progress(&progress).map_err(Failure::Print)
    }

    fn say(&mut self, sentence: &str) -> Result<(), Failure> {
        let seconds = self.began.elapsed().as_secs_f64();
        self.show.say(seconds, sentence).map_err(Failure::Print)
    }

    /// Records at Loki and at CloudWatch Logs.
    fn arrived(&self) -> (u64, u64) {
        let stored = |backend| self.receiver.summary(backend).stored;
        (stored(Backend::Loki), stored(Backend::Cloudwatch))
    }

    fn agent_ended(&self, status: ExitStatus) -> Failure {
        const LINES: usize = 10;
        let log = fs::read_to_string(&self.agent_log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        Failure::AgentEnded {
            status,
            log: lines[lines.len().saturating_sub(LINES)..].join("\n"),
        }
    }

    fn report(&self) -> Report {
        let outputs = Backend::ALL.map(|backend| {
            let records = self.receiver.records(backend);
            AtOutput {
                account: self.account(backend, &records),
                summary: self.receiver.summary(backend),
                records,
            }
        });
        Report {
            lines: self.automation.lines() as u64,
            bytes: self.automation.bytes(),
            peak_bytes: self.peak_bytes,
            seconds: self.began.elapsed().as_secs_f64(),
            outputs,
        }
    }

    /// Compares file by file; the name of the file is part of each stream's.
    fn account(&self, backend: Backend, records: &[Record]) -> Account {
        let mut account = Account::default();
        let written = self.automation.written();
        let is_of = |record: &Record, file: &str| record.stream.contains(file);
        for (file, lines) in written {
            let of_file = records.iter().filter(|record| is_of(record, file));
            account.add(file, lines, of_file.map(|record| arrived(backend, record)));
        }
        let of_none = records
            .iter()
            .filter(|record| !written.keys().any(|file| is_of(record, file)));
        account.add("", &[], of_none.map(|record| arrived(backend, record)));
        account
    }
}

fn arrived(backend: Backend, record: &Record) -> Arrived<'_> {
    // CloudWatch Logs takes no empty message; the agent sends one space instead.
    let is_stand_in = backend == Backend::Cloudwatch && record.line == " ";
    Arrived {
        timestamp_ns: record.timestamp_ns,
        line: if is_stand_in { "" } else { &record.line },
    }
}
