//! `pinnace explain`: shows how files would be cut into records and what is understood of each,
//! without a configuration and without sending anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::config::{Environment, local_zone};
use crate::exit;
use crate::record::Time;
use crate::record::explain::{Dates, Explained, Explanation, WrongZone, explain, forced};
use crate::record::level::Level;
use crate::record::redact::{Detector, Redactor};
use crate::record::rules::Rules;
use crate::record::skew::{self, Sign};
use crate::record::stamp::{Shape, Stamp, whole};
use crate::record::zone::Zone;

/// So much of a file is looked at.
const MOST: u64 = 4 << 20;
/// The longest line, as when nothing is configured.
const MAX_LINE: usize = 256 << 10;

/// So many names of fields are shown.
const MOST_FIELDS: usize = 24;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const YELLOW: &str = "33";
const CYAN: &str = "36";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Log files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The zone of timestamps that name none, such as Europe/Paris. Without it: `TZ`, else the
    /// zone of this machine, else UTC.
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// When the files were last written, in RFC 3339, instead of what the system says. Dates and
    /// years that timestamps lack come from it.
    #[arg(long, value_name = "TIME")]
    written: Option<String>,
    /// Show so many records of each file; 0 shows all.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    records: usize,
    /// Print JSON: one object for each file, with all records.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let (zone_name, is_asked) = match &arguments.timezone {
        Some(name) => (name.clone(), true),
        None => (local_zone(&Environment::from_process()), false),
    };
    let zone = match Zone::named(&zone_name) {
        Some(zone) => zone,
        None if is_asked => {
            return tell(&format!(
                "there is no zone \"{zone_name}\": write a name of the IANA database such as Europe/Paris"
            ));
        }
        None => Zone::utc(),
    };
    let written = match arguments
        .written
        .as_deref()
        .map(|text| (text, whole(text.as_bytes())))
    {
        None => None,
        Some((_, Some(found))) if matches!(found.stamp, Stamp::Instant(_)) => match found.stamp {
            Stamp::Instant(time) => Some(time),
            _ => None,
        },
        Some((text, _)) => {
            return tell(&format!(
                "--written \"{text}\" is no moment: write for example 2026-11-22T22:08:23Z"
            ));
        }
    };
    let rules = Rules {
        zone,
        ..Rules::default()
    };
    let mut redactor = Redactor::new(&Detector::USUAL, Vec::new());
    let paint = Paint::new(arguments.json);
    let mut code = exit::OK;
    for file in &arguments.files {
        let (bytes, is_all, of_system) = match read(file) {
            Ok(read) => read,
            Err(error) => {
                code = tell(&format!("{} cannot be read: {error}", file.display()));
                continue;
            }
        };
        let asked = written.map(|written| Dates {
            made: None,
            written,
        });
        let dates = asked.unwrap_or(of_system);
        let mut explanation = explain(&bytes, MAX_LINE, &rules, &mut redactor, dates);
        // What was written last is not among what was read.
        explanation.wrong_zone = explanation.wrong_zone.filter(|_| is_all);
        let text = if arguments.json {
            as_json(file, &explanation, &zone_name)
        } else {
            as_text(
                file,
                &explanation,
                &zone_name,
                is_all,
                arguments.records,
                paint,
            )
        };
        let mut out = io::stdout().lock();
        let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        code = code.max(super::schema::code_after(exit::OK, &printed));
    }
    code
}

fn tell(sentence: &str) -> u8 {
    let _ = writeln!(io::stderr(), "{sentence}");
    exit::FAILED
}

/// The beginning of a file, up to its last whole line, whether that is all, and when it was made
/// and last written.
fn read(path: &Path) -> io::Result<(Vec<u8>, bool, Dates)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let dates = Dates {
        made: metadata.created().ok().map(Time::from),
        written: metadata.modified().map_or(Time::default(), Time::from),
    };
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    let is_all = bytes.len() as u64 <= MOST;
    if !is_all {
        let end = memchr::memrchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
        bytes.truncate(end);
    }
    Ok((bytes, is_all, dates))
}

