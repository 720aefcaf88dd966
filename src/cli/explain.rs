//! `pinnace explain`: shows how files would be cut into records and what is understood of each, by
//! a configuration or without one, sending nothing. Reads the files and prints JSON; what people
//! read is in `explain/print.rs`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::exit;
use crate::record::Time;
use crate::record::explain::{Dates, Explanation, explain, forced};
use crate::record::level::Level;
use crate::record::skew::{self, Sign};
use crate::record::stamp::{Shape, Stamp, whole};
use crate::source::generation::content::{from_beginning, gzip::is_gzip};

mod print;
mod ways;

use print::{Colour, Paint, as_text};
use ways::{Way, Ways};

/// So much of a file is looked at.
const MOST: u64 = 4 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Log files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Configuration file (YAML): each log is explained by the input that reads it. Without it:
    /// as if nothing were configured.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Explain by this input of the configuration, whether it reads the log or not.
    #[arg(long, value_name = "NAME", requires = "config")]
    input: Option<String>,
    /// The zone of timestamps that name none, such as Europe/Paris. Without it: what the
    /// configuration says, else `TZ`, else the zone of this machine, else UTC.
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// When the files were last written, in RFC 3339, instead of what the system says. Dates and
    /// years that timestamps lack come from it.
    #[arg(long, value_name = "TIME")]
    written: Option<String>,
    /// Show so many records of each file; 0 shows all.
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    records: usize,
    /// Whether to print in colours: `auto` does on a terminal, unless `NO_COLOR` is set.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Colour,
    /// Print JSON: one object for each file, with all records.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let mut ways = match Ways::of(arguments) {
        Ok(ways) => ways,
        Err((code, sentence)) => {
            tell(&sentence);
            return code;
        }
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
            tell(&format!(
                "--written \"{text}\" is no moment: write for example 2026-11-22T22:08:23Z"
            ));
            return exit::USAGE;
        }
    };
    let paint = Paint::new(arguments.color);
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
        let ways = match ways.for_file(file) {
            Ok(ways) => ways,
            Err(sentence) => {
                code = tell(&sentence);
                continue;
            }
        };
        for way in ways {
            let mut explanation =
                explain(&bytes, way.max_line, &way.rules, &mut way.redactor, dates);
            // What was written last is not among what was read.
            explanation.wrong_zone = explanation.wrong_zone.filter(|_| is_all);
            let text = if arguments.json {
                as_json(file, &explanation, way)
            } else {
                as_text(file, &explanation, way, is_all, arguments.records, paint)
            };
            let mut out = io::stdout().lock();
            let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            code = code.max(super::schema::code_after(exit::OK, &printed));
        }
    }
    code
}

fn tell(sentence: &str) -> u8 {
    let _ = writeln!(io::stderr(), "{sentence}");
    exit::FAILED
}

/// The beginning of a file, or of what is packed in it, up to its last whole line, whether that is
/// all, and when it was made and last written.
fn read(path: &Path) -> io::Result<(Vec<u8>, bool, Dates)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // By name and content, as the agent tells.
    let has_name = path.extension().is_some_and(|it| it == "gz");
    let is_gzip = has_name && is_gzip(&file)?;
    // When a gzip was made says nothing of when its content was begun.
    let made = metadata.created().ok().filter(|_| !is_gzip);
    let dates = Dates {
        made: made.map(Time::from),
        written: metadata.modified().map_or(Time::default(), Time::from),
    };
    let mut bytes = Vec::new();
    from_beginning(file, is_gzip)
        .take(MOST + 1)
        .read_to_end(&mut bytes)?;
    let is_all = bytes.len() as u64 <= MOST;
    if !is_all {
        let end = memchr::memrchr(b'\n', &bytes).map_or(bytes.len(), |at| at + 1);
        bytes.truncate(end);
    }
    Ok((bytes, is_all, dates))
}

fn as_json(file: &Path, explanation: &Explanation, way: &Way) -> String {
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
                "let_go_by": record.let_go_by,
                "fields": record.fields.iter().cloned().collect::<BTreeMap<_, _>>(),
            })
        })
        .collect();
    let value = json!({
        "file": file.to_string_lossy(),
        "envelope": explanation.envelope,
        "broken_envelopes": explanation.broken,
        "input": way.input,
        "timezone": way.zone,
        "wrong_zone": explanation.wrong_zone.as_ref().map(|wrong| json!({
            "ahead_by": skew::in_words(wrong.quarters),
            "is_certain": wrong.sign != Sign::EarlierAtTheEnd,
            "written_in": wrong.written_in,
            "example": wrong.example,
        })),
        "configuration": forced::keys(explanation, &way.zone),
        "records": records,
    });
    format!("{value}\n")
}
