//! How many files are open at once: some descriptors are kept for sockets and the journal. When
//! there are more files than that, those wait that are not open yet, and files that are delivered
//! and still are closed to make room, also rotated ones where the system tells of what is written to
//! them. A closed one is opened again as soon as it changes.

use std::collections::{BTreeSet, HashMap};
use std::fs::Metadata;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Resource, getrlimit};

use crate::record::Time;
use crate::source::finding::hidden::Hidden;
use crate::source::system::file::{FileKey, Stat, modified};
use crate::source::{Generation, Moment, Place, Source, Writer};
use crate::span::GenerationId;

/// So many descriptors, and at most half of them, are kept for all that is no file of an input.
const RESERVE: u64 = 64;
/// A file that was written a shorter time ago than this, in nanoseconds, is not closed.
pub(crate) const STILL: i64 = 2_000_000_000;

/// Who is open, who waits, and who was closed to make room.
#[derive(Debug)]
pub(in crate::source) struct Room {
    most: usize,
    waiting: BTreeSet<(usize, PathBuf)>,
    parked: HashMap<(usize, FileKey), Parked>,
    sentence: Option<String>,
}

/// A file that was closed although it is there: all of it is delivered.
#[derive(Debug)]
struct Parked {
    generation: GenerationId,
    path: Arc<Path>,
    /// How long it was, and when it was last written.
    state: (u64, Time),
}

impl Room {
    /// Lets so many files be open.
    #[cfg(test)]
    pub(in crate::source) fn limit(&mut self, most: usize) {
        self.most = most;
    }

    /// As much as the system gives us.
    pub(in crate::source) fn new() -> Self {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = limit - RESERVE.min(limit / 2);
        Self {
            most: usize::try_from(most).unwrap_or(usize::MAX),
            waiting: BTreeSet::new(),
            parked: HashMap::new(),
            sentence: None,
        }
    }

    /// Whether any name waits.
    pub(in crate::source) fn is_short(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether this name waits.
    pub(in crate::source) fn keeps_waiting(&self, name: &(usize, PathBuf)) -> bool {
        self.waiting.contains(name)
    }

    /// Why not all files are read.
    pub(in crate::source) fn problem(&self) -> Option<&str> {
        self.sentence.as_deref().filter(|_| self.is_short())
    }

    /// The names that wait.
    pub(in crate::source) fn names(&self) -> impl Iterator<Item = &(usize, PathBuf)> {
        self.waiting.iter()
    }

    /// Whether this file was closed to make room, and was not written since.
    pub(in crate::source) fn holds_parked(
        &self,
        key: (usize, FileKey),
        metadata: &Metadata,
    ) -> bool {
        let parked = self.parked.get(&key);
        parked.is_some_and(|it| it.state == state_of(metadata))
    }

    /// All names are about to be looked at. Returns those that are to be looked at whether a listing has
    /// them or not: the names that wait, and those of closed files that were written since.
    pub(in crate::source) fn begin_look(&mut self, hidden: &Hidden) -> Vec<(usize, PathBuf)> {
        let mut names = Vec::from_iter(std::mem::take(&mut self.waiting));
        self.parked
            .retain(|(input, key), it| match std::fs::metadata(&it.path) {
                Ok(metadata) => {
                    let is_it = FileKey::of(&metadata) == *key;
                    if is_it && it.state != state_of(&metadata) {
                        names.push((*input, it.path.to_path_buf()));
                    }
                    is_it
                }
                Err(error) => error.kind() != io::ErrorKind::NotFound || is_away(&it.path, hidden),
            });
        names
    }

    /// The inputs have other numbers now.
    pub(in crate::source) fn forget(&mut self) {
        self.waiting.clear();
        self.parked.clear();
    }
}

impl Source {
    fn has_room(&self) -> bool {
        self.generations.len() + self.aliases.len() < self.room.most
    }

    /// Whether a file may be opened now. If not, its name waits.
    pub(in crate::source) fn has_room_for(&mut self, input: usize, path: &Path) -> bool {
        if self.has_room() {
            if self.room.is_short() {
                self.room.waiting.remove(&(input, path.to_owned()));
            }
            return true;
        }
        self.room.waiting.insert((input, path.to_owned()));
        if self.room.sentence.is_none() {
            let sentence = format!(
                "more files are meant than can be open at once: {} are open, and the others wait, the youngest longest; raise the limit of open files (ulimit -n, LimitNOFILE)",
                self.room.most
            );
            tracing::warn!(problem = sentence, "not all files are read at once");
            self.room.sentence = Some(sentence);
        }
        false
    }

