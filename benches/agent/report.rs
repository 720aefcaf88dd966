//! The table, the JSON and the document: medians of all runs, what must be reached, and on which
//! machine and which lines. Measures nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result as Outcome;
use serde_json::json;

use crate::corpus::Corpus;
use crate::figures::{Figure, Target, median};
use crate::run::Figures;
use crate::shipper::Program;

/// What the yardstick reaches, in MB of 200-byte lines to Loki per CPU-second, on a machine for which
/// the targets are meant.
const FULL_SPEED: f64 = 420.0;

/// What one program did in one scenario, run by run.
pub(crate) struct Result {
    pub(crate) scenario: String,
    pub(crate) program: String,
    pub(crate) is_agent: bool,
    pub(crate) figures: Vec<Figures>,
    pub(crate) targets: Vec<Target>,
}

impl Result {
    /// The median of a figure.
    fn of(&self, figure: Figure) -> Option<f64> {
        let values: Vec<_> = self.values(figure).collect();
        median(&values)
    }

    fn values(&self, figure: Figure) -> impl Iterator<Item = f64> {
        let all = self.figures.iter().flatten();
        all.filter(move |it| it.0 == figure).map(|it| it.1)
    }
}

/// All that was found.
pub(crate) struct Report {
    is_quick: bool,
    runs: usize,
    results: Vec<Result>,
    /// What was not measured, and why.
    pub(crate) notes: Vec<String>,
    corpora: BTreeSet<String>,
    load: [String; 2],
    has_failed: bool,
}

/// One row of the table.
struct Row<'a> {
    scenario: &'a str,
    figure: Figure,
    target: Option<Target>,
    values: BTreeMap<&'a str, f64>,
}

impl Row<'_> {
    /// Whether what must be reached is, on a machine of this speed; a target without a figure is not.
    fn verdict(&self, agent: &str, speed: f64) -> Option<Verdict> {
        let target = self.target?;
        let value = self.values.get(agent).copied();
        let is_met = |target: Target| value.is_some_and(|it| target.is_met(it));
        Some(if is_met(target) {
            Verdict::Met
        } else if is_met(target.at_speed(speed)) {
            Verdict::MetHere
        } else {
            Verdict::Missed
        })
    }
}

/// What became of a target.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Met,
    /// Met for as slow a machine as this one.
    MetHere,
    Missed,
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::MetHere => "met here",
            Self::Missed => "**missed**",
        }
    }
}

impl Report {
    pub(crate) fn new(is_quick: bool, runs: usize) -> Self {
        Self {
            is_quick,
            runs,
            results: Vec::new(),
            notes: Vec::new(),
            corpora: BTreeSet::new(),
            load: [load(), String::new()],
            has_failed: false,
        }
    }

    /// A run that did not deliver everything: it has no figures.
    pub(crate) fn failed(&mut self, scenario: &str, program: &Program, why: &str) {
        let note = format!(
            "{scenario}: {} did not deliver everything: {why}",
            program.name()
        );
        eprintln!("{note}");
        self.has_failed |= program.is_own();
        self.notes.push(note);
    }

    pub(crate) fn add(&mut self, result: Result) {
        self.results.push(result);
    }

    pub(crate) fn add_corpus(&mut self, corpus: &Corpus) {
        let (shape, digest) = (corpus.shape, &corpus.digest);
        self.corpora.insert(format!(
            "{:>5} files, {:>10} bytes, {:>8} lines of {} bytes, sum of XXH3 {:016x}",
            shape.files, corpus.bytes, digest.lines, shape.line_len, digest.sum
        ));
    }

    /// The last run is over.
    pub(crate) fn close(&mut self) {
        self.load[1] = load();
    }

    fn agent(&self) -> &str {
        let agent = self.results.iter().find(|it| it.is_agent);
        agent.map_or("", |it| &it.program)
    }

    fn programs(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for result in &self.results {
            if !names.contains(&&*result.program) {
                names.push(&result.program);
            }
        }
        names
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let mut rows = Vec::new();
        let agents = self.results.iter().filter(|it| it.is_agent);
        for agent in agents {
            let scenario = &*agent.scenario;
            let of_scenario = || {
                self.results
                    .iter()
                    .filter(move |it| it.scenario == scenario)
            };
            let mut figures: BTreeSet<Figure> = of_scenario()
                .flat_map(|it| it.figures.iter().flatten())
                .map(|it| it.0)
                .collect();
            figures.extend(agent.targets.iter().map(|it| it.figure()));
            for figure in figures {
                rows.push(Row {
                    scenario,
                    figure,
                    target: agent
                        .targets
                        .iter()
                        .copied()
                        .find(|it| it.figure() == figure),
                    values: of_scenario()
                        .filter_map(|it| Some((&*it.program, it.of(figure)?)))
                        .collect(),
                });
            }
        }
        rows
    }

    /// Whether everything was delivered and every target met.
    pub(crate) fn is_good(&self) -> bool {
        let agent = self.agent();
        let rows = self.rows();
        let speed = self.speed();
        let mut verdicts = rows.iter().filter_map(|row| row.verdict(agent, speed));
        !self.has_failed && (self.is_quick || verdicts.all(|it| it != Verdict::Missed))
    }

