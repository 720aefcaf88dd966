//! What is said at the end: what is left and why, to the log and to the file that Kubernetes shows
//! as the container's last message. Delivers nothing.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use crate::observe::health::OutputHealth;
use crate::worker::Left;

/// Where Kubernetes looks unless the pod says otherwise.
const TERMINATION_LOG: &str = "/dev/termination-log";
/// More than this Kubernetes does not keep, in bytes.
const LONGEST: usize = 4096;

/// Says what is left of each output.
pub(super) fn say_what_is_left(
    left: &[Left],
    outputs: &[Arc<OutputHealth>],
    termination_log: Option<&Path>,
) {
    if left.iter().all(|left| !left.has_lines) {
        tracing::info!("stopped: every complete line is delivered");
    }
    let mut last_words = String::new();
    let mut owed = Vec::new();
    for left in left {
        if left.has_lines {
            let health = outputs.iter().find(|it| it.name == left.output);
            let why = health
                .and_then(|it| it.blocked())
                .map_or_else(|| "the time was up".to_owned(), |it| it.sentence);
            tracing::warn!(
                output = left.output,
                bytes = left.bytes,
                why,
                "stopped in time, with lines not yet delivered: they are sent after the next start, if the files are still there"
            );
            let _ = writeln!(
                last_words,
                "output {}: {} bytes are not delivered: {why}",
                left.output, left.bytes
            );
            owed.push(format!("{} bytes to output {}", left.bytes, left.output));
        } else {
            tracing::info!(
                output = left.output,
                bytes = left.bytes,
                "a last line without its line end waits for the rest"
            );
        }
    }
    if !owed.is_empty() {
        note(termination_log, &last_words);
        tracing::warn!(
            "stopped, not delivered: {}; no fault of the agent, so the exit code is 0",
            owed.join(", ")
        );
    }
}

/// Writes the last words, to the usual place only where it is there.
pub(super) fn note(termination_log: Option<&Path>, text: &str) {
    let path = termination_log.unwrap_or(Path::new(TERMINATION_LOG));
    let text = &text[..text.floor_char_boundary(LONGEST)];
    let written = OpenOptions::new()
        .write(true)
        .truncate(true)
        .create(termination_log.is_some())
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Err(error) if termination_log.is_some() || error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot write the termination log");
        }
        _ => {}
    }
}
