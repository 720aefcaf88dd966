//! Which files there are and which life of theirs is meant. Owns the open files and the watches;
//! opens rotated files even while nobody reads, so that none slips away. Moves no cursor: it
//! tells what changed, and hands out bytes to whoever reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::Metadata;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::journal::Journal;
use crate::record::Time;
use crate::span::{GenerationId, Position};
use copies::Alias;
use discover::{Found, Globs};
use generation::{FileKey, Look, Opened};
pub(crate) use generation::{Generation, Place};
use problems::Problems;

mod content;
mod copies;
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
    /// It may have been written and is as long as it was: the content tells whether it is the
    /// same.
    Touched(GenerationId),
    /// Its last line is complete as it is.
    Over(GenerationId),
}

/// What became of a file that no longer holds what it held.
#[derive(Debug, Default)]
pub(crate) struct Anew {
    /// The old content is read on in a copy.
    pub(crate) goes_on_in_copy: bool,
    /// What followed.
    pub(crate) changes: Vec<Change>,
}

/// The files of all inputs.
#[derive(Debug)]
pub(crate) struct Source {
    inputs: Vec<Input>,
    generations: BTreeMap<GenerationId, Generation>,
    by_key: HashMap<(usize, FileKey), GenerationId>,
    by_path: HashMap<(usize, PathBuf), GenerationId>,
    /// Copies of open generations.
    aliases: HashMap<(usize, FileKey), Alias>,
    /// Names to look at again once the changes of the last look are dealt with.
    deferred: BTreeSet<(usize, PathBuf)>,
    /// When all names were last looked at; nothing before the first look of the first run.
    looked_at: Option<Time>,
    watch: watch::Watch,
    problems: Problems,
    next_walk: Instant,
    next_retired: Instant,
    has_walked: bool,
}

/// A name to look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// One that an input means.
    Meant(usize, PathBuf),
    /// One that rotation gives to a meant one, which comes first.
    Sibling(usize, PathBuf, PathBuf),
    /// A generation without a name of its own.
    Nameless(GenerationId),
}

