//! What a demo prints: the story as it goes on, a live line below it on a terminal, and the end.
//! Decides nothing.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use super::report::{Report, grouped};

/// Prints to stdout.
#[derive(Debug)]
pub(super) struct Show {
    is_terminal: bool,
    has_colour: bool,
    /// What the live line shows; empty when there is none.
    live: String,
    /// When progress is printed next where there is no terminal, in seconds.
    next_line_at: f64,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// Since the beginning.
    pub(super) seconds: f64,
    /// Of the log, written.
    pub(super) percent: usize,
    /// Lines written.
    pub(super) written: u64,
    /// Lines that are at Loki.
    pub(super) loki: u64,
    /// Lines that are at CloudWatch Logs.
    pub(super) cloudwatch: u64,
}

/// Without a terminal progress is printed so often, in seconds.
const LINE_EVERY: f64 = 2.0;
/// Cells of the bar.
const BAR: usize = 20;

const BOLD: &str = "1";
const DIM: &str = "2";
const GREEN: &str = "32";
const RED: &str = "31";

impl Show {
    pub(super) fn new() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            is_terminal,
            has_colour: is_terminal && !no_colour,
            live: String::new(),
            next_line_at: LINE_EVERY,
        }
    }

    /// What is going to happen.
    pub(super) fn title(&self, yesterday: usize, log: &str) -> io::Result<()> {
        let head = self.paint(
            BOLD,
            "Pinnace ships a report script's log to Loki and to CloudWatch Logs.",
        );
        print(&format!(
            "{head}
Both are played by a strict stand-in in this process: nothing leaves this machine.
The agent is a process of its own, and is stopped and started again on the way.

  The script writes logs/{log}; yesterday's log is there too ({} lines).

",
            grouped(yesterday as u64)
        ))
    }

    /// One event of the story.
    pub(super) fn say(&mut self, seconds: f64, sentence: &str) -> io::Result<()> {
        self.end_line()?;
        let time = self.paint(DIM, &format!("{seconds:5.1} s"));
        print(&format!("{time}  {sentence}\n"))
    }

    /// Shows how far it is.
    pub(super) fn progress(&mut self, progress: &Progress) -> io::Result<()> {
        let Progress {
            seconds,
            percent,
            written,
            loki,
            cloudwatch,
        } = *progress;
        let counts = format!(
            "{} lines written, at Loki {}, at CloudWatch {}",
            grouped(written),
            grouped(loki),
            grouped(cloudwatch)
        );
        if self.is_terminal {
            let full = BAR * percent.min(100) / 100;
            let bar = format!("{}{}", "█".repeat(full), "░".repeat(BAR - full));
            let line = format!("  {bar}  {counts}");
            if line == self.live {
                return Ok(());
            }
            self.live = line;
            print(&format!("\r\x1b[K{}", self.live))
        } else if seconds >= self.next_line_at {
            self.next_line_at = seconds + LINE_EVERY;
            print(&format!("{seconds:5.1} s  {counts}\n"))
        } else {
            Ok(())
        }
    }

    /// Takes the live line away.
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.live).is_empty() {
            return Ok(());
        }
        print("\r\x1b[K")
    }

    /// The last page.
    pub(super) fn report(&mut self, report: &Report) -> io::Result<()> {
        self.end_line()?;
        let text = report.text();
        let text = text
            .lines()
            .map(|line| {
                if line.starts_with("Nothing lost") {
                    self.paint(GREEN, line)
                } else if line.starts_with("Not as it should be") {
                    self.paint(RED, line)
                } else {
                    line.to_owned()
                }
            })
            .collect::<Vec<_>>()
            .join("\n");
        let next = if report.is_whole() {
            NEXT
        } else {
            "\nThat is a fault of Pinnace: please report it, with what stands above.\n"
        };
        print(&format!("\n{text}\n{next}"))
    }

    /// Where the folder is.
    pub(super) fn kept(folder: &Path) -> io::Result<()> {
        print(&format!(
            "\nKept to look into (pinnace.yaml, agent.log, logs/): {}\n",
            folder.display()
        ))
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.has_colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Where to go from here.
const NEXT: &str = "
Where to go next:
  pinnace demo --keep          the same, and keep its configuration and files to look into
  pinnace receiver             a stand-in to send your own logs to, and see what arrives
  pinnace check --config FILE  is my configuration right?
  pinnace run --config FILE    ship my logs
  pinnace schema --markdown    every key of the configuration
";
