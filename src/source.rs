//! Which files there are and which life of theirs is meant. Owns the open files and the watches;
//! opens rotated files even while nobody reads, so that none slips away. Moves no cursor: it
//! tells what changed, and hands out bytes to whoever reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::journal::{Entry, Identity, Journal};
use crate::record::Time;
use crate::span::GenerationId;
use discover::{Found, Globs};
use generation::{FileKey, Look};
pub(crate) use generation::{Generation, Place};
use problems::Problems;

pub(crate) mod discover;
mod generation;
mod problems;
pub(crate) mod reader;
mod recognise;
pub(crate) mod rotation;
mod times;
mod watch;

/// How often everything is looked at in case an event was missed.
const RECONCILE_EVERY: Duration = Duration::from_secs(10);
/// The same where no events come.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How often files without a name are looked at: nothing tells of their changes.
const RETIRED_EVERY: Duration = Duration::from_secs(1);

/// An input as the source needs it.
#[derive(Debug)]
struct Input {
    name: String,
    globs: Globs,
}

/// What happened to a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is open now. The journal may know it from an earlier run.
    Opened(GenerationId),
    /// There is more of it.
    Grew(GenerationId),
    /// There is less of it than was seen: whoever has read further must begin anew.
    Shrunk(GenerationId),
    /// Its last line is complete as it is.
    Over(GenerationId),
}

/// The files of all inputs.
#[derive(Debug)]
pub(crate) struct Source {
    inputs: Vec<Input>,
    generations: BTreeMap<GenerationId, Generation>,
    by_key: HashMap<(usize, FileKey), GenerationId>,
    by_path: HashMap<(usize, PathBuf), GenerationId>,
    watch: watch::Watch,
    problems: Problems,
    next_walk: Instant,
    next_retired: Instant,
    has_walked: bool,
}

/// The moment of a look, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// For intervals.
    pub(crate) now: Instant,
    /// For records.
    pub(crate) time: Time,
}

impl Moment {
    /// This moment.
    pub(crate) fn now() -> Self {
        Self {
            now: Instant::now(),
            time: SystemTime::now().into(),
        }
    }
}

impl Source {
    /// A source of the files that these inputs mean; each is a name, what to include, and what
    /// to exclude.
    pub(crate) fn new<'a>(
        inputs: impl Iterator<Item = (&'a str, &'a [String], &'a [String])>,
        now: Instant,
    ) -> Self {
        let inputs = inputs
            .map(|(name, include, exclude)| Input {
                name: name.to_owned(),
                globs: Globs::new(include, exclude),
            })
            .collect();
        Self {
            inputs,
            generations: BTreeMap::new(),
            by_key: HashMap::new(),
            by_path: HashMap::new(),
            watch: watch::Watch::new(),
            problems: Problems::default(),
            next_walk: now,
            next_retired: now + RETIRED_EVERY,
            has_walked: false,
        }
    }

    /// The generation with this number, if its file is open.
    pub(crate) fn get(&self, id: GenerationId) -> Option<&Generation> {
        self.generations.get(&id)
    }

