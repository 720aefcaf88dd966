//! `pinnace journal`: shows and checks the state on disk, without the agent and beside it. Never
//! changes anything.

use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::batch::parts::{Fate, Parts};
use crate::batch::{BatchId, StreamName};
use crate::config::{self, Environment, Source};
use crate::exit;
use crate::journal::Seal;
use crate::journal::inspection::{Body, Inspection, inspect};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print what is known: files, how far each is delivered, batches on their way.
    Show(Place),
    /// Check the journal and all bodies; say what is damaged and what that costs.
    Verify(Place),
}

#[derive(Debug, clap::Args)]
struct Place {
    #[command(flatten)]
    config: super::ConfigArgument,
    /// The state directory, instead of the one in the configuration.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    state_dir: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> u8 {
    let (Command::Show(place) | Command::Verify(place)) = &arguments.command;
    let dir = match state_dir(place) {
        Ok(dir) => dir,
        Err(sentence) => {
            tell(&sentence);
            return exit::CONFIG;
        }
    };
    let inspection = match inspect(&dir) {
        Ok(Some(inspection)) => inspection,
        Ok(None) => return tell(&format!("there is no journal in {}", dir.display())),
        Err(error) => return tell(&error.to_string()),
    };
    let (code, text) = match (&arguments.command, place.json) {
        (Command::Show(_), false) => (exit::OK, shown(&dir, &inspection)),
        (Command::Show(_), true) => (exit::OK, shown_as_json(&dir, &inspection)),
        (Command::Verify(_), is_json) => {
            let is_whole = inspection.damage.is_empty();
            let text = if is_json {
                verdict_as_json(&dir, &inspection)
            } else {
                verdict(&dir, &inspection)
            };
            (if is_whole { exit::OK } else { exit::FAILED }, text)
        }
    };
    let mut out = io::stdout().lock();
    let printed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    super::schema::code_after(code, &printed)
}

/// The state directory; a sentence where the configuration that was named cannot be read.
fn state_dir(place: &Place) -> Result<PathBuf, String> {
    if let Some(dir) = &place.state_dir {
        return Ok(dir.clone());
    }
    let environment = Environment::from_process();
    let named = place.config.config.as_deref();
    let source = Source::find(named, &environment);
    if let (Some(_), Some(found)) = (named, source.unreadable()) {
        return Err(format!("{} cannot be read: {found}", source.name()));
    }
    Ok(match config::load(&source, &environment) {
        Ok(config) => config.state_dir,
        // What is wrong elsewhere in the configuration does not matter here.
        Err(_) => config::places_at_best(&source, &environment).0,
    })
}

fn tell(sentence: &str) -> u8 {
    let _ = writeln!(io::stderr().lock(), "{sentence}");
    exit::STATE
}

fn shown(dir: &Path, inspection: &Inspection) -> String {
    let state = &inspection.state;
    let mut lines = vec![format!("state directory {}", dir.display())];
    for segment in &inspection.segments {
        let role = if segment.is_current {
            "this is the state"
        } else {
            "the other segment"
        };
        lines.push(match segment.epoch {
            Some(epoch) => format!(
                "  {}: epoch {epoch}, {} entries, {role}",
                segment.name, segment.entries
            ),
            None => format!("  {}: cannot be read", segment.name),
        });
    }
    lines.push(format!("generations: {}", state.generations.len()));
    for (id, known) in &state.generations {
        let identity = &known.identity;
        lines.push(format!(
            "  {id} {} (input {}, inode {}, first {} bytes known)",
            identity.path.display(),
            identity.input,
            identity.inode,
            identity.head.len
        ));
        for (output, cursor) in known.cursors.iter() {
            lines.push(format!(
                "    {output}: delivered up to byte {}",
                cursor.position.offset
            ));
        }
        if known.cursors.iter().next().is_none() {
            lines.push("    nothing is delivered yet".to_owned());
        }
    }
    lines.push(format!("batches on their way: {}", inspection.bodies.len()));
    for (id, seal) in state.unacknowledged() {
        lines.push(format!(
            "  batch {} to {}, {}: {} records, {}",
            id.0,
            seal.output,
            seal.stream,
            seal.records,
            body_in_words(inspection, id, seal)
        ));
        for span in &seal.spans {
            lines.push(format!(
                "    {} bytes {} to {}",
                span.generation, span.start, span.end.offset
            ));
        }
        if let Some(parts) = state.parts_of(id).filter(|parts| !parts.is_whole()) {
            for (range, fate) in parts.settled() {
                let word = fate_in_a_word(*fate);
                lines.push(format!("    records {} {word}", in_words(range)));
            }
            for range in parts.owed(seal.records) {
                lines.push(format!("    records {} owed", in_words(&range)));
            }
        }
    }
    let routes = state.routes.iter();
    let routes: Vec<_> = routes
        .map(|it| format!("{} to {}", it.input, it.output))
        .collect();
    lines.push(format!("routes: {}", routes.join(", ")));
    lines.join("\n") + "\n"
}

