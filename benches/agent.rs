//! What the agent costs: its binary, and what the operating system accounts to its process while
//! it idles and while it works through a backlog. Every line of every run is accounted for; a
//! run that did not deliver everything has no figures.
//!
//! `cargo bench --bench agent`; `PINNACE_BENCH_MB` sets the size of the backlog.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pinnace::receiver::{Backend, Digest, Keep, Options, Receiver};

/// The agent under test: built with the profile of a release.
const AGENT: &str = env!("CARGO_BIN_EXE_pinnace");
/// How long the idle agent is watched.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// A run that takes longer than this has gone wrong.
const LIMIT: Duration = Duration::from_mins(10);

/// One row of the table.
struct Row {
    scenario: String,
    megabytes: f64,
    cpu: Duration,
    wall: Duration,
    peak_bytes: u64,
}

/// What is written and how it is shipped.
struct Scenario {
    name: &'static str,
    backend: Backend,
    compression: &'static str,
    line_len: usize,
    files: usize,
    megabytes: usize,
}

fn main() -> Result<()> {
    let megabytes = match std::env::var("PINNACE_BENCH_MB") {
        Ok(text) => text
            .parse()
            .context("PINNACE_BENCH_MB is a number of megabytes")?,
        Err(_) => 200,
    };
    let size = fs::metadata(AGENT)?.len();
    println!("binary, stripped: {:.1} MB", size as f64 / 1e6);
    let mut rows = vec![idle(1)?, idle(1000)?];
    let backlog = |name, backend, compression, line_len, files, megabytes| Scenario {
        name,
        backend,
        compression,
        line_len,
        files,
        megabytes,
    };
    for scenario in [
        backlog(
            "backlog, Loki, snappy",
            Backend::Loki,
            "snappy",
            200,
            1,
            megabytes,
        ),
        backlog(
            "backlog, Loki, none",
            Backend::Loki,
            "none",
            200,
            1,
            megabytes,
        ),
        backlog(
            "backlog, Loki, snappy, 90-byte lines",
            Backend::Loki,
            "snappy",
            90,
            1,
            megabytes,
        ),
        backlog(
            "backlog, Loki, snappy, 100 files",
            Backend::Loki,
            "snappy",
            200,
            100,
            megabytes,
        ),
        backlog(
            "backlog, CloudWatch, none",
            Backend::Cloudwatch,
            "none",
            200,
            1,
            megabytes / 2,
        ),
        backlog(
            "backlog, CloudWatch, gzip",
            Backend::Cloudwatch,
            "gzip",
            200,
            1,
            megabytes / 2,
        ),
    ] {
        rows.push(run(&scenario)?);
    }
    println!(
        "{:<38} {:>8} {:>10} {:>12} {:>9} {:>10}",
        "scenario", "MB", "CPU ms", "MB/CPU-s", "wall s", "peak MB"
    );
    for row in rows {
        let rate = if row.megabytes > 0.0 {
            format!("{:.0}", row.megabytes / row.cpu.as_secs_f64())
        } else {
            String::from("-")
        };
        println!(
            "{:<38} {:>8.0} {:>10} {:>12} {:>9.1} {:>10.1}",
            row.scenario,
            row.megabytes,
            row.cpu.as_millis(),
            rate,
            row.wall.as_secs_f64(),
            row.peak_bytes as f64 / 1e6
        );
    }
    Ok(())
}

/// A folder for one run, with an agent's configuration in it.
struct Bench {
    dir: tempfile::TempDir,
    receiver: Receiver,
}

impl Bench {
    fn new() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("logs"))?;
        let receiver = Receiver::start(Options {
            keep: Keep::Digest,
            ..Options::default()
        })?;
        Ok(Self { dir, receiver })
    }

    fn log(&self, number: usize) -> PathBuf {
        self.dir
            .path()
            .join("logs")
            .join(format!("{number:05}.log"))
    }

    fn start(&self, outputs: &str) -> Result<Agent> {
        let dir = self.dir.path().display();
        let config = self.dir.path().join("pinnace.yaml");
        fs::write(
            &config,
            format!(
                "state_dir: {dir}/state\nserver: {{ listen: \"off\" }}\n\
                 inputs: [{{ name: app, include: [\"{dir}/logs/*.log\"] }}]\noutputs:\n{outputs}"
            ),
        )?;
        Agent::start(&config)
    }

    fn output(&self, backend: Backend, compression: &str) -> String {
        match backend {
            Backend::Loki => format!(
                "  - {{ name: loki, type: loki, url: \"{}\", compression: {compression} }}\n",
                self.receiver.loki_url()
            ),
            Backend::Cloudwatch => format!(
                "  - {{ name: cw, type: cloudwatch_logs, log_group: /bench, log_stream: bench, \
                 region: eu-west-1, endpoint_url: \"{}\", create: {{ log_group: true }}, \
                 compression: {compression} }}\n",
                self.receiver.cloudwatch_url()
            ),
        }
    }
}

