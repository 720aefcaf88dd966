//! One run of one program through one scenario. Every line is accounted for at the receiver; a
//! run that did not deliver everything is an error and has no figures.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pinnace::receiver::{Backend, Digest};

use crate::corpus::{Corpus, Lines};
use crate::figures::{Figure, median};
use crate::front::Front;
use crate::ground::Ground;
use crate::job::Wire;
use crate::process::Process;
use crate::scenarios::Kind;
use crate::shipper::{Program, agent};

/// After this the agent has given its buffers back.
const SETTLING: Duration = Duration::from_secs(5);
/// A reading is taken of so many starts.
const STARTS: usize = 5;
/// How often lines are written at a steady rate.
const STEP: Duration = Duration::from_millis(1);
const LINE: usize = 200;

pub(crate) type Figures = Vec<(Figure, f64)>;

/// Runs it.
pub(crate) fn run(kind: &Kind, corpora: &[Corpus], program: &Program) -> Result<Figures> {
    match *kind {
        Kind::Binary => Ok(vec![(
            Figure::Binary,
            fs::metadata(agent())?.len() as f64 / 1e6,
        )]),
        Kind::Backlog {
            outputs,
            tls,
            is_plain,
        } => {
            let corpus = corpora.first().context("a corpus")?;
            let spent = backlog(program, corpus, outputs, tls, is_plain)?;
            Ok(vec![
                (Figure::Throughput, corpus.bytes as f64 / 1e6 / spent.cpu),
                (Figure::Peak, spent.peak),
            ])
        }
        Kind::Long => {
            let [least, small, large] = corpora else {
                anyhow::bail!("three corpora");
            };
            let [least, of_small, of_large] = [least, small, large]
                .map(|corpus| backlog(program, corpus, &[Wire::Snappy], false, true));
            let (start, of_small, of_large) = (least?.cpu, of_small?, of_large?);
            let rate = |corpus: &Corpus, cpu| corpus.bytes as f64 / 1e6 / (cpu - start);
            let large_rate = rate(large, of_large.cpu);
            Ok(vec![
                (Figure::Throughput, large_rate),
                (Figure::TimesSmall, large_rate / rate(small, of_small.cpu)),
                (Figure::Peak, of_large.peak),
            ])
        }
        Kind::ManyFiles => {
            let [least, few, many] = corpora else {
                anyhow::bail!("three corpora");
            };
            let [of_least, of_few, of_many] = [least, few, many]
                .map(|corpus| backlog(program, corpus, &[Wire::Snappy], false, true));
            let (start, of_few, of_many) = (of_least?.cpu, of_few?, of_many?);
            let each = |corpus: &Corpus, cpu| (cpu - start) / (corpus.shape.files - 1) as f64;
            let each_of_many = each(many, of_many.cpu);
            Ok(vec![
                (Figure::PerFile, each_of_many * 1e6),
                (Figure::TimesFew, each_of_many / each(few, of_few.cpu)),
                (Figure::Peak, of_many.peak),
            ])
        }
        Kind::Rate {
            bytes_per_second,
            lasting,
            max_wait,
        } => rate(program, bytes_per_second, lasting, max_wait),
        Kind::Idle { files, lasting } => idle(program, files, lasting),
        Kind::Outage {
            bytes_per_second,
            lasting,
        } => outage(program, bytes_per_second, lasting),
        Kind::Start => start(program, corpora.first().context("a corpus")?),
    }
}

/// CPU in seconds, and peak memory in MB.
struct Spent {
    cpu: f64,
    peak: f64,
}

fn spent(process: &Process) -> Result<Spent> {
    Ok(Spent {
        cpu: process.cpu()?.as_secs_f64(),
        peak: process.peak()? as f64 / 1e6,
    })
}

fn backlog(
    program: &Program,
    corpus: &Corpus,
    outputs: &[Wire],
    tls: bool,
    is_plain: bool,
) -> Result<Spent> {
    let ground = Ground::new(program)?;
    let receiver = ground.receiver.address();
    let front = if tls {
        Some(Front::tls(receiver, ground.scratch.path())?)
    } else {
        None
    };
    let mut job = ground.job(corpus.folder(), outputs);
    job.is_plain = is_plain;
    if let Some(front) = &front {
        job.address = front.address;
        job.authority = front.authority.as_deref();
    }
    let mut process = program.start(&job)?;
    for output in outputs {
        ground.wait(&mut process, output.backend(), corpus.digest.lines)?;
    }
    let spent = spent(&process)?;
    for output in outputs {
        ground.check(program, output.backend(), &corpus.digest)?;
    }
    Ok(spent)
}

/// Lets time pass: what happens meanwhile is what is measured.
fn pass(time: Duration) {
    let until = Instant::now() + time;
    while let Some(rest) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(rest);
    }
}

/// Writes lines as an application does: one call each, at a steady rate. Returns when each was
/// written.
fn write_steadily(
    file: &mut File,
    lines: &mut Lines,
    written: &mut Digest,
    bytes_per_second: usize,
    lasting: Duration,
) -> Result<Vec<Instant>> {
    let began = Instant::now();
    let mut times = Vec::new();
    loop {
        let passed = began.elapsed();
        let due = passed.min(lasting).as_secs_f64() * bytes_per_second as f64 / LINE as f64;
        while (times.len() as f64) < due.floor() {
            let line = lines.next();
            written.add(&line[..line.len() - 1]);
            file.write_all(line)?;
            times.push(Instant::now());
        }
        if passed >= lasting {
            return Ok(times);
        }
        pass(STEP);
    }
}

