//! How many files are open at once: some descriptors are kept for sockets and the journal. When
//! there are more files than that, those wait that are not open yet, and files that are delivered
//! and still are closed to make room. A closed one is opened again as soon as it changes.

use std::collections::{BTreeSet, HashMap};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::{Resource, getrlimit};

use super::file::{FileKey, Stat, modified};
use super::hidden::Hidden;
use super::{Moment, Source};
use crate::record::Time;
use crate::span::GenerationId;

/// So many descriptors, and at most half of them, are kept for all that is no file of an input.
const RESERVE: u64 = 64;
/// A file that was written a shorter time ago than this, in nanoseconds, is not closed.
const STILL: i64 = 2_000_000_000;

/// Who is open, who waits, and who was closed to make room.
#[derive(Debug)]
pub(super) struct Room {
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
    /// As much as the system gives us.
    pub(super) fn new() -> Self {
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
    pub(super) fn is_short(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether this name waits.
    pub(super) fn keeps_waiting(&self, name: &(usize, PathBuf)) -> bool {
        self.waiting.contains(name)
    }

    /// Why not all files are read.
    pub(super) fn problem(&self) -> Option<&str> {
        self.sentence.as_deref().filter(|_| self.is_short())
    }

    /// All names are about to be looked at: those that still wait will say so again.
    pub(super) fn begin_look(&mut self, hidden: &Hidden) {
        self.waiting.clear();
        self.parked
            .retain(|(_, key), it| match std::fs::metadata(&it.path) {
                Ok(metadata) => FileKey::of(&metadata) == *key,
                Err(error) => error.kind() != io::ErrorKind::NotFound || is_away(&it.path, hidden),
            });
    }

    /// The inputs have other numbers now.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
        self.parked.clear();
    }
}

impl Source {
    fn has_room(&self) -> bool {
        self.generations.len() + self.aliases.len() < self.room.most
    }

    /// Whether a file may be opened now. If not, its name waits.
    pub(super) fn has_room_for(&mut self, input: usize, path: &Path) -> bool {
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
    pub(super) fn is_parked(
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

    /// Files that may be closed to make room for those that wait, if they are delivered: the
    /// longest unwritten first.
    pub(crate) fn still_files(&self, at: Moment) -> Vec<GenerationId> {
        let mut still: Vec<_> = self
            .generations
            .values()
            .filter(|it| it.has_name())
            .filter_map(|it| {
                let metadata = it.content.file().metadata().ok()?;
                let stat = Stat::of(&metadata);
                let still_for = at.time.nanos_since(stat.modified);
                let is_still = it.is_unchanged(&stat) && still_for >= STILL;
                is_still.then_some((stat.modified, it.id))
            })
            .collect();
        still.sort_unstable();
        still.into_iter().map(|(_, id)| id).collect()
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
        if let Ok(metadata) = generation.content.file().metadata() {
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