    /// Whether a file was closed to make room, and was not written since.
    pub(in crate::source) fn is_parked(
        &mut self,
        key: (usize, FileKey),
        path: &Path,
        metadata: &Metadata,
    ) -> bool {
        let Some(parked) = self.room.parked.get_mut(&key) else {
            return false;
        };
        if parked.state == state_of(metadata) {
            if *parked.path != *path {
                parked.path = path.into();
            }
            return true;
        }
        self.room.parked.remove(&key);
        false
    }

    /// The generations that were closed to make room.
    pub(crate) fn put_aside_by_now(&self) -> BTreeSet<GenerationId> {
        self.room.parked.values().map(|it| it.generation).collect()
    }

    /// Whether files wait to be opened.
    pub(crate) fn is_short_of_room(&self) -> bool {
        self.room.is_short()
    }

    /// Files that were not written for so many nanoseconds and have a name, whatever it is: the longest
    /// unwritten first.
    pub(crate) fn still_files(&self, for_nanos: i64, at: Moment) -> Vec<GenerationId> {
        let mut still: Vec<_> = self
            .generations
            .values()
            .filter(|it| it.has_name() || it.place == Place::Rotated)
            .filter_map(|it| {
                let metadata = it.content.file().metadata().ok()?;
                let stat = Stat::of(&metadata);
                let still_for = at.time.nanos_since(stat.modified);
                let is_still = it.is_unchanged(&stat) && still_for >= for_nanos;
                is_still.then_some((stat.modified, it.id))
            })
            .collect();
        still.sort_unstable();
        still.into_iter().map(|(_, id)| id).collect()
    }

    /// Whether a file that is delivered may be closed to make room. A rotated one only where it is told
    /// when it is written, and not while somebody is seen to have it open for that: he may go on when
    /// the file is deleted.
    pub(crate) fn may_put_aside(&self, id: GenerationId) -> bool {
        self.generations.get(&id).is_some_and(|it| {
            let is_written = || {
                let writer = self.writers.of(it.key, it.content.file());
                matches!(writer, Ok(Writer::There))
            };
            // What is mapped changes without a word, and without another time.
            !it.content.ends_in_nuls()
                && (it.has_name() || self.told_name_of(it).is_some() && !is_written())
        })
    }

    /// What a rotated file is called now, where it is told when it is written under that name.
    fn told_name_of(&self, generation: &Generation) -> Option<PathBuf> {
        let descriptor = generation.content.file().as_raw_fd();
        let path = std::fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?;
        let is_it = |it: Metadata| FileKey::of(&it) == generation.key;
        let is_seen = |folder: &Path| {
            self.hidden.key_of(folder).is_some() && !self.hidden.is_out_of_sight(folder)
        };
        let is_told = !self.watch.is_polled()
            && path.parent().is_some_and(is_seen)
            && self.name_of(generation.input, &path).is_some()
            && std::fs::metadata(&path).is_ok_and(is_it);
        is_told.then_some(path)
    }

    /// How many names wait.
    pub(crate) fn waiting(&self) -> usize {
        self.room.waiting.len()
    }

    /// Closes a file of which all is delivered; it is opened again when it changes.
    pub(crate) fn put_aside(&mut self, id: GenerationId) {
        let Some(generation) = self.generations.get(&id) else {
            return;
        };
        let told_name = (generation.place == Place::Rotated).then(|| self.told_name_of(generation));
        let Some(generation) = self.generations.get_mut(&id) else {
            return;
        };
        if let Some(path) = told_name.flatten() {
            generation.path = path.into();
        }
        let metadata = generation.content.file().metadata().ok();
        // What was written this moment is opened again.
        if let Some(metadata) = metadata.filter(|it| generation.is_unchanged(&Stat::of(it))) {
            let parked = Parked {
                generation: id,
                path: Arc::clone(&generation.path),
                state: state_of(&metadata),
            };
            let key = (generation.input, generation.key);
            self.room.parked.insert(key, parked);
        }
        self.close(id);
    }

    /// Looks at the names that wait, if there is room now. Each waits until it is opened, so that
    /// it is told all the while.
    pub(crate) fn admit_waiting(&mut self) {
        if self.has_room() {
            self.deferred.extend(self.room.waiting.iter().cloned());
        }
    }
}

/// Whether a name that leads to nothing may be away: with its folder, or with that in which a link
/// ends.
fn is_away(path: &Path, hidden: &Hidden) -> bool {
    let is_in = |folder: &Path| {
        let is_it = |it: &Metadata| hidden.key_of(folder) == Some(FileKey::of(it));
        std::fs::metadata(folder).is_ok_and(|it| is_it(&it))
    };
    path.symlink_metadata().is_ok() || !path.parent().is_some_and(is_in)
}

fn state_of(metadata: &Metadata) -> (u64, Time) {
    (metadata.size(), modified(metadata))
}