impl Name {
    fn meant((input, path): (usize, PathBuf)) -> Self {
        Self::Meant(input, path)
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Meant(_, path) | Self::Sibling(_, _, path) => Some(path),
            Self::Nameless(_) => None,
        }
    }
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
            aliases: HashMap::new(),
            deferred: BTreeSet::new(),
            looked_at: None,
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

    /// Whether names wait to be looked at again, now that the changes are dealt with.
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// When all names were last looked at.
    pub(crate) fn looked_at(&self) -> Option<Time> {
        self.looked_at
    }

    /// Looks at what the system told of.
    pub(crate) fn look_at_events(&mut self, journal: &mut Journal, at: Moment) -> Vec<Change> {
        let touched = self.watch.drain();
        if touched.needs_walk {
            return self.walk(journal, at);
        }
        let deferred = std::mem::take(&mut self.deferred);
        if touched.names.is_empty() && deferred.is_empty() {
            return Vec::new();
        }
        let deferred = deferred.into_iter().map(|(_, path)| path);
        let mut names = Vec::new();
        for path in touched.names.into_iter().chain(deferred) {
            for input in 0..self.inputs.len() {
                names.extend(self.name_of(input, &path, journal));
            }
            if let Some(folder) = path.parent() {
                names.extend(self.retired_in(folder).into_iter().map(Name::Nameless));
            }
        }
        self.look_at_names(names, journal, at)
    }

    /// What a name is to an input: one that it means, or one that rotation gives to such a one.
    fn name_of(&self, input: usize, path: &Path, journal: &Journal) -> Option<Name> {
        let is_held = self.by_path.contains_key(&(input, path.to_owned()));
        if is_held || self.inputs[input].globs.matches(path) {
            return Some(Name::Meant(input, path.to_owned()));
        }
        let homes = self.homes_in(input, path.parent()?, journal);
        let home = homes
            .into_iter()
            .find(|home| rotation::is_rotation(home, path))?;
        Some(Name::Sibling(input, home, path.to_owned()))
    }

    /// Looks at names: first at those that hold a generation now or held one when it was last
    /// seen, since others may be copies of it; then from the oldest to the youngest.
    fn look_at_names(
        &mut self,
        names: Vec<Name>,
        journal: &mut Journal,
        at: Moment,
    ) -> Vec<Change> {
        let mut moved = BTreeSet::new();
        for name in &names {
            match name {
                Name::Nameless(id) => {
                    moved.insert(*id);
                }
                Name::Meant(input, path) if self.leads_elsewhere(*input, path) => {
                    moved.extend(self.by_path.remove(&(*input, path.clone())));
                }
                Name::Meant(..) | Name::Sibling(..) => {}
            }
        }
        let mut changes = Vec::new();
        for name in self.in_order(names, journal) {
            match name {
                Name::Meant(input, path) => {
                    let before = self.by_path.get(&(input, path.clone())).copied();
                    self.look_at_path(input, &path, journal, at, &mut changes);
                    let after = self.by_path.get(&(input, path)).copied();
                    if before != after || after.is_none() {
                        moved.extend(before);
                    }
                }
                Name::Sibling(input, home, path) => {
                    self.look_at_sibling(input, &home, &path, journal, at, &mut changes);
                }
                Name::Nameless(_) => {}
            }
        }
        for id in moved {
            self.settle(id, at, &mut changes);
        }
        // A name that must wait was not looked at.
        if self.deferred.is_empty() {
            self.looked_at = Some(at.time);
        }
        changes
    }

    /// The order in which names are looked at.
    fn in_order(&self, names: Vec<Name>, journal: &Journal) -> Vec<Name> {
        let is_held = |name: &Name| match name {
            Name::Meant(input, path) => self.by_path.contains_key(&(*input, path.clone())),
            Name::Sibling(..) | Name::Nameless(_) => false,
        };
        let (held, others): (Vec<_>, Vec<_>) = names.into_iter().partition(is_held);
        if others.is_empty() {
            return held;
        }
        let known = self.known_files(journal);
        let mut others: Vec<_> = others
            .into_iter()
            .map(|name| {
                let metadata = name.path().and_then(|path| std::fs::metadata(path).ok());
                let is_known = metadata.as_ref().is_some_and(|it| is_known(&known, it));
                let modified = metadata.map(|it| generation::modified(&it));
                let rank = name.path().map(rotation::age_rank);
                (!is_known, modified, rank, name)
            })
            .collect();
        others.sort();
        held.into_iter()
            .chain(others.into_iter().map(|(_, _, _, name)| name))
            .collect()
    }

    /// The files of generations that are known and not open.
    fn known_files(&self, journal: &Journal) -> BTreeSet<(u64, Time)> {
        let known = journal.state().generations.iter();
        known
            .filter(|(id, _)| !self.generations.contains_key(id))
            .map(|(_, known)| (known.identity.inode, known.identity.birth))
            .collect()
    }

    /// Whether a name that holds a generation now leads to a file that is not open.
    fn leads_elsewhere(&self, input: usize, path: &Path) -> bool {
        let Some(holder) = self.by_path.get(&(input, path.to_owned())) else {
            return false;
        };
        std::fs::metadata(path).is_ok_and(|metadata| {
            self.generations
                .get(holder)
                .is_some_and(|it| it.key != FileKey::of(&metadata))
        })
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
        // A name that was not listed is only gone when the system says so of the name itself.
        let held = self.by_path.keys().cloned();
        let mut names: BTreeSet<Name> = files.into_iter().chain(held).map(Name::meant).collect();
        if !self.has_walked {
            self.has_walked = true;
            self.looked_at = journal.state().looked_at;
            for input in 0..self.inputs.len() {
                names.extend(self.siblings(input, &names, journal));
            }
        }
        self.deferred.clear();
        self.forget_deleted_aliases();
        let mut changes = self.look_at_names(names.into_iter().collect(), journal, at);
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

    /// Begins a new life for a file that no longer holds what it held. The old life goes on in a
    /// copy, if one lies beside it that holds what was read up to `positions`; else it is left
    /// without content, and what of it is on its way can still be acknowledged.
    pub(crate) fn begin_anew(
        &mut self,
        id: GenerationId,
        positions: &[Position],
        journal: &mut Journal,
        at: Moment,
    ) -> Anew {
        let mut anew = Anew::default();
        let Some(old) = self.generations.get(&id) else {
            return anew;
        };
        let (input, path, key) = (old.input, old.path.clone(), old.key);
        let was_in_copy = old.copy_len.is_some();
        // Else a file renamed meanwhile would count as one that stands at its own name, and its
        // last line would wait for ever.
        let origin = Arc::clone(&old.origin);
        let file = old.content.file().try_clone();
        anew.goes_on_in_copy = self.adopt_copy(id, positions, journal, at);
        if !anew.goes_on_in_copy {
            if let Some(old) = self.generations.get_mut(&id) {
                old.place_at(Place::Gone, at.now);
            }
            self.release(id, input, key, &path);
            self.release_aliases(id);
        }
        let mut names = vec![Name::Meant(input, path.clone())];
        match file.and_then(|file| Opened::of(file, false)) {
            // By now the name may be that of another file, or of none: the open file is what
            // counts.
            Ok(opened) if !was_in_copy => {
                let new = self.take(input, &path, origin, opened, None, (journal, at));
                anew.changes.push(Change::Opened(new));
                names.push(Name::Nameless(new));
            }
            // A copy that is filled anew is a copy of something else, or nobody's debt.
            Ok(_) => names.extend(self.siblings(input, &names.iter().cloned().collect(), journal)),
            Err(error) => self.problems.note(&path, "read", &error),
        }
        anew.changes.extend(self.look_at_names(names, journal, at));
        anew
    }

    /// A file and a name are no longer those of a generation.
    fn release(&mut self, id: GenerationId, input: usize, key: FileKey, path: &Path) {
        if self.by_key.get(&(input, key)) == Some(&id) {
            self.by_key.remove(&(input, key));
        }
        let path = (input, path.to_owned());
        if self.by_path.get(&path) == Some(&id) {
            self.by_path.remove(&path);
        }
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
            self.release(id, generation.input, generation.key, &generation.path);
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
        let id = match self.by_key.get(&(input, key)).copied() {
            Some(id) => id,
            None if self.is_alias((input, key), metadata.len()) => return,
            None => match self.open(input, path, journal, at) {
                Ok(Some(id)) => {
                    changes.push(Change::Opened(id));
                    id
                }
                Ok(None) => return,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                Err(error) => {
                    self.problems.note(path, "open", &error);
                    return;
                }
            },
        };
        self.problems.mended(path);
        self.by_path.insert((input, path.to_owned()), id);
        self.look(id, &metadata, journal, at, changes);
    }

    /// Takes note of a generation's size.
    fn look(
        &mut self,
        id: GenerationId,
        metadata: &Metadata,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let Some(generation) = self.generations.get_mut(&id) else {
            return;
        };
        let mut look = generation.look(metadata, at.now, at.time);
        let mut is_better_known = false;
        if look == Look::Grew {
            match generation.grow_head() {
                Ok(Some(false)) | Err(_) => {}
                Ok(Some(true)) => is_better_known = true,
                Ok(None) => look = Look::Shrunk,
            }
        }
        if is_better_known {
            self.note_identity(id, journal, at);
        }
        match look {
            Look::Same => {}
            Look::Grew => changes.push(Change::Grew(id)),
            Look::Shrunk => changes.push(Change::Shrunk(id)),
            Look::Touched => changes.push(Change::Touched(id)),
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

/// Whether a file is one that an earlier run knew, by inode and birth.
fn is_known(known: &BTreeSet<(u64, Time)>, metadata: &Metadata) -> bool {
    known.contains(&(metadata.ino(), generation::birth_of(metadata)))
}

/// Looks at a file through its descriptor.
fn look_at_nameless(generation: &mut Generation, at: Moment, changes: &mut Vec<Change>) {
    let Ok(metadata) = generation.content.file().metadata() else {
        return;
    };
    let place = if metadata.nlink() == 0 {
        Place::Deleted
    } else {
        Place::Rotated
    };
    generation.place_at(place, at.now);
    match generation.look(&metadata, at.now, at.time) {
        Look::Same => {}
        Look::Grew => changes.push(Change::Grew(generation.id)),
        Look::Shrunk => changes.push(Change::Shrunk(generation.id)),
        Look::Touched => changes.push(Change::Touched(generation.id)),
    }
}

#[cfg(test)]
mod tests;
