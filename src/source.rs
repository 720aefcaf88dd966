//! Which files there are and which life of theirs is meant. Owns the open files and the watches;
//! opens rotated files even while nobody reads, so that none slips away. Moves no cursor: it
//! tells what changed, and hands out bytes to whoever reads.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::journal::Journal;
use crate::record::Time;
use crate::span::GenerationId;
pub(crate) use absent::missing::{Folders, Whereabouts};
pub(crate) use absent::outside::{Outside, Why};
pub(crate) use absent::unread::Became;
use finding::inputs::Input;
use finding::links::Links;
use finding::names::Name;
pub(crate) use finding::unmatched::matches_nothing;
pub(crate) use generation::Generation;
use generation::held::Held;
pub(crate) use generation::place::Place;
use identity::beginning::Boot;
use identity::copies::Alias;
use identity::elsewhere::Elsewhere;
use problems::Problems;
pub(crate) use problems::permission_mending;
use system::clock::Clock;
use system::file::FileKey;
pub(crate) use system::moment::Moment;
pub(crate) use system::writers::Writer;

pub(crate) mod absent;
pub(crate) mod finding;
pub(crate) mod generation;
pub(crate) mod identity;
#[cfg(test)]
pub(crate) mod meanwhile;
mod problems;
pub(crate) mod stock;
pub(crate) mod system;

/// How often everything is looked at in case an event was missed.
const RECONCILE_EVERY: Duration = Duration::from_secs(10);
/// The same where no events come.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How often names are looked at again that had to wait, at most.
const RETRY_EVERY: Duration = Duration::from_millis(100);
/// How often files without a name are looked at: nothing tells of their changes.
const RETIRED_EVERY: Duration = Duration::from_secs(1);

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
    /// It was found to hold another content, which may be as long as what was last seen.
    Doubted(GenerationId),
    /// Its last line is complete as it is.
    Over(GenerationId),
}

/// The files of all inputs.
#[derive(Debug)]
pub(crate) struct Source {
    inputs: Vec<Input>,
    generations: BTreeMap<GenerationId, Box<Generation>>,
    /// Whether all of them stand at home and none ends in NULs, once it is found out.
    all_settled: Cell<Option<bool>>,
    by_key: HashMap<(usize, FileKey), GenerationId>,
    by_path: Held,
    /// The generations by their names, while many names are looked at.
    named: Option<finding::named::Named>,
    /// Copies of open generations.
    aliases: HashMap<(usize, FileKey), Alias>,
    /// Files that are not open, and what was found in them.
    examined: HashMap<(usize, FileKey), stock::Examined>,
    elsewhere: Elsewhere,
    /// Names to look at again once the changes of the last look are dealt with.
    deferred: BTreeSet<(usize, PathBuf)>,
    /// The names at which files lie that an earlier run knew by other ones, where these do not tell it.
    renamed: HashMap<(usize, PathBuf), PathBuf>,
    /// Compressed files that are still being written. Until they are whole nobody can tell what they
    /// hold, so those made since the last look are news for as long.
    unfinished: BTreeSet<(usize, PathBuf)>,
    /// Whether a name was gone before this look came to it: what it was called is found under
    /// another one at the next look, and must be news then.
    has_missed: bool,
    room: generation::room::Room,
    /// When the deferred names are looked at again.
    retry_at: Instant,
    /// What names held until now that lead to other files by now.
    replaced: BTreeMap<(usize, PathBuf), GenerationId>,
    /// Generations that were found changed while others were looked at.
    doubted: BTreeSet<GenerationId>,
    clock: Clock,
    boot: Boot,
    watch: finding::watch::Watch,
    /// Of names that come, also while other changes are left to gather.
    arrivals: finding::watch::Watch,
    links: Links,
    rest: finding::rest::Rest,
    hidden: finding::hidden::Hidden,
    history: finding::history::History,
    problems: Problems,
    unread: absent::unread::Unread,
    unmatched: finding::unmatched::Unmatched,
    next_walk: Instant,
    next_retired: Instant,
    writers: system::writers::Writers,
    /// When every process is looked at again for the writers of files without a name.
    next_question: Instant,
    /// When it is asked again who writes past files.
    next_past: Instant,
    /// Nothing more is expected of any file.
    has_ended: bool,
    has_walked: bool,
}

