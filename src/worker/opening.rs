//! Where each output begins in a file: at its cursor, at the beginning, or at the end of what
//! was there before it was ever asked to read it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::{InputFacts, Lane};
use crate::config::{HoldDeleted, ReadFrom};
use crate::dispatch::Start;
use crate::dispatch::containers::Container;
use crate::dispatch::naming::{Merged, Values};
use crate::journal::{Cursor, Entry, Identity, Journal, Route};
use crate::observe::metrics::Metrics;
use crate::source::finding::twice;
use crate::source::{Generation, Moment};
use crate::span::GenerationId;

/// Knows where to begin.
#[derive(Debug)]
pub(super) struct Opening {
    inputs: Vec<InputFacts>,
    hostname: String,
    /// What outputs took which inputs in earlier runs.
    earlier: BTreeSet<Route>,
    is_first_look: bool,
    /// Two inputs and an output that sends a file of both twice: it was told.
    told_twice: BTreeSet<([usize; 2], String)>,
}

impl Opening {
    /// For these inputs.
    pub(super) fn new(inputs: Vec<InputFacts>, journal: &Journal) -> Self {
        let earlier = journal.state().routes.clone();
        let hostname = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        Self {
            inputs,
            hostname,
            earlier,
            is_first_look: true,
            told_twice: BTreeSet::new(),
        }
    }

    /// The inputs.
    pub(super) fn inputs(&self) -> &[InputFacts] {
        &self.inputs
    }

    /// How long an input's deleted files are held.
    pub(super) fn hold_deleted(&self, input: usize) -> Option<HoldDeleted> {
        self.inputs.get(input).map(|input| input.hold_deleted)
    }

    /// Whether an output took an input in an earlier run.
    pub(super) fn was_taken(&self, input: &str, output: &str) -> bool {
        self.earlier.contains(&Route {
            input: input.to_owned(),
            output: output.to_owned(),
        })
    }

    /// Lets every output that takes it begin with a generation.
    pub(super) fn open(
        &self,
        generation: &Generation,
        outputs: &mut [Lane],
        journal: &mut Journal,
        metrics: &Metrics,
        at: Moment,
    ) {
        let Some(input) = self.inputs.get(generation.input) else {
            return;
        };
        if generation.has_lost_end {
            go_on_at_end(generation, journal);
        }
        let values = self.values(input, &generation.origin);
        for output in outputs.iter_mut() {
            if !output.dispatcher.takes(generation.input) {
                continue;
            }
            let start = self.start(input, generation, output.dispatcher.name(), journal);
            let named = output.dispatcher.naming().name(&values, at.now);
            if named.merged != Merged::No {
                let output = output.dispatcher.name();
                metrics.count_merged(output);
                if named.merged == Merged::News {
                    tracing::warn!(
                        output,
                        path = %generation.path.display(),
                        "max_streams is reached: the lines of files like this one go to a stream without the labels that differ by file, which become structured metadata; take such a label out, or raise max_streams"
                    );
                }
            }
            output.dispatcher.open(generation, start, named, at.now);
        }
    }

    /// Tells of outputs that send a file twice because other inputs read it too; once for each two
    /// inputs.
    pub(super) fn tell_if_twice(
        &mut self,
        generation: &Generation,
        others: impl Iterator<Item = usize>,
        outputs: &[Lane],
    ) {
        for other in others {
            let pair = [generation.input.min(other), generation.input.max(other)];
            let [Some(first), Some(second)] = pair.map(|it| self.inputs.get(it)) else {
                continue;
            };
            for output in outputs.iter().map(|it| &it.dispatcher) {
                let is_twice = pair.iter().all(|input| output.takes(*input));
                if is_twice && self.told_twice.insert((pair, output.name().to_owned())) {
                    let inputs = [&*first.name, &*second.name];
                    tracing::warn!(
                        "{}",
                        twice::sentence(inputs, output.name(), &generation.path)
                    );
                }
            }
        }
    }