fn as_json(file: &Path, explanation: &Explanation, zone: &str) -> String {
    let records: Vec<_> = explanation
        .records
        .iter()
        .map(|record| {
            json!({
                "text": record.text,
                "lines": record.lines,
                "head": record.kind,
                "shape": record.shape.map(Shape::name),
                "time": record.time.map(|time| time.to_string()),
                "level": record.level.map(Level::name),
                "trace": record.trace,
                "stream": record.pipe,
                "is_cut": record.is_cut,
                "redacted": record.redacted,
                "fields": record.fields.iter().cloned().collect::<BTreeMap<_, _>>(),
            })
        })
        .collect();
    let value = json!({
        "file": file.to_string_lossy(),
        "envelope": explanation.envelope,
        "broken_envelopes": explanation.broken,
        "timezone": zone,
        "wrong_zone": explanation.wrong_zone.as_ref().map(|wrong| json!({
            "ahead_by": skew::in_words(wrong.quarters),
            "is_certain": wrong.sign != Sign::EarlierAtTheEnd,
            "written_in": wrong.written_in,
            "example": wrong.example,
        })),
        "configuration": forced::keys(explanation, zone),
        "records": records,
    });
    format!("{value}\n")
}

fn as_text(
    file: &Path,
    explanation: &Explanation,
    zone: &str,
    is_all: bool,
    most: usize,
    paint: Paint,
) -> String {
    let records = &explanation.records;
    let count = |is: fn(&Explained) -> bool| records.iter().filter(|record| is(record)).count();
    let mut out = String::new();
    let _ = writeln!(out, "{}", paint.with(BOLD, &file.display().to_string()));
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {} {text}", paint.with(DIM, &format!("{name:<11}")));
    };
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
            count => format!("; {count} lines lack it"),
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
    let with_time = count(|record| record.time.is_some());
    let zoneless = count(|record| !record.has_zone);
    let mut times = format!("{with_time} of {} records", records.len());
    if zoneless > 0 {
        let _ = write!(times, "; {zoneless} name no zone and count as {zone}");
    }
    line("times", times);
    let far_off = count(|record| record.is_far_off);
    if let Some(wrong) = &explanation.wrong_zone {
        line("", wrong_zone(wrong));
    } else if far_off > 0 {
        line(
            "",
            format!("{far_off} are later than the file itself: is the zone right?"),
        );
    }
    let levels: Vec<String> = Level::ALL
        .iter()
        .filter_map(|level| {
            let count = records
                .iter()
                .filter(|record| record.level == Some(*level))
                .count();
            (count > 0).then(|| format!("{} {count}", level.name()))
        })
        .collect();
    line(
        "levels",
        if levels.is_empty() {
            "none".to_owned()
        } else {
            levels.join(", ")
        },
    );
    let fields = explanation.fields();
    if !fields.is_empty() {
        let more = fields.len().saturating_sub(MOST_FIELDS);
        let shown = fields.iter().take(MOST_FIELDS);
        let mut shown: Vec<String> = shown
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        shown.extend((more > 0).then(|| format!("… and {more} more")));
        line("fields", shown.join(", "));
    }
    let redacted: usize = records.iter().map(|record| record.redacted.len()).sum();
    if redacted > 0 {
        line("redacted", format!("{redacted} places"));
    }
    line("to force it", "the keys of an input".to_owned());
    for key in forced::keys(explanation, zone) {
        let _ = writeln!(out, "      {}", paint.with(CYAN, &key));
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
    let notes: Vec<&str> = record.pipe.into_iter().chain(record.trace).collect();
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

/// Colours, where they are seen.
#[derive(Debug, Clone, Copy)]
struct Paint {
    has_colour: bool,
}

impl Paint {
    fn new(is_json: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            has_colour: io::stdout().is_terminal() && !no_colour && !is_json,
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