/// A running agent, ended when it is dropped.
struct Agent {
    child: Child,
    started: Instant,
}

impl Agent {
    fn start(config: &Path) -> Result<Self> {
        let child = Command::new(AGENT)
            .args(["run", "--on-error=exit", "--config"])
            .arg(config)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self {
            child,
            started: Instant::now(),
        })
    }

    /// User and system time so far.
    fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").context("/proc/PID/stat")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_secs_f64(
            ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
        ))
    }

    /// The most memory it ever had in RAM, in bytes.
    fn peak(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .context("VmHWM")?;
        let kib: u64 = line.split_whitespace().nth(1).context("VmHWM")?.parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both outputs, and files in which nothing happens.
fn idle(files: usize) -> Result<Row> {
    let bench = Bench::new()?;
    let mut written = Digest::default();
    for number in 0..files {
        let line = format!("the only line of file {number}");
        written.add(line.as_bytes());
        fs::write(bench.log(number), line + "\n")?;
    }
    let outputs =
        bench.output(Backend::Loki, "snappy") + &bench.output(Backend::Cloudwatch, "gzip");
    let agent = bench.start(&outputs)?;
    for backend in Backend::ALL {
        let all = bench
            .receiver
            .wait_for(backend, LIMIT, |it| it.stored >= files as u64);
        ensure!(all, "idle: not all lines arrived");
    }
    let before = agent.cpu()?;
    let until = Instant::now() + IDLE_FOR;
    // The time itself is what is measured.
    while let Some(rest) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(rest);
    }
    let cpu = agent.cpu()?.saturating_sub(before);
    Ok(Row {
        scenario: format!(
            "idle, {files} file(s), both outputs, {} s",
            IDLE_FOR.as_secs()
        ),
        megabytes: 0.0,
        cpu,
        wall: agent.started.elapsed(),
        peak_bytes: agent.peak()?,
    })
}

/// A backlog that is there before the start.
fn run(scenario: &Scenario) -> Result<Row> {
    let bench = Bench::new()?;
    let (written, bytes) = write_backlog(&bench, scenario)?;
    let agent = bench.start(&bench.output(scenario.backend, scenario.compression))?;
    let receiver = &bench.receiver;
    let all = receiver.wait_for(scenario.backend, LIMIT, |it| it.stored >= written.lines);
    let (wall, cpu, peak_bytes) = (agent.started.elapsed(), agent.cpu()?, agent.peak()?);
    let summary = receiver.summary(scenario.backend);
    ensure!(
        all && summary.digest.lines == written.lines && summary.digest.sum == written.sum,
        "{}: {} of {} lines arrived",
        scenario.name,
        summary.digest.lines,
        written.lines
    );
    ensure!(summary.violations.is_empty(), "{:?}", summary.violations);
    Ok(Row {
        scenario: scenario.name.to_owned(),
        megabytes: bytes as f64 / 1e6,
        cpu,
        wall,
        peak_bytes,
    })
}

/// Lines of an application, each different.
fn write_backlog(bench: &Bench, scenario: &Scenario) -> Result<(Digest, usize)> {
    const WORDS: [&str; 16] = [
        "order",
        "paid",
        "customer",
        "rapport",
        "généré",
        "timeout",
        "retry",
        "fetched",
        "rows",
        "cache",
        "miss",
        "GET",
        "/api/v1/items",
        "200",
        "duration_ms=",
        "user_id=",
    ];
    let mut written = Digest::default();
    let mut bytes = 0;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut line = String::new();
    for number in 0..scenario.files {
        let mut file = std::io::BufWriter::new(fs::File::create(bench.log(number))?);
        let share = scenario.megabytes * 1_000_000 / scenario.files;
        let mut of_file = 0;
        while of_file < share {
            line.clear();
            line.push_str("2026-11-22 10:00:00,123 - checkout.worker - INFO - ");
            while line.len() < scenario.line_len - 1 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                line.push_str(WORDS[usize::try_from(state >> 60)?]);
                if state.is_multiple_of(3) {
                    line.push_str(&(state >> 40).to_string());
                }
                line.push(' ');
            }
            line.truncate(line.floor_char_boundary(scenario.line_len - 1));
            written.add(line.as_bytes());
            line.push('\n');
            file.write_all(line.as_bytes())?;
            of_file += line.len();
        }
        bytes += of_file;
    }
    Ok((written, bytes))
}