    /// All open generations, oldest first.
    pub(crate) fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.generations.values()
    }

    /// The name of an input.
    pub(crate) fn input_name(&self, input: usize) -> &str {
        self.inputs.get(input).map_or("", |input| &input.name)
    }

    /// Becomes readable when something changed.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.watch.descriptor()
    }

    /// When [`Source::look_when_due`] has something to do.
    pub(crate) fn next_due(&self) -> Instant {
        let has_retired = self
            .generations
            .values()
            .any(|generation| !generation.is_at_home());
        if has_retired {
            self.next_walk.min(self.next_retired)
        } else {
            self.next_walk
        }
    }

    /// What cannot be read at the moment, and why files are polled.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().chain(self.watch.trouble())
    }

    /// Looks at what the system told of.
    pub(crate) fn look_at_events(&mut self, journal: &mut Journal, at: Moment) -> Vec<Change> {
        let touched = self.watch.drain();
        if touched.needs_walk {
            return self.walk(journal, at);
        }
        let mut changes = Vec::new();
        let mut moved = BTreeSet::new();
        for path in &touched.names {
            for input in 0..self.inputs.len() {
                let known = self.by_path.get(&(input, path.clone())).copied();
                if known.is_some() || self.inputs[input].globs.matches(path) {
                    self.look_at_path(input, path, journal, at, &mut changes);
                }
                let after = self.by_path.get(&(input, path.clone())).copied();
                if known != after || after.is_none() {
                    moved.extend(known);
                }
            }
            if let Some(folder) = path.parent() {
                moved.extend(self.retired_in(folder));
            }
        }
        for id in moved {
            self.settle(id, at, &mut changes);
        }
        changes
    }

    /// Looks at everything, or at the files without a name, when it is time.
    pub(crate) fn look_when_due(&mut self, journal: &mut Journal, at: Moment) -> Vec<Change> {
        if at.now >= self.next_walk {
            return self.walk(journal, at);
        }
        let mut changes = Vec::new();
        if at.now >= self.next_retired {
            self.next_retired = at.now + RETIRED_EVERY;
            self.look_at_retired(at, &mut changes);
        }
        changes
    }

    /// Looks at everything that the inputs mean.
    pub(crate) fn walk(&mut self, journal: &mut Journal, at: Moment) -> Vec<Change> {
        self.problems.begin_look();
        let mut changes = Vec::new();
        let mut folders = BTreeSet::new();
        let mut files = Vec::new();
        // A folder that is new to the watch may have changed between listing and watching.
        for _ in 0..3 {
            files.clear();
            for (index, input) in self.inputs.iter().enumerate() {
                let mut found = Found::default();
                input.globs.walk(&mut found);
                files.extend(found.files.into_iter().map(|file| (index, file)));
                folders.extend(found.folders);
                for (folder, error) in found.problems {
                    self.problems.note(&folder, "list", &error);
                }
            }
            if !self.watch.set_folders(&folders) {
                break;
            }
            folders.clear();
        }
        let mut by_age: Vec<_> = files
            .into_iter()
            .map(|(input, path)| {
                let modified = std::fs::metadata(&path)
                    .ok()
                    .map(|it| generation::modified(&it));
                (modified, input, path)
            })
            .collect();
        by_age.sort();
        // A name that was not listed is only gone when the system says so of the name itself.
        let is_listed: BTreeSet<_> = by_age
            .iter()
            .map(|(_, input, path)| (*input, path))
            .collect();
        let missing: Vec<_> = self
            .by_path
            .keys()
            .filter(|(input, path)| !is_listed.contains(&(*input, path)))
            .cloned()
            .collect();
        for (input, path) in missing {
            self.look_at_path(input, &path, journal, at, &mut changes);
        }
        for (_, input, path) in by_age {
            self.look_at_path(input, &path, journal, at, &mut changes);
        }
        if !self.has_walked {
            self.has_walked = true;
            self.find_rotated_while_away(journal, at, &mut changes);
        }
        let ids: Vec<_> = self.generations.keys().copied().collect();
        for id in ids {
            self.settle(id, at, &mut changes);
        }
        let every = if self.watch.is_polled() {
            POLL_EVERY
        } else {
            RECONCILE_EVERY
        };
        self.next_walk = at.now + every;
        changes
    }

    /// Begins a new life for content that is no longer what it was. The old one is left without
    /// content; what of it is on its way can still be acknowledged.
    pub(crate) fn restart(
        &mut self,
        id: GenerationId,
        journal: &mut Journal,
        at: Moment,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let Some(old) = self.generations.get_mut(&id) else {
            return changes;
        };
        old.place_at(Place::Gone, at.now);
        let (input, path, key) = (old.input, old.path.clone(), old.key);
        self.by_key.remove(&(input, key));
        self.by_path.remove(&(input, path.clone()));
        if self.inputs[input].globs.matches(&path) {
            self.look_at_path(input, &path, journal, at, &mut changes);
        }
        changes
    }

    /// Nothing more is expected: every last line is complete as it is.
    pub(crate) fn end_all(&mut self) -> Vec<Change> {
        self.generations
            .values_mut()
            .map(|generation| {
                generation.is_over = true;
                Change::Over(generation.id)
            })
            .collect()
    }

    /// A file that is open cannot be read.
    pub(crate) fn note_unreadable(&mut self, id: GenerationId, error: &io::Error) {
        if let Some(generation) = self.generations.get(&id) {
            self.problems.note(&generation.path, "read", error);
        }
    }

    /// Forgets when bytes were written that every output has; `done` says up to where that is.
    pub(crate) fn forget_old_times(&mut self, done: impl Fn(GenerationId) -> Option<u64>) {
        for (id, generation) in &mut self.generations {
            if let Some(done) = done(*id) {
                generation.times.forget_before(done);
            }
        }
    }

    /// Closes a generation that nobody needs any more.
    pub(crate) fn close(&mut self, id: GenerationId) {
        if let Some(generation) = self.generations.remove(&id) {
            let key = (generation.input, generation.key);
            if self.by_key.get(&key) == Some(&id) {
                self.by_key.remove(&key);
            }
            let path = (generation.input, generation.path);
            if self.by_path.get(&path) == Some(&id) {
                self.by_path.remove(&path);
            }
        }
    }

    /// Looks at one name that an input means.
    fn look_at_path(
        &mut self,
        input: usize,
        path: &Path,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.by_path.remove(&(input, path.to_owned()));
                return;
            }
            Err(error) => {
                self.problems.note(path, "look at", &error);
                return;
            }
        };
        if !metadata.is_file() {
            return;
        }
        let key = FileKey::of(&metadata);
        let id = match self.by_key.get(&(input, key)) {
            Some(&id) => id,
            None => match self.open(input, path, journal, at) {
                Ok(id) => {
                    changes.push(Change::Opened(id));
                    id
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                Err(error) => {
                    self.problems.note(path, "open", &error);
                    return;
                }
            },
        };
        self.problems.mended(path);
        self.by_path.insert((input, path.to_owned()), id);
        self.look(id, metadata.len(), journal, at, changes);
    }

    /// Takes note of a generation's size.
    fn look(
        &mut self,
        id: GenerationId,
        size: u64,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let Some(generation) = self.generations.get_mut(&id) else {
            return;
        };
        let mut look = generation.look(size, at.now, at.time);
        if look == Look::Grew {
            match generation.grow_head() {
                Ok(Some(false)) | Err(_) => {}
                Ok(Some(true)) => {
                    let identity = Identity {
                        input: self.inputs[generation.input].name.clone(),
                        path: generation.origin.to_path_buf(),
                        device: generation.key.device,
                        inode: generation.key.inode,
                        head: generation.head,
                        seen: at.time,
                    };
                    journal.append(&Entry::Generation(id, identity));
                }
                Ok(None) => look = Look::Shrunk,
            }
        }
        match look {
            Look::Same => {}
            Look::Grew => changes.push(Change::Grew(id)),
            Look::Shrunk => changes.push(Change::Shrunk(id)),
        }
    }

    /// Finds out where a generation stands.
    fn settle(&mut self, id: GenerationId, at: Moment, changes: &mut Vec<Change>) {
        let Some(generation) = self.generations.get(&id) else {
            return;
        };
        if generation.place == Place::Gone {
            return;
        }
        let input = generation.input;
        let is_at = |path: &PathBuf| self.by_path.get(&(input, path.clone())) == Some(&id);
        let home = generation.origin.to_path_buf();
        let place = if is_at(&home) {
            Some((Place::Home, home))
        } else if is_at(&generation.path) {
            Some((Place::Moved, generation.path.clone()))
        } else {
            self.by_path
                .iter()
                .find(|((of, _), holder)| *of == input && **holder == id)
                .map(|((_, path), _)| (Place::Moved, path.clone()))
        };
        let Some(generation) = self.generations.get_mut(&id) else {
            return;
        };
        if let Some((place, path)) = place {
            generation.path = path;
            generation.place_at(place, at.now);
        } else {
            look_at_nameless(generation, at, changes);
        }
    }

    fn retired_in(&self, folder: &Path) -> Vec<GenerationId> {
        self.generations
            .values()
            .filter(|it| it.place == Place::Rotated && it.origin.parent() == Some(folder))
            .map(|it| it.id)
            .collect()
    }

    /// Looks at the files that stand at no name of their own.
    fn look_at_retired(&mut self, at: Moment, changes: &mut Vec<Change>) {
        for generation in self.generations.values_mut() {
            match generation.place {
                Place::Home | Place::Gone => continue,
                Place::Moved => {}
                Place::Rotated | Place::Deleted => look_at_nameless(generation, at, changes),
            }
            if generation
                .over_at()
                .is_some_and(|over_at| at.now >= over_at)
            {
                generation.is_over = true;
                changes.push(Change::Over(generation.id));
            }
        }
    }
}

/// Looks at a file through its descriptor.
fn look_at_nameless(generation: &mut Generation, at: Moment, changes: &mut Vec<Change>) {
    let Ok(metadata) = generation.file.metadata() else {
        return;
    };
    let place = if metadata.nlink() == 0 {
        Place::Deleted
    } else {
        Place::Rotated
    };
    generation.place_at(place, at.now);
    match generation.look(metadata.len(), at.now, at.time) {
        Look::Same => {}
        Look::Grew => changes.push(Change::Grew(generation.id)),
        Look::Shrunk => changes.push(Change::Shrunk(generation.id)),
    }
}

#[cfg(test)]
mod tests;