    /// What the yardstick reached where the agent is held against it.
    fn yardstick(&self) -> Option<f64> {
        let is_held = |it: &&Result| {
            let mut targets = it.targets.iter();
            targets.any(|target| target.figure() == Figure::TimesYardstick)
        };
        let held = self.results.iter().filter(is_held);
        let mut of_yardstick = held.filter(|it| it.program == Program::Yardstick.name());
        of_yardstick.next()?.of(Figure::Throughput)
    }

    /// What part of the full speed this machine has, by the yardstick; one where it was not measured
    /// or the machine is faster.
    fn speed(&self) -> f64 {
        self.yardstick()
            .map_or(1.0, |it| (it / FULL_SPEED).min(1.0))
    }

    /// The table, in Markdown that can be read as it is.
    pub(crate) fn table(&self) -> String {
        let agent = self.agent();
        let programs = self.programs();
        let speed = self.speed();
        let mut cells = vec![
            ["scenario", "figure", "target", ""]
                .into_iter()
                .chain(programs.iter().copied())
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        ];
        let mut last = "";
        for row in self.rows() {
            let target = row.target.map(Target::text).unwrap_or_default();
            let verdict = row.verdict(agent, speed).map_or("", Verdict::text);
            let scenario = if row.scenario == last {
                ""
            } else {
                row.scenario
            };
            last = row.scenario;
            let values = programs.iter().map(|program| {
                let value = row.values.get(program);
                value.map_or_else(String::new, |it| row.figure.text(*it))
            });
            let fixed = [scenario, row.figure.name(), &target, verdict].map(str::to_owned);
            cells.push(fixed.into_iter().chain(values).collect());
        }
        let widths: Vec<usize> = (0..4 + programs.len())
            .map(|column| {
                cells
                    .iter()
                    .map(|row| row[column].chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        for (number, row) in cells.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                // Writing into a String cannot fail.
                let _ = if column < 4 {
                    write!(text, "| {cell:<width$} ")
                } else {
                    write!(text, "| {cell:>width$} ")
                };
            }
            text.push_str("|\n");
            if number == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let line = "-".repeat(width + 1);
                    let end = if column < 4 { '-' } else { ':' };
                    let _ = write!(text, "|{line}{end}");
                }
                text.push_str("|\n");
            }
        }
        if let Some(reached) = self.yardstick() {
            let _ = write!(
                text,
                "\nTargets of the processor are meant for a machine on which the yardstick reaches \
                 {FULL_SPEED:.0} MB per CPU-second in the row that is held against it. It reached \
                 {reached:.0} here: *met here* says that a figure meets its target times {speed:.2}.\n"
            );
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }

    /// Every figure of every run.
    pub(crate) fn json(&self) -> String {
        let results: Vec<_> = self
            .results
            .iter()
            .map(|result| {
                let figures: BTreeSet<Figure> =
                    result.figures.iter().flatten().map(|it| it.0).collect();
                let figures: BTreeMap<_, _> = figures
                    .into_iter()
                    .map(|it| (it.name(), result.values(it).collect::<Vec<_>>()))
                    .collect();
                json!({
                    "scenario": result.scenario,
                    "program": result.program,
                    "runs": figures,
                })
            })
            .collect();
        json!({
            "quick": self.is_quick,
            "machine": machine(),
            "load": self.load,
            "corpora": self.corpora,
            "notes": self.notes,
            "results": results,
        })
        .to_string()
    }

    /// Writes `docs/benchmarks.md`.
    pub(crate) fn write_document(&self) -> Outcome<()> {
        let corpora: Vec<_> = self
            .corpora
            .iter()
            .map(|it| format!("    {it}\n"))
            .collect();
        let text = format!(
            "# What it costs\n\n\
             `make bench` measures it; this page is written by `UPDATE=1 make bench`. CPU is user \
             and system time and memory is VmHWM, as the operating system accounts them for the \
             process alone. Each figure is the median of {} runs. Every line of every run is \
             accounted for at the receiver: a program that did not deliver everything has no \
             figure. Everything is at its default unless the scenario says otherwise.\n\n\
             The *yardstick* (`benches/agent/yardstick.rs`) does only what is physically needed: \
             it reads, cuts at line ends, encodes, compresses and sends over loopback, and keeps \
             none of the promises. *Without journal* is the agent where its state directory \
             cannot be made. The peers do the same job on the same files against the same \
             receiver.\n\n{}\n\
             Machine: {}. Load average before and after: {} and {}.\n\n\
             The lines are made by `benches/agent/corpus.rs`, the same everywhere:\n\n{}",
            self.runs,
            self.table(),
            machine(),
            self.load[0],
            self.load[1],
            corpora.concat(),
        );
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks.md");
        Ok(fs::write(path, text)?)
    }
}

/// The average number of runnable processes over the last minute.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line
            .and_then(|line| line.split(':').nth(1))
            .unwrap_or_default();
        value.trim().to_owned()
    };
    let model = value(&read("/proc/cpuinfo"), "model name");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = value(&read("/proc/meminfo"), "MemTotal");
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map(|it| String::from_utf8_lossy(&it.stdout).trim().to_owned());
    format!(
        "{cores} cores of {model}, {memory}, Linux {}, {}",
        read("/proc/sys/kernel/osrelease").trim(),
        compiler.unwrap_or_default()
    )
}