impl Source {
    /// A source of the files that these inputs mean; each is a name, what to include, and what
    /// to exclude.
    pub(crate) fn new<'a>(
        inputs: impl Iterator<Item = (&'a str, &'a [String], &'a [String])>,
        at: Moment,
    ) -> Self {
        Self {
            inputs: inputs.map(Input::new).collect(),
            generations: BTreeMap::new(),
            all_settled: Cell::default(),
            by_key: HashMap::new(),
            by_path: Held::default(),
            named: None,
            aliases: HashMap::new(),
            examined: HashMap::new(),
            elsewhere: Elsewhere::default(),
            deferred: BTreeSet::new(),
            renamed: HashMap::new(),
            unfinished: BTreeSet::new(),
            has_missed: false,
            room: generation::room::Room::new(),
            retry_at: at.now,
            replaced: BTreeMap::new(),
            doubted: BTreeSet::new(),
            clock: Clock::new(at),
            boot: Boot::last(),
            watch: finding::watch::Watch::new(),
            arrivals: finding::watch::Watch::of_arrivals(),
            links: Links::default(),
            rest: finding::rest::Rest::default(),
            hidden: finding::hidden::Hidden::default(),
            history: finding::history::History::default(),
            problems: Problems::default(),
            unmatched: finding::unmatched::Unmatched::default(),
            unread: absent::unread::Unread::default(),
            next_walk: at.now,
            next_retired: at.now + RETIRED_EVERY,
            writers: system::writers::Writers::default(),
            next_question: at.now,
            next_past: at.now,
            has_ended: false,
            has_walked: false,
        }
    }

    /// The generation with this number, if its file is open.
    pub(crate) fn get(&self, id: GenerationId) -> Option<&Generation> {
        self.generations.get(&id).map(Box::as_ref)
    }

    /// Whether its file is open, or a copy of it lies there and is not read.
    pub(crate) fn knows(&self, id: GenerationId) -> bool {
        self.generations.contains_key(&id) || self.aliases.values().any(|it| it.of == id)
    }