    fn values<'a>(&'a self, input: &'a InputFacts, path: &'a Path) -> Values<'a> {
        Values {
            input: &input.name,
            path,
            container: Container::of(path),
            hostname: &self.hostname,
            fields: &input.fields,
        }
    }

    /// Tells every output up to which time its streams were filled in earlier runs, whichever
    /// file they were filled from: time goes on from there, wherever the clock stands by now.
    pub(super) fn recall_times(&self, journal: &Journal, outputs: &mut [Lane]) {
        for known in journal.state().generations.values() {
            let mut inputs = self.inputs.iter();
            let Some(input) = inputs.find(|it| it.name == known.identity.input) else {
                continue;
            };
            for output in outputs.iter_mut() {
                if let Some(cursor) = known.cursors.get(output.dispatcher.name()) {
                    let values = self.values(input, &known.identity.path);
                    let stream = output.dispatcher.naming().own_stream(&values);
                    output
                        .dispatcher
                        .note_ended(stream.into(), cursor.last_time);
                }
            }
        }
        // What is delivered before an earlier batch moves no cursor yet. What is not delivered goes out
        // again, or its lines are read again.
        let state = journal.state();
        let delivered = state
            .sealed()
            .filter(|(id, _)| !state.is_unacknowledged(*id));
        for (_, seal) in delivered {
            let mut outputs = outputs.iter_mut();
            if let Some(output) = outputs.find(|it| it.dispatcher.name() == seal.output) {
                let stream = Arc::new(seal.stream.clone());
                output.dispatcher.note_ended(stream, seal.last_time);
            }
        }
    }

    fn start(
        &self,
        input: &InputFacts,
        generation: &Generation,
        output: &str,
        journal: &mut Journal,
    ) -> Start {
        if let Some(read) = journal.state().read_from(generation.id, output) {
            let cursor = journal.state().cursor_of(generation.id, output);
            let done = cursor.map_or(0, |cursor| cursor.position.offset);
            return Start {
                read: read.position,
                done,
                last_time: read.last_time,
                learned: read.learned,
            };
        }
        let route = Route {
            input: input.name.clone(),
            output: output.to_owned(),
        };
        let is_new_to_both = self.is_first_look && !self.earlier.contains(&route);
        if input.read_from == ReadFrom::Beginning || !is_new_to_both {
            return Start::default();
        }
        match generation.position_at_end() {
            Ok(position) => {
                let cursor = Cursor {
                    position,
                    ..Cursor::default()
                };
                journal.append(&Entry::Cursor(generation.id, output.to_owned(), cursor));
                note_skipped(generation.id, position.offset, journal);
                Start {
                    read: position,
                    done: position.offset,
                    ..Start::default()
                }
            }
            // Rather too much than too little.
            Err(_) => Start::default(),
        }
    }

    /// Files that appear from now on are read from their beginning, in this run and in later
    /// ones.
    pub(super) fn first_look_done(&mut self, journal: &mut Journal, outputs: &[Lane]) {
        self.is_first_look = false;
        for (index, input) in self.inputs.iter().enumerate() {
            for output in outputs
                .iter()
                .filter(|output| output.dispatcher.takes(index))
            {
                let output = output.dispatcher.name().to_owned();
                let route = Route {
                    input: input.name.clone(),
                    output,
                };
                if !self.earlier.contains(&route) {
                    journal.append(&Entry::Route(route));
                }
            }
        }
    }
}

/// Lets every output that has delivered more of a file than is in it go on where it ends.
fn go_on_at_end(generation: &Generation, journal: &mut Journal) {
    let (id, end) = (generation.id, generation.size);
    let known = journal.state().generations.get(&id);
    let cursors = known.into_iter().flat_map(|known| known.cursors.iter());
    let beyond = cursors.filter(|(_, cursor)| cursor.position.offset > end);
    let beyond: Vec<_> = beyond.map(|(name, it)| (name.to_owned(), *it)).collect();
    let furthest = beyond.iter().map(|(_, it)| it.position.offset).max();
    // What cannot be read now is read from its beginning once it can be.
    let (Some(furthest), Ok(position)) = (furthest, generation.position(end)) else {
        return;
    };
    let path = generation.path.display();
    tracing::warn!(%path, bytes = furthest - end, "the file has lost its end with the power; what it lacks was delivered, and it is read on where it ends now");
    for (output, cursor) in beyond {
        let cursor = Cursor {
            position,
            last_time: cursor.last_time,
            learned: cursor.learned.without_records(),
        };
        journal.append(&Entry::Cursor(id, output, cursor));
    }
}

/// Takes note of bytes that are in a file and that an output was never to get.
fn note_skipped(id: GenerationId, bytes: u64, journal: &mut Journal) {
    let known = journal.state().generations.get(&id);
    let Some(identity) = known.map(|known| known.identity.clone()) else {
        return;
    };
    let identity = Identity {
        skipped: identity.skipped.max(bytes),
        ..identity
    };
    journal.append(&Entry::Generation(id, identity));
}
