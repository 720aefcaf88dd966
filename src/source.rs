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

use crate::journal::{Entry, Identity, Journal};
use crate::record::Time;
use crate::span::{GenerationId, Head};
use discover::{Found, Globs};
use generation::{FileKey, Look, Opened};
pub(crate) use generation::{Generation, Place};

mod discover;
mod generation;
pub(crate) mod reader;
mod rotation;
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

/// A file or folder that cannot be read, for the operator.
#[derive(Debug, Clone)]
struct Problem {
    /// What went wrong, and how to mend it.
    sentence: String,
    /// Since when.
    since: Instant,
}

/// The files of all inputs.
#[derive(Debug)]
pub(crate) struct Source {
    inputs: Vec<Input>,
    generations: BTreeMap<GenerationId, Generation>,
    by_key: HashMap<(usize, FileKey), GenerationId>,
    by_path: HashMap<(usize, PathBuf), GenerationId>,
    watch: watch::Watch,
    problems: BTreeMap<PathBuf, Problem>,
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
            problems: BTreeMap::new(),
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
        self.problems
            .values()
            .map(|problem| problem.sentence.as_str())
            .chain(self.watch.trouble())
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
        let before = std::mem::take(&mut self.problems);
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
                    note_problem(&mut self.problems, &folder, "list", &error, at.now);
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
        for (path, problem) in &mut self.problems {
            match before.get(path) {
                Some(earlier) if earlier.sentence == problem.sentence => {
                    problem.since = earlier.since;
                }
                _ => tracing::warn!(problem = problem.sentence, "a file cannot be read"),
            }
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
    pub(crate) fn note_unreadable(&mut self, id: GenerationId, error: &io::Error, now: Instant) {
        if let Some(generation) = self.generations.get(&id) {
            let path = generation.path.clone();
            let is_new = !self.problems.contains_key(&path);
            note_problem(&mut self.problems, &path, "read", error, now);
            if is_new {
                tracing::warn!(path = %path.display(), %error, "cannot read a file; it is tried again");
            }
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
                note_problem(&mut self.problems, path, "look at", &error, at.now);
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
                    note_problem(&mut self.problems, path, "open", &error, at.now);
                    return;
                }
            },
        };
        self.problems.remove(path);
        self.by_path.insert((input, path.to_owned()), id);
        self.look(id, &metadata, journal, at, changes);
    }

    /// Opens a file and finds out which generation it is.
    fn open(
        &mut self,
        input: usize,
        path: &Path,
        journal: &mut Journal,
        at: Moment,
    ) -> io::Result<GenerationId> {
        let opened = Opened::at(path)?;
        let name = self.inputs[input].name.clone();
        let recognised = self.recognise(input, path, &opened, journal)?;
        let (id, origin) = match recognised {
            Some(id) => {
                let known = journal.state().generations.get(&id);
                let origin = known.map_or(path, |known| known.identity.path.as_path());
                (id, Arc::<Path>::from(origin))
            }
            None => (journal.new_generation(), Arc::<Path>::from(path)),
        };
        let identity = Identity {
            input: name,
            path: origin.to_path_buf(),
            device: opened.metadata.dev(),
            inode: opened.metadata.ino(),
            head: Head::of(&opened.head),
            seen: at.time,
        };
        journal.append(&Entry::Generation(id, identity));
        let generation = Generation::new(
            id,
            input,
            origin,
            path.to_owned(),
            opened,
            (at.now, at.time),
        );
        self.by_key.insert((input, generation.key), id);
        self.generations.insert(id, generation);
        Ok(id)
    }

    /// Finds the generation of an earlier run that this file proves to be.
    fn recognise(
        &self,
        input: usize,
        path: &Path,
        opened: &Opened,
        journal: &Journal,
    ) -> io::Result<Option<GenerationId>> {
        let candidate = rotation::Candidate {
            path,
            inode: opened.metadata.ino(),
            size: opened.metadata.len(),
            head: &opened.head,
        };
        let name = &self.inputs[input].name;
        let known = journal.state().generations.iter().filter(|(id, known)| {
            known.identity.input == *name && !self.generations.contains_key(id)
        });
        for id in rotation::suggestions(&candidate, known.map(|(id, known)| (*id, known))) {
            let Some(known) = journal.state().generations.get(&id) else {
                continue;
            };
            let mut is_proven = true;
            for cursor in known.cursors.values() {
                let before = reader::read_before(&opened.file, cursor.position.offset)?;
                is_proven &= cursor.position.anchor.holds(&before);
            }
            if is_proven {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// After a start: known generations that no input means any more may lie beside their old
    /// name, rotated while nobody looked.
    fn find_rotated_while_away(
        &mut self,
        journal: &mut Journal,
        at: Moment,
        changes: &mut Vec<Change>,
    ) {
        let mut folders: BTreeMap<(usize, PathBuf), Vec<PathBuf>> = BTreeMap::new();
        for (id, known) in &journal.state().generations {
            let input = self
                .inputs
                .iter()
                .position(|input| input.name == known.identity.input);
            if let (Some(input), false) = (input, self.generations.contains_key(id))
                && let Some(folder) = known.identity.path.parent()
            {
                folders
                    .entry((input, folder.to_owned()))
                    .or_default()
                    .push(known.identity.path.clone());
            }
        }
        for ((input, folder), names) in folders {
            let Ok(listing) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in listing.flatten() {
                let path = entry.path();
                let is_sibling = names.iter().any(|name| rotation::is_rotation(name, &path));
                if !is_sibling || self.by_path.contains_key(&(input, path.clone())) {
                    continue;
                }
                let Ok(opened) = Opened::at(&path) else {
                    continue;
                };
                if let Ok(Some(_)) = self.recognise(input, &path, &opened, journal)
                    && let Ok(id) = self.open(input, &path, journal, at)
                {
                    changes.push(Change::Opened(id));
                }
            }
        }
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
    match generation.look(&metadata, at.now, at.time) {
        Look::Same => {}
        Look::Grew => changes.push(Change::Grew(generation.id)),
        Look::Shrunk => changes.push(Change::Shrunk(generation.id)),
        Look::Touched => changes.push(Change::Touched(generation.id)),
    }
}

fn note_problem(
    problems: &mut BTreeMap<PathBuf, Problem>,
    path: &Path,
    action: &str,
    error: &io::Error,
    now: Instant,
) {
    let mending = match error.kind() {
        io::ErrorKind::PermissionDenied => permission_mending(path),
        _ if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            "; raise the limit of open files (ulimit -n)".to_owned()
        }
        _ => String::new(),
    };
    let sentence = format!("cannot {action} {}: {error}{mending}", path.display());
    problems.insert(
        path.to_owned(),
        Problem {
            sentence,
            since: now,
        },
    );
}

/// Who may read the file, who we are, and what would help.
fn permission_mending(path: &Path) -> String {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let of_file = std::fs::metadata(path).map_or_else(
        |_| String::new(),
        |it| {
            format!(
                " it belongs to uid {}, gid {}, mode {:04o};",
                it.uid(),
                it.gid(),
                it.mode() & 0o7777
            )
        },
    );
    format!(
        ";{of_file} this process runs as uid {uid}, gid {gid}: run it as the same user, or in a group that may read (in a pod: fsGroup or the same runAsUser)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Bench {
        dir: tempfile::TempDir,
        journal: Journal,
        source: Source,
    }

    fn bench(globs: &[&str]) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("logs")).unwrap();
        let (journal, _) = Journal::open(&dir.path().join("state"), Instant::now()).unwrap();
        let source = source_of(dir.path(), globs);
        Bench {
            dir,
            journal,
            source,
        }
    }

    fn source_of(dir: &Path, globs: &[&str]) -> Source {
        let include: Vec<String> = globs
            .iter()
            .map(|glob| format!("{}/logs/{glob}", dir.display()))
            .collect();
        Source::new(
            std::iter::once(("app", &include[..], &[][..])),
            Instant::now(),
        )
    }

    impl Bench {
        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join("logs").join(name)
        }

        fn write(&self, name: &str, text: &str) {
            use std::io::Write as _;
            let mut file = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(self.path(name))
                .unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.path(from), self.path(to)).unwrap();
        }

        fn walk(&mut self) -> Vec<Change> {
            without_touches(self.source.walk(&mut self.journal, Moment::now()))
        }

        fn events(&mut self) -> Vec<Change> {
            let moment = Moment::now();
            without_touches(self.source.look_at_events(&mut self.journal, moment))
        }

        /// What each open generation is, in order: origin, present name, place, size.
        fn shown(&self) -> Vec<(String, String, Place, u64)> {
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            self.source
                .generations()
                .map(|it| (name(&it.origin), name(&it.path), it.place, it.size))
                .collect()
        }
    }

    /// How often a file is looked at twice within a step of its clock is left to chance.
    fn without_touches(mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::Touched(_)));
        changes
    }

    fn row(origin: &str, path: &str, place: Place, size: u64) -> (String, String, Place, u64) {
        (origin.into(), path.into(), place, size)
    }

    #[test]
    fn a_rotation_chain_within_one_look_keeps_every_generation() {
        for by_events in [true, false] {
            let mut bench = bench(&["app.log"]);
            bench.write("app.log", "one\n");
            bench.walk();
            bench.rename("app.log", "app.log.1");
            bench.write("app.log", "number two\n");
            let changes = if by_events {
                bench.events()
            } else {
                bench.walk()
            };
            assert_eq!(changes.len(), 1, "{changes:?}");
            assert_eq!(
                bench.shown(),
                [
                    row("app.log", "app.log", Place::Rotated, 4),
                    row("app.log", "app.log", Place::Home, 11)
                ]
            );
        }
    }

    #[test]
    fn a_file_renamed_to_another_meant_name_is_the_same_generation() {
        for by_events in [true, false] {
            let mut bench = bench(&["app.log*"]);
            bench.write("app.log", "one\n");
            bench.walk();
            bench.rename("app.log", "app.log.1");
            bench.write("app.log", "number two\n");
            if by_events {
                bench.events()
            } else {
                bench.walk()
            };
            bench.rename("app.log.1", "app.log.2");
            bench.rename("app.log", "app.log.1");
            bench.write("app.log.2", "late\n");
            let changes = if by_events {
                bench.events()
            } else {
                bench.walk()
            };
            assert!(matches!(changes[..], [Change::Grew(_)]), "{changes:?}");
            assert_eq!(
                bench.shown(),
                [
                    row("app.log", "app.log.2", Place::Moved, 9),
                    row("app.log", "app.log.1", Place::Moved, 11)
                ]
            );
        }
    }

    #[test]
    fn a_deleted_file_stays_open_and_its_growth_is_seen() {
        let mut bench = bench(&["*.log"]);
        bench.write("a.log", "one\n");
        bench.walk();
        let mut writer = fs::OpenOptions::new()
            .append(true)
            .open(bench.path("a.log"))
            .unwrap();
        fs::remove_file(bench.path("a.log")).unwrap();
        bench.events();
        assert_eq!(bench.shown(), [row("a.log", "a.log", Place::Deleted, 4)]);
        std::io::Write::write_all(&mut writer, b"two\n").unwrap();
        assert!(matches!(bench.walk()[..], [Change::Grew(_)]));
    }

    #[test]
    fn a_truncated_file_is_told_and_begins_a_new_life() {
        let mut bench = bench(&["*.log"]);
        bench.write("a.log", "one and some more\n");
        let Change::Opened(old) = bench.walk()[0] else {
            panic!("it is new")
        };
        fs::write(bench.path("a.log"), "x\n").unwrap();
        assert_eq!(bench.events(), [Change::Shrunk(old)]);
        let changes = bench.source.restart(old, &mut bench.journal, Moment::now());
        let [Change::Opened(new)] = changes[..] else {
            panic!("{changes:?}")
        };
        assert!(new > old);
        bench.source.close(old);
        assert_eq!(bench.shown(), [row("a.log", "a.log", Place::Home, 2)]);
        assert_eq!(bench.events(), [], "nothing is told twice");
        bench.write("a.log", "more\n");
        assert_eq!(bench.events(), [Change::Grew(new)]);
    }

    #[test]
    fn a_file_emptied_and_filled_to_the_same_length_is_told() {
        let mut bench = bench(&["*.log"]);
        bench.write("a.log", "one\n");
        let Change::Opened(id) = bench.walk()[0] else {
            panic!("it is new")
        };
        fs::write(bench.path("a.log"), "two\n").unwrap();
        let moment = Moment::now();
        let changes = bench.source.look_at_events(&mut bench.journal, moment);
        assert_eq!(changes, [Change::Touched(id)]);
        // Much later nothing of it is in doubt any more.
        for (after, told) in [(1, 1), (2, 0)] {
            let mut moment = moment;
            moment.time.0 += after * 1_000_000_000;
            let changes = bench.source.walk(&mut bench.journal, moment);
            assert_eq!(changes.len(), told, "{changes:?}");
        }
    }

    #[test]
    fn files_and_folders_that_appear_later_are_found_by_events_alone() {
        let mut bench = bench(&["**/*.log"]);
        assert_eq!(bench.walk(), []);
        fs::create_dir(bench.path("later")).unwrap();
        bench.write("later/a.log", "one\n");
        assert!(matches!(bench.events()[..], [Change::Opened(_)]));
        bench.write("later/b.log", "one\n");
        assert!(matches!(bench.events()[..], [Change::Opened(_)]));
        bench.write("later/c.txt", "one\n");
        assert_eq!(bench.events(), []);
    }

    #[test]
    fn after_a_restart_a_file_is_recognised_by_its_content() {
        let mut bench = bench(&["*.log"]);
        bench.write("a.log", "the first line\nthe second line\n");
        let Change::Opened(id) = bench.walk()[0] else {
            panic!("it is new")
        };
        let read = bench.source.get(id).unwrap();
        let before = reader::read_before(&read.file, 15).unwrap();
        let position = crate::span::Position {
            offset: 15,
            anchor: crate::span::Anchor::at_end_of(&before),
        };
        let cursor = crate::journal::Cursor {
            position,
            last_time: Time(1),
        };
        bench
            .journal
            .append(&Entry::Cursor(id, "out".into(), cursor));

        // The same name and content in another inode: the same generation.
        bench.source = source_of(bench.dir.path(), &["*.log"]);
        fs::copy(bench.path("a.log"), bench.path("copy")).unwrap();
        bench.rename("copy", "a.log");
        assert_eq!(bench.walk(), [Change::Opened(id)]);

        // Rotated to a name that is not meant: found beside its old one.
        bench.source = source_of(bench.dir.path(), &["*.log"]);
        bench.rename("a.log", "a.log.1");
        bench.write("a.log", "the first line\nbut another second line\n");
        let changes = bench.walk();
        assert_eq!(changes.len(), 2, "{changes:?}");
        assert!(changes.contains(&Change::Opened(id)), "{changes:?}");
        let holder = bench.source.get(id).unwrap();
        assert_eq!((holder.place, holder.size), (Place::Rotated, 31));

        // The same name and inode with other content before the cursor: a new generation.
        bench.source = source_of(bench.dir.path(), &["*.log"]);
        fs::remove_file(bench.path("a.log.1")).unwrap();
        fs::write(bench.path("a.log"), "other content altogether, and long\n").unwrap();
        let changes = bench.walk();
        assert!(
            matches!(changes[..], [Change::Opened(other)] if other > id),
            "{changes:?}"
        );
    }

    #[test]
    fn a_file_that_may_not_be_read_is_told_with_its_owner() {
        let mut bench = bench(&["*.log"]);
        fs::create_dir(bench.path("dir.log")).unwrap();
        std::os::unix::fs::symlink("loop.log", bench.path("loop.log")).unwrap();
        assert_eq!(bench.walk(), []);
        assert_eq!(
            bench.source.problems().count(),
            0,
            "a folder or a bad link is not meant"
        );
        let sentence = permission_mending(bench.dir.path());
        assert!(
            sentence.contains("fsGroup") && sentence.contains("uid"),
            "{sentence}"
        );
    }
}