fn rate(
    program: &Program,
    bytes_per_second: usize,
    lasting: Duration,
    max_wait: Option<Duration>,
) -> Result<Figures> {
    let ground = Ground::new(program)?;
    let (mut file, mut lines, mut written) = open_log(&ground)?;
    let logs = ground.logs();
    let mut job = ground.job(&logs, &[Wire::Snappy]);
    job.max_wait = max_wait;
    job.follow = true;
    let mut process = program.start(&job)?;
    ground.wait(&mut process, Backend::Loki, 1)?;
    let before = process.cpu()?;
    let times = write_steadily(
        &mut file,
        &mut lines,
        &mut written,
        bytes_per_second,
        lasting,
    )?;
    ground.wait(&mut process, Backend::Loki, written.lines)?;
    let cpu = process.cpu()?.saturating_sub(before);
    ground.check(program, Backend::Loki, &written)?;
    let mut latencies = ground.latencies(&times);
    latencies.sort_by(f64::total_cmp);
    let at = |percent| {
        latencies
            .get((latencies.len() - 1) * percent / 100)
            .copied()
    };
    Ok(vec![
        (
            Figure::Core,
            100.0 * cpu.as_secs_f64() / lasting.as_secs_f64(),
        ),
        (Figure::LatencyHalf, at(50).unwrap_or_default()),
        (Figure::LatencyMost, at(99).unwrap_or_default()),
        (Figure::Peak, process.peak()? as f64 / 1e6),
    ])
}

/// A log with one line in it.
fn open_log(ground: &Ground) -> Result<(File, Lines, Digest)> {
    let mut lines = Lines::new(LINE);
    let mut written = Digest::default();
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(ground.logs().join("app.log"))?;
    let line = lines.next();
    written.add(&line[..line.len() - 1]);
    file.write_all(line)?;
    Ok((file, lines, written))
}

fn idle(program: &Program, files: usize, lasting: Duration) -> Result<Figures> {
    let ground = Ground::new(program)?;
    let logs = ground.logs();
    let mut lines = Lines::new(LINE);
    let mut written = Digest::default();
    for number in 0..files {
        let line = lines.next();
        written.add(&line[..line.len() - 1]);
        fs::write(logs.join(format!("{number:05}.log")), line)?;
    }
    // Nobody is told of what is written through a name in another folder.
    let unseen = ground.scratch.path().join("unseen.log");
    fs::hard_link(logs.join("00000.log"), &unseen)?;
    let outputs: &[Wire] = if program.is_own() {
        &[Wire::Snappy, Wire::Gzip]
    } else {
        &[Wire::Snappy]
    };
    let mut process = program.start(&ground.job(&logs, outputs))?;
    for output in outputs {
        ground.wait(&mut process, output.backend(), written.lines)?;
    }
    pass(SETTLING);
    let before = process.cpu()?;
    pass(lasting);
    let cpu = process.cpu()?.saturating_sub(before);
    let mut figures = vec![
        (
            Figure::IdleCpu,
            cpu.as_secs_f64() * 1e3 / lasting.as_secs_f64(),
        ),
        (Figure::Peak, process.peak()? as f64 / 1e6),
    ];
    if program.is_own() {
        let line = lines.next();
        written.add(&line[..line.len() - 1]);
        let began = Instant::now();
        OpenOptions::new()
            .append(true)
            .open(&unseen)?
            .write_all(line)?;
        for output in outputs {
            ground.wait(&mut process, output.backend(), written.lines)?;
            if output.is_loki() {
                figures.push((Figure::LostEvent, began.elapsed().as_secs_f64()));
            }
        }
    }
    for output in outputs {
        ground.check(program, output.backend(), &written)?;
    }
    Ok(figures)
}

fn outage(program: &Program, bytes_per_second: usize, lasting: Duration) -> Result<Figures> {
    let ground = Ground::new(program)?;
    let (mut file, mut lines, mut written) = open_log(&ground)?;
    let logs = ground.logs();
    let mut process = program.start(&ground.job(&logs, &[Wire::Snappy]))?;
    ground.wait(&mut process, Backend::Loki, 1)?;
    ground.receiver.pause(Backend::Loki);
    write_steadily(
        &mut file,
        &mut lines,
        &mut written,
        bytes_per_second,
        lasting,
    )?;
    ground.receiver.resume(Backend::Loki);
    ground.wait(&mut process, Backend::Loki, written.lines)?;
    ground.check(program, Backend::Loki, &written)?;
    Ok(vec![(Figure::Peak, process.peak()? as f64 / 1e6)])
}

fn start(program: &Program, corpus: &Corpus) -> Result<Figures> {
    let mut times = Vec::new();
    for is_warm in [false].into_iter().chain([true; STARTS]) {
        let ground = Ground::new(program)?;
        let front = Front::plain(ground.receiver.address())?;
        let mut job = ground.job(corpus.folder(), &[Wire::Snappy]);
        job.address = front.address;
        let mut process = program.start(&job)?;
        ground.wait(&mut process, Backend::Loki, corpus.digest.lines)?;
        ground.check(program, Backend::Loki, &corpus.digest)?;
        if is_warm {
            let took = front.first_byte()?.duration_since(process.started);
            times.push(took.as_secs_f64() * 1e3);
        }
    }
    Ok(median(&times)
        .map(|it| (Figure::FirstByte, it))
        .into_iter()
        .collect())
}
