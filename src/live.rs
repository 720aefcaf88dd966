//! Tries the agent's own places, inputs and outputs for real, as the agent would use them, and says
//! what holds and what does not, each with its mending. Leaves nothing
//! behind unless it is asked to, and then one record.

use std::fmt::Write as _;

use crate::config::{Config, OutputKind};

mod agent;
mod cloudwatch;
mod inputs;
mod loki;
mod twice;
mod way;

pub(crate) use twice::read_twice;

/// The line that is written when it is asked for.
const RECORD: &str = "pinnace check --live --write: a test record, to be ignored";

/// What was looked at, and what was found.
#[derive(Debug)]
pub(crate) struct Section {
    title: String,
    findings: Vec<Finding>,
}

#[derive(Debug)]
struct Finding {
    mark: Mark,
    what: &'static str,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It holds.
    Holds,
    /// It may be as it should, or cannot be known.
    Note,
    /// It does not hold: nothing would be delivered.
    Fails,
}

impl Section {
    fn new(title: String) -> Self {
        Self {
            title,
            findings: Vec::new(),
        }
    }

    fn holds(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(Mark::Holds, what, text.into());
    }

    fn note(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(Mark::Note, what, text.into());
    }

    fn fails(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(Mark::Fails, what, text.into());
    }

    fn add(&mut self, mark: Mark, what: &'static str, text: String) {
        self.findings.push(Finding { mark, what, text });
    }

    /// Whether nothing fails.
    pub(crate) fn is_well(&self) -> bool {
        self.findings.iter().all(|it| it.mark != Mark::Fails)
    }

    /// The section as it is printed.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}\n", self.title);
        for Finding {
            mark,
            what,
            text: told,
        } in &self.findings
        {
            let mark = match mark {
                Mark::Holds => "ok  ",
                Mark::Note => "note",
                Mark::Fails => "FAIL",
            };
            let _ = writeln!(text, "  {mark}  {what:<11} {told}");
        }
        text
    }
}

/// Looks at what the agent needs, at every input, and tries every output, one after the other.
pub(crate) async fn look(config: &Config, write: bool, mut show: impl FnMut(&Section)) {
    show(&agent::look(config).await);
    for input in &config.inputs {
        show(&inputs::look(input));
    }
    for output in &config.outputs {
        let section = match &output.kind {
            OutputKind::Loki(loki) => loki::look(&output.name, loki, write).await,
            OutputKind::CloudWatchLogs(cloudwatch) => {
                cloudwatch::look(config, output, cloudwatch, write).await
            }
        };
        show(&section);
    }
}
