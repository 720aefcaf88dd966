//! What the worker works by, and the change to another configuration while it runs. A change is
//! a restart that keeps its files open: batches on their way are taken up from the journal and
//! go out as they are, and every output begins in every file where the journal says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::care::Care;
use super::opening::Opening;
use super::regaining::Regained;
use super::{Lane, Worker};
use crate::config::{AfterDelivery, Disk, HoldDeleted, ReadFrom, Shutdown};
use crate::dead_letters::DeadLetters;
use crate::journal::Journal;
use crate::source::{Generation, Moment, Place};

/// After a change of a file, further ones are gathered for this long instead of waking for each.
const LONGEST_GATHER: Duration = Duration::from_millis(100);
/// So long a change of the configuration waits for answers to what is on its way.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// What the worker needs of a configuration.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Which files are read.
    pub(crate) inputs: Vec<InputFacts>,
    /// Where their lines go.
    pub(crate) outputs: Vec<Lane>,
    /// How long changes of files are gathered.
    pub(crate) gather: Duration,
    /// What happens between SIGTERM and the end.
    pub(crate) shutdown: Shutdown,
    /// Where refused records go.
    pub(crate) dead_letters: DeadLetters,
}

/// What is needed of an input's configuration.
#[derive(Debug)]
pub(crate) struct InputFacts {
    /// Its name.
    pub(crate) name: String,
    /// Globs of the files to read.
    pub(crate) include: Vec<String>,
    /// Globs of files to leave alone.
    pub(crate) exclude: Vec<String>,
    /// Where to begin in files never seen before.
    pub(crate) read_from: ReadFrom,
    /// Texts for templates.
    pub(crate) fields: BTreeMap<String, String>,
    /// How long deleted files are held.
    pub(crate) hold_deleted: HoldDeleted,
    /// What becomes of rotated files that are delivered.
    pub(crate) after_delivery: AfterDelivery,
    /// How much its files may take.
    pub(crate) disk: Disk,
}

impl Settings {
    /// How long to gather changes, for outputs of which the most impatient waits so long.
    pub(crate) fn gather_for(shortest_wait: Duration) -> Duration {
        (shortest_wait / 4).clamp(Duration::from_millis(2), LONGEST_GATHER)
    }

    /// Of each input the name, what to include, and what to exclude.
    pub(super) fn patterns(&self) -> impl Iterator<Item = (&str, &[String], &[String])> {
        let inputs = self.inputs.iter();
        inputs.map(|it| (it.name.as_str(), &it.include[..], &it.exclude[..]))
    }
}

/// No batches are made: the configuration is about to change.
#[derive(Debug)]
pub(super) struct Pause {
    until: Instant,
    reply: Option<oneshot::Sender<()>>,
}

impl Pause {
    pub(super) fn new(reply: oneshot::Sender<()>, now: Instant) -> Self {
        Self {
            until: now + LONGEST_PAUSE,
            reply: Some(reply),
        }
    }

    /// When it is answered at the latest; nothing once it is.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.reply.as_ref().map(|_| self.until)
    }
}

impl Worker {
    pub(super) fn answer_pause(&mut self, now: Instant) {
        let mut outputs = self.outputs.iter();
        let is_all_answered = outputs.all(|it| it.dispatcher.in_flight().1 == 0);
        if let Some(pause) = &mut self.pause
            && (is_all_answered || now >= pause.until)
            && let Some(reply) = pause.reply.take()
        {
            // Whoever asked may have been told to end meanwhile.
            let _ = reply.send(());
        }
    }

    /// Goes on by other settings.
    pub(super) fn change(&mut self, settings: Settings, at: Moment) {
        self.journal.commit(at.now);
        let dropped = self.source.set_inputs(settings.patterns());
        self.say_what_is_dropped(&dropped);
        self.opening = Opening::new(settings.inputs, &self.journal);
        self.outputs = settings.outputs;
        self.give_up_batches(at);
        self.care = Care::new(at.now);
        self.gather = settings.gather;
        self.shutdown = settings.shutdown;
        self.dead_letters = settings.dead_letters;
        self.pause = None;
        // It is of the old outputs; a later start will know what was before.
        self.regained = Regained::default();
        let kept: Vec<_> = self
            .source
            .generations()
            .map(|it| (it.id, it.place))
            .collect();
        for (id, place) in kept {
            self.open(id, at);
            if place == Place::Gone {
                for output in &mut self.outputs {
                    output.dispatcher.abandon(id, at.now);
                }
            }
        }
        self.begin(at);
        if self.ending.is_some() {
            for output in &mut self.outputs {
                output.dispatcher.flush(at.now);
            }
        }
    }

    /// Files that no input means any more, with lines that were not delivered.
    fn say_what_is_dropped(&self, dropped: &[Generation]) {
        for generation in dropped {
            for output in &self.outputs {
                let Some(progress) = output.dispatcher.progress(generation.id) else {
                    continue;
                };
                let bytes = generation.size.saturating_sub(progress.done);
                if bytes > 0 {
                    tracing::warn!(
                        path = %generation.path.display(),
                        output = output.dispatcher.name(),
                        bytes,
                        "no input means this file any more: what is not delivered of it stays where it is, and is delivered if it is meant again"
                    );
                }
            }
        }
    }

    /// Outputs of earlier runs that the configuration no longer has: what they did not get.
    pub(super) fn say_what_removed_outputs_miss(&self) {
        for (output, bytes) in owed_to_removed(&self.journal, &self.outputs, |id| {
            self.source.get(id).map(|it| it.size)
        }) {
            tracing::warn!(
                output,
                bytes,
                "an output of an earlier configuration is gone: so many bytes of the files that are there were not delivered to it; it goes on there if it comes back under this name"
            );
        }
    }
}

/// What outputs that are no longer configured were not given of open files, in bytes.
fn owed_to_removed(
    journal: &Journal,
    outputs: &[Lane],
    size: impl Fn(crate::span::GenerationId) -> Option<u64>,
) -> BTreeMap<String, u64> {
    let state = journal.state();
    let configured: BTreeSet<&str> = outputs.iter().map(|it| it.dispatcher.name()).collect();
    let removed: BTreeSet<&str> = state
        .routes
        .iter()
        .map(|route| route.output.as_str())
        .filter(|output| !configured.contains(output))
        .collect();
    let mut owed = BTreeMap::new();
    for (id, known) in &state.generations {
        let Some(size) = size(*id) else { continue };
        for output in removed.iter().filter(|&&output| {
            let input = known.identity.input.as_str();
            let mut routes = state.routes.iter();
            routes.any(|it| it.input == input && it.output == output)
        }) {
            let done = known.cursors.get(output);
            let done = done.map_or(0, |cursor| cursor.position.offset);
            let missing = size.saturating_sub(done);
            if missing > 0 {
                *owed.entry((*output).to_owned()).or_default() += missing;
            }
        }
    }
    owed
}