    /// All open generations, oldest first.
    pub(crate) fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.generations.values().map(Box::as_ref)
    }

    /// The name of an input.
    pub(crate) fn input_name(&self, input: usize) -> &str {
        self.inputs.get(input).map_or("", |input| &input.name)
    }

    /// Becomes readable when something changed.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.watch.descriptor()
    }

    /// Becomes readable when a name came, and only then.
    pub(crate) fn descriptor_of_arrivals(&self) -> Option<BorrowedFd<'_>> {
        self.arrivals.descriptor()
    }

    /// Whether a name came that matters. Its file may be gone soon, and is only read if it is open
    /// by then.
    pub(crate) fn has_arrivals(&mut self) -> bool {
        let names = self.arrivals.drain().names;
        names.iter().any(|path| self.is_of_an_input(path))
    }

    /// Watches exactly these folders from now on. Returns those that are new.
    fn watch_folders(&mut self, folders: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mut new = self.watch.set_folders(folders);
        let has_arrivals = self.arrivals.descriptor().is_some();
        if self.watch.is_polled() {
            if has_arrivals {
                // What there is of watches is for all changes.
                self.arrivals.give_up();
                new.extend(self.watch.set_folders(folders));
            }
        } else if !new.is_empty() || !has_arrivals {
            self.arrivals.set_folders(folders);
        }
        new
    }

    /// When [`Source::look_when_due`] has something to do.
    pub(crate) fn next_due(&self) -> Instant {
        if self.are_all_settled() {
            self.next_walk
        } else {
            self.next_walk.min(self.next_retired)
        }
    }

    /// Whether every generation stands at the name under which it was first seen, and is written in
    /// no way of which nothing tells. Asked at every turn, so it is only found out anew after a look.
    pub(crate) fn are_all_settled(&self) -> bool {
        let is_settled = |it: &Generation| it.is_at_home() && !it.content.ends_in_nuls();
        let all = || self.generations().all(is_settled);
        let known = self.all_settled.get().unwrap_or_else(all);
        self.all_settled.set(Some(known));
        known
    }

    /// What cannot be read at the moment, and why files are polled.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &str> {
        let problems = self.problems.iter().chain(self.watch.trouble());
        problems.chain(self.room.problem())
    }

    /// Whether names wait to be looked at again, now that the changes are dealt with.
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// When the names that had to wait are looked at again, or those that changed under a look.
    pub(crate) fn next_retry(&self) -> Option<Instant> {
        (self.has_deferred() || self.watch.has_pending()).then_some(self.retry_at)
    }

    /// Every file that was made before this was seen.
    pub(crate) fn looked_at(&self) -> Option<Time> {
        self.clock.looked_at().map(|it| it.time)
    }

    /// Looks at what the system told of, and again at what had to wait.
    pub(crate) fn look_at_events(&mut self, journal: &mut Journal, at: Moment) -> Vec<Change> {
        self.clock.note(at);
        // Before the others: who comes in between is told of once more.
        self.arrivals.drain();
        let touched = self.watch.drain();
        if touched.needs_walk || touched.names.iter().any(|it| self.links.is_way(it)) {
            return self.walk(journal, at);
        }
        let deferred = if at.now >= self.retry_at {
            self.retry_at = at.now + RETRY_EVERY;
            std::mem::take(&mut self.deferred)
        } else {
            BTreeSet::new()
        };
        if touched.names.is_empty() && deferred.is_empty() {
            return Vec::new();
        }
        // Where no event tells of what came, a look at what waited is no look at all names.
        self.has_missed |= self.watch.is_polled();
        let deferred = deferred.into_iter().map(|(_, path)| path);
        let paths = touched.names.into_iter().chain(deferred);
        let names = self.names_at(paths);
        self.look_at_names(names.into_iter().collect(), journal, at)
    }

    /// Looks at everything, or at the files of which no event tells, when it is time.
    pub(crate) fn look_when_due(&mut self, journal: &mut Journal, at: Moment) -> Vec<Change> {
        if at.now >= self.next_walk {
            return self.walk(journal, at);
        }
        let mut changes = Vec::new();
        if at.now >= self.next_retired {
            self.next_retired = at.now + RETIRED_EVERY;
            self.all_settled.set(None);
            if self.has_lost_a_folder() {
                return self.walk(journal, at);
            }
            self.look_at_retired(journal, at, &mut changes);
        }
        changes
    }

    /// Looks at everything soon as if nothing had been looked at in this run: the journal knows
    /// only now what was before.
    pub(crate) fn look_as_at_the_start(&mut self, journal: &Journal, at: Moment) {
        self.has_walked = false;
        self.clock.forget_looks(journal.state().looks.at);
        self.hidden.forget_looks();
        self.next_walk = at.now;
    }

    /// A file and a name are no longer those of a generation.
    fn release(&mut self, id: GenerationId, input: usize, key: FileKey, path: &Path) {
        if self.by_key.get(&(input, key)) == Some(&id) {
            self.by_key.remove(&(input, key));
        }
        if self.by_path.get(input, path) == Some(id) {
            self.by_path.remove(input, path);
        }
    }

    /// Nothing more is expected: every last line is complete as it is.
    pub(crate) fn end_all(&mut self) -> Vec<Change> {
        self.has_ended = true;
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
            self.problems.note_reading(id, &generation.path, error);
        }
    }

    /// Forgets what could not be read and can be by now.
    pub(crate) fn forget_readable(&mut self, is_unreadable: impl Fn(GenerationId) -> bool) {
        self.problems.keep_reading(is_unreadable);
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
        self.all_settled.set(None);
        if let Some(generation) = self.generations.remove(&id) {
            self.release(id, generation.input, generation.key, &generation.path);
            self.elsewhere.note_closed(&generation);
        }
    }

    /// The journal forgets a generation.
    pub(crate) fn forget(&mut self, id: GenerationId) {
        self.elsewhere.forget(id);
    }
}

#[cfg(test)]
mod tests;
