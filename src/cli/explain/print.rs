//! What `pinnace explain` prints for people.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use super::ways::Way;
use crate::record::explain::{Explained, Explanation, WrongZone, forced};
use crate::record::level::Level;
use crate::record::skew::{self, Sign};

/// So many names of fields are shown.
const MOST_FIELDS: usize = 24;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const YELLOW: &str = "33";
const CYAN: &str = "36";

/// A file's explanation for people, with at most so many records; 0 is all of them.
pub(super) fn as_text(
    file: &Path,
    explanation: &Explanation,
    way: &Way,
    is_all: bool,
    most: usize,
    paint: Paint,
) -> String {
    let records = &explanation.records;
    let mut out = String::new();
    let _ = writeln!(out, "{}", paint.with(BOLD, &file.display().to_string()));
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {} {text}", paint.with(DIM, &format!("{name:<11}")));
    };
    if let Some(input) = &way.input {
        line("input", input.clone());
    }
    let part = if is_all { "" } else { " in the first 4 MiB" };
    line(
        "records",
        format!(
            "{}{part}, {} of more than one line",
            records.len(),
            explanation.joined()
        ),
    );
    if let Some(envelope) = explanation.envelope {
        let lacking = match explanation.broken {
            0 => String::new(),
            count => format!("; lines without it: {count}"),
        };
        line("envelope", format!("{envelope}, taken off{lacking}"));
    }
    let kinds = explanation.kinds();
    line(
        "heads",
        if kinds.is_empty() {
            "none: each line is a record".to_owned()
        } else {
            kinds.join(", ")
        },
    );
    line("times", times(records, &way.zone));
    let far_off = records.iter().filter(|record| record.is_far_off).count();
    if let Some(wrong) = &explanation.wrong_zone {
        line("", wrong_zone(wrong));
    } else if far_off > 0 {
        line(
            "",
            format!("{far_off} are later than the file itself: is the zone right?"),
        );
    }
    line("levels", levels(records));
    if let Some(fields) = fields(explanation) {
        line("fields", fields);
    }
    let redacted: usize = records.iter().map(|record| record.redacted.len()).sum();
    if redacted > 0 {
        line("redacted", format!("{redacted} places"));
    }
    let let_go = records.iter().filter(|it| it.let_go_by.is_some()).count();
    if let_go > 0 {
        line("filtered", format!("{let_go} records are not shipped"));
    }
    if way.input.is_none() {
        line("to force it", "the keys of an input".to_owned());
        for key in forced::keys(explanation, &way.zone) {
            let _ = writeln!(out, "      {}", paint.with(CYAN, &key));
        }
    }
    out.push('\n');
    let shown = if most == 0 {
        records.len()
    } else {
        most.min(records.len())
    };
    for record in &records[..shown] {
        show(&mut out, record, paint);
    }
    if shown < records.len() {
        let _ = writeln!(
            out,
            "  … and {} more (--records 0 shows all)",
            records.len() - shown
        );
    }
    out.push('\n');
    out
}

fn times(records: &[Explained], zone: &str) -> String {
    let count = |is: fn(&Explained) -> bool| records.iter().filter(|record| is(record)).count();
    let with_time = count(|record| record.time.is_some());
    let zoneless = count(|record| !record.has_zone);
    let mut times = format!("{with_time} of {} records", records.len());
    if zoneless > 0 {
        let _ = write!(times, "; {zoneless} name no zone and count as {zone}");
    }
    times
}

fn levels(records: &[Explained]) -> String {
    let told = Level::ALL.iter().filter_map(|level| {
        let of_level = records.iter().filter(|it| it.level == Some(*level));
        let count = of_level.count();
        (count > 0).then(|| format!("{} {count}", level.name()))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        "none".to_owned()
    } else {
        told.join(", ")
    }
}

fn fields(explanation: &Explanation) -> Option<String> {
    let fields = explanation.fields();
    let more = fields.len().saturating_sub(MOST_FIELDS);
    let shown = fields.iter().take(MOST_FIELDS);
    let mut shown: Vec<String> = shown
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    shown.extend((more > 0).then(|| format!("… and {more} more")));
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// That the lines are read in a wrong zone, why, and which zone would fit.
fn wrong_zone(wrong: &WrongZone) -> String {
    let by = skew::in_words(wrong.quarters.abs());
    let by = by.trim_start_matches('+');
    let sign = match wrong.sign {
        Sign::Later => format!("the last is {by} later than the file's last write"),
        Sign::EarlierAtBothEnds => {
            format!("the first is {by} earlier than the file, and the last than its last write")
        }
        Sign::EarlierAtTheEnd => format!(
            "the last is {by} earlier than the file's last write; if that wrote it, and the file is no copy"
        ),
    };
    format!(
        "{sign}: they are written in {}, as with timezone: {}",
        wrong.written_in, wrong.example
    )
}

/// One record: what was understood in front, the text behind it, its head in colour.
fn show(out: &mut String, record: &Explained, paint: Paint) {
    let time = record
        .time
        .map_or_else(|| "-".to_owned(), |time| time.to_string());
    let level = record.level.map_or("-", Level::name);
    let colour = match record.level {
        Some(Level::Error | Level::Fatal) => RED,
        Some(Level::Warn) => YELLOW,
        _ => DIM,
    };
    let _ = write!(
        out,
        "  {} {} ",
        paint.with(DIM, &format!("{time:<30}")),
        paint.with(colour, &format!("{level:<5}"))
    );
    let let_go = record.let_go_by.map(|_| "not shipped");
    let notes = record.pipe.into_iter().chain(record.trace).chain(let_go);
    let notes: Vec<&str> = notes.collect();
    if !notes.is_empty() {
        let _ = write!(
            out,
            "{} ",
            paint.with(DIM, &format!("({})", notes.join(", ")))
        );
    }
    let head_len = record
        .text
        .floor_char_boundary(record.head_len.min(record.text.len()));
    let (head, rest) = record.text.split_at(head_len);
    let indented = rest.replace('\n', "\n      ");
    let _ = writeln!(out, "{}{indented}", paint.with(CYAN, head));
}

/// When to print in colours.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

/// Colours, where they are seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    has_colour: bool,
}

impl Paint {
    pub(super) fn new(colour: Colour) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            has_colour: match colour {
                Colour::Auto => io::stdout().is_terminal() && !no_colour,
                Colour::Always => true,
                Colour::Never => false,
            },
        }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.has_colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
