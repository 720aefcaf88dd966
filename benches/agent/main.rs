//! What the agent costs, as the operating system accounts it for its process alone: each scenario
//! beside the yardstick (the least that can be done), beside the agent without its journal or its
//! look at the lines, and beside the peers that are at hand. `make bench` runs all of it.
//!
//! `BENCH_QUICK=1` does a tenth of the work once; `BENCH_CASE=text` takes the scenarios with that
//! in their name; `BENCH_RUNS=3` is how often each is run; `FLUENT_BIT` and `VECTOR` name programs
//! to measure beside; `UPDATE=1` writes `docs/benchmarks.md`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table and the way to it are what this program is for"
)]

mod corpus;
mod figures;
mod front;
mod ground;
mod job;
mod peers;
mod process;
mod report;
mod run;
mod scenarios;
mod shipper;
mod yardstick;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use corpus::Corpus;
use figures::Figure;
use job::Wire;
use report::{Report, Result as Outcome};
use run::Figures;
use scenarios::Scenario;
use shipper::Program;

/// How it is to be run.
struct Settings {
    is_quick: bool,
    case: String,
    runs: usize,
    updates: bool,
}

impl Settings {
    fn from_environment() -> Result<Self> {
        let flag = |name| std::env::var(name).is_ok_and(|it| !it.is_empty() && it != "0");
        let is_quick = flag("BENCH_QUICK");
        let runs = match std::env::var("BENCH_RUNS") {
            Ok(text) => text.parse().context("BENCH_RUNS is a number")?,
            Err(_) if is_quick => 1,
            Err(_) => 3,
        };
        let settings = Self {
            is_quick,
            case: std::env::var("BENCH_CASE").unwrap_or_default(),
            runs,
            updates: flag("UPDATE"),
        };
        ensure!(
            !settings.updates || (!is_quick && settings.case.is_empty()),
            "UPDATE=1 wants the whole of it: without BENCH_QUICK and BENCH_CASE"
        );
        Ok(settings)
    }
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, wire, address, every, folder, authority @ ..] = &arguments[..]
        && word == "yardstick"
    {
        let every = Duration::from_millis(every.parse()?);
        yardstick::run(&yardstick::Job {
            wire: Wire::of_name(wire)?,
            address: address.parse()?,
            authority: authority.first().cloned(),
            every: (!every.is_zero()).then_some(every),
            folder: folder.clone(),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = Settings::from_environment()?;
    let mut report = Report::new(settings.is_quick, settings.runs);
    let (peers, missing) = peers::Peer::all();
    report.notes.extend(missing);
    let mut programs = vec![
        Program::Pinnace,
        Program::WithoutJournal,
        Program::AsTheyAre,
        Program::Yardstick,
    ];
    programs.extend(peers.into_iter().map(Program::Peer));
    for scenario in scenarios::all(settings.is_quick) {
        if scenario.name.contains(&settings.case) {
            measure(&scenario, &programs, settings.runs, &mut report)?;
        }
    }
    report.close();
    println!("{}", report.table());
    println!("{}", report.json());
    if settings.updates {
        report.write_document()?;
    }
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs one scenario as often as asked: the programs in turn, so that whatever else the machine
/// does meanwhile falls on all of them, or all of it at once where next to nothing happens.
fn measure(
    scenario: &Scenario,
    programs: &[Program],
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let corpora = scenario
        .shapes
        .iter()
        .map(|shape| Corpus::write(*shape))
        .collect::<Result<Vec<_>>>()?;
    for corpus in &corpora {
        report.add_corpus(corpus);
    }
    let programs: Vec<_> = programs.iter().filter(|it| scenario.has(it)).collect();
    let mut all: Vec<Vec<Figures>> = programs.iter().map(|_| Vec::new()).collect();
    let run = |program: &Program, number: usize| {
        let name = program.name();
        eprintln!("{}: {name}, run {number} of {runs}", scenario.name);
        run::run(&scenario.kind, &corpora, program)
    };
    let turns = (1..=runs).flat_map(|number| programs.iter().map(move |it| (*it, number)));
    let ended: Vec<Result<Figures>> = if scenario.kind.goes_together() {
        let run = &run;
        std::thread::scope(|scope| {
            let running: Vec<_> = turns
                .map(|(program, number)| scope.spawn(move || run(program, number)))
                .collect();
            let ends = running.into_iter().map(std::thread::ScopedJoinHandle::join);
            ends.map(|it| it.unwrap_or_else(|_| bail!("it panicked")))
                .collect()
        })
    } else {
        turns
            .map(|(program, number)| run(program, number))
            .collect()
    };
    let mut ended = ended.into_iter();
    for _ in 1..=runs {
        let mut round: Vec<Option<Figures>> = Vec::new();
        for (program, ended) in programs.iter().zip(&mut ended) {
            if let Err(error) = &ended {
                report.failed(&scenario.name, program, &format!("{error:#}"));
            }
            round.push(ended.ok());
        }
        let of = |wanted: fn(&Program) -> bool| {
            let at = programs.iter().position(|program| wanted(program))?;
            throughput(round[at].as_ref()?)
        };
        let yardstick = of(|it| matches!(it, Program::Yardstick));
        let as_they_are = of(|it| matches!(it, Program::AsTheyAre));
        for (figures, all) in round.into_iter().zip(&mut all) {
            let Some(mut figures) = figures else { continue };
            if let Some(own) = throughput(&figures) {
                let least = yardstick.map(|least| (Figure::TimesYardstick, least / own));
                let plain = as_they_are.map(|plain| (Figure::TimesPlain, own / plain));
                figures.extend(least.into_iter().chain(plain));
            }
            all.push(figures);
        }
    }
    for (program, figures) in programs.iter().zip(all) {
        report.add(Outcome {
            scenario: scenario.name.clone(),
            program: program.name().to_owned(),
            is_agent: matches!(program, Program::Pinnace),
            figures,
            targets: scenario.targets.clone(),
        });
    }
    Ok(())
}

fn throughput(figures: &Figures) -> Option<f64> {
    figures
        .iter()
        .find(|(figure, _)| *figure == Figure::Throughput)
        .map(|(_, value)| *value)
}