/// Records as people count them.
fn in_words(range: &Range<u32>) -> String {
    format!("{} to {}", range.start + 1, range.end)
}

fn fate_in_a_word(fate: Fate) -> &'static str {
    match fate {
        Fate::Delivered => "delivered",
        Fate::Refused => "refused",
    }
}

fn parts_as_json(parts: &Parts, records: u32) -> Vec<serde_json::Value> {
    let part = |range: &Range<u32>, fate: &str| json!({ "from": range.start, "until": range.end, "fate": fate });
    let settled = parts.settled().iter();
    let owed = parts.owed(records);
    settled
        .map(|(range, fate)| part(range, fate_in_a_word(*fate)))
        .chain(owed.iter().map(|range| part(range, "owed")))
        .collect()
}

fn body_in_words(inspection: &Inspection, id: BatchId, seal: &Seal) -> String {
    match (inspection.bodies.get(&id), seal.body) {
        (Some(Body::Present), Some(extent)) => format!("body of {} bytes present", extent.len),
        (_, Some(extent)) => format!("body of {} bytes LOST", extent.len),
        (_, None) => "body NOT KEPT".to_owned(),
    }
}

fn shown_as_json(dir: &Path, inspection: &Inspection) -> String {
    let state = &inspection.state;
    let generations = state.generations.iter().map(|(id, known)| {
        let cursors: serde_json::Map<_, _> = known
            .cursors
            .iter()
            .map(|(output, cursor)| {
                let value = json!({
                    "offset": cursor.position.offset,
                    "last_time_ns": cursor.last_time.0,
                });
                (output.to_owned(), value)
            })
            .collect();
        json!({
            "generation": id.0,
            "input": known.identity.input,
            "path": known.identity.path.to_string_lossy(),
            "device": known.identity.device,
            "inode": known.identity.inode,
            "head_bytes": known.identity.head.len,
            "seen_ns": known.identity.seen.0,
            "size": known.identity.size,
            "cursors": cursors,
        })
    });
    let batches = state.unacknowledged().map(|(id, seal)| {
        let spans = seal.spans.iter().map(|span| {
            json!({
                "generation": span.generation.0,
                "start": span.start,
                "end": span.end.offset,
            })
        });
        let stream = match &seal.stream {
            StreamName::Loki { labels } => json!({ "labels": labels }),
            StreamName::CloudWatch { group, stream } => json!({ "group": group, "stream": stream }),
        };
        json!({
            "batch": id.0,
            "output": seal.output,
            "stream": stream,
            "spans": spans.collect::<Vec<_>>(),
            "records": seal.records,
            "first_time_ns": seal.first_time.0,
            "last_time_ns": seal.last_time.0,
            "body": body_in_a_word(inspection, id),
            "body_bytes": seal.body.map(|extent| extent.len),
            "parts": state.parts_of(id).map(|parts| parts_as_json(parts, seal.records)),
        })
    });
    let routes = state.routes.iter();
    let routes = routes.map(|it| json!({ "input": it.input, "output": it.output }));
    json!({
        "state_dir": dir.to_string_lossy(),
        "segments": segments_as_json(inspection),
        "generations": generations.collect::<Vec<_>>(),
        "batches": batches.collect::<Vec<_>>(),
        "routes": routes.collect::<Vec<_>>(),
    })
    .to_string()
        + "\n"
}

fn body_in_a_word(inspection: &Inspection, id: BatchId) -> &'static str {
    match inspection.bodies.get(&id) {
        Some(Body::Present) => "present",
        Some(Body::NotKept) => "not_kept",
        Some(Body::Lost) | None => "lost",
    }
}

fn segments_as_json(inspection: &Inspection) -> Vec<serde_json::Value> {
    let segments = inspection.segments.iter();
    segments
        .map(|it| {
            json!({
                "name": it.name,
                "epoch": it.epoch,
                "entries": it.entries,
                "is_current": it.is_current,
            })
        })
        .collect()
}

fn verdict(dir: &Path, inspection: &Inspection) -> String {
    let mut lines = Vec::new();
    if inspection.damage.is_empty() {
        lines.push(format!(
            "{} is whole: {} generations, {} batches on their way, all with their bodies",
            dir.display(),
            inspection.state.generations.len(),
            inspection.bodies.len()
        ));
    } else {
        lines.push(format!("{} is damaged:", dir.display()));
        lines.extend(inspection.damage.iter().map(|it| format!("- {it}.")));
    }
    lines.extend(inspection.notes.iter().map(|it| format!("note: {it}.")));
    lines.join("\n") + "\n"
}

fn verdict_as_json(dir: &Path, inspection: &Inspection) -> String {
    json!({
        "state_dir": dir.to_string_lossy(),
        "whole": inspection.damage.is_empty(),
        "damage": inspection.damage,
        "notes": inspection.notes,
        "segments": segments_as_json(inspection),
        "generations": inspection.state.generations.len(),
        "batches": inspection.bodies.len(),
    })
    .to_string()
        + "\n"
}
