//! What is said at the end: what is left and why, to the log and to the file that Kubernetes shows
//! as the container's last message. Delivers nothing.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use crate::observe::health::{Blocked, OutputHealth};
use crate::source::Why;
use crate::worker::{Left, Unopened};

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
    let (owed, waiting): (Vec<_>, Vec<_>) = left.iter().partition(|left| left.is_owed());
    if owed.is_empty() {
        tracing::info!("stopped: every complete line is delivered");
    }
    for left in waiting {
        tracing::info!(
            output = left.output,
            bytes = left.bytes,
            "a last line without its line end waits for the rest"
        );
    }
    let mut last_words = String::new();
    let mut sums = Vec::new();
    for left in owed {
        let health = outputs.iter().find(|it| it.name == left.output);
        let blocked = health.and_then(|it| it.blocked());
        let why = why_owed(left, blocked);
        let (output, bytes) = (&left.output, left.all_bytes());
        tracing::warn!(
            output,
            bytes,
            why,
            "stopped in time, with lines not yet delivered: they are sent after the next start, if the files are still there"
        );
        let _ = writeln!(
            last_words,
            "output {output}: {bytes} bytes are not delivered: {why}"
        );
        sums.push(format!("{bytes} bytes to output {output}"));
    }
    if !sums.is_empty() {
        note(termination_log, &last_words);
        tracing::warn!(
            "stopped, not delivered: {}; no fault of the agent, so the exit code is 0",
            sums.join(", ")
        );
    }
}

/// Why not all is delivered to an output.
fn why_owed(left: &Left, blocked: Option<Blocked>) -> String {
    let of_open = blocked.map_or_else(|| "the time was up".to_owned(), |it| it.sentence);
    let of_open = left.has_lines.then_some(of_open);
    let outside = left.outside.iter();
    let outside = outside.map(|(why, unopened)| why_not_open(*why, unopened));
    let all: Vec<_> = of_open.into_iter().chain(outside).collect();
    all.join("; ")
}

fn why_not_open(why: Why, unopened: &Unopened) -> String {
    let Unopened {
        files,
        bytes,
        example,
    } = unopened;
    let plural = if *files == 1 { "" } else { "s" };
    let files = format!("{files} file{plural} with {bytes} bytes");
    let example = example.display();
    match why {
        Why::NoRoom => format!(
            "{files} waited for others to be closed, {example} among them: raise the limit of open files (ulimit -n, LimitNOFILE)"
        ),
        Why::Unjudged => {
            format!("of {files} it is not known yet whether they are copies: {example} is one")
        }
        Why::Fault => format!("{files} cannot be opened, {example} among them"),
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
