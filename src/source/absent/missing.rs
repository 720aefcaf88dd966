//! Whether a file that was open in an earlier run, and is not found, is there no more, or whether
//! another file holds what was seen of it. In doubt it is there: an empty or failed listing is never
//! a deletion, and a file that cannot be looked into yet may be it, compressed.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::journal::{Identity, Journal};
use crate::record::Time;
use crate::source::finding::beside::Listing;
use crate::source::finding::links::Links;
use crate::source::finding::siblings::is_being_written;
use crate::source::identity::opened::{self, Opened};
use crate::source::identity::rotation;
use crate::source::system::file::{FileKey, birth_of};
use crate::source::{Moment, Source};
use crate::span::{GenerationId, Head, Position};

/// What is known of a generation whose file is not open. Of several folders the last of these
/// counts that holds for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whereabouts {
    /// It is at no name of the folder that it was in, nor of that in which its links end.
    Nowhere,
    /// Its file is there, and holds something else.
    Emptied,
    /// It is there and cannot be opened yet, or its folder cannot be listed, or one that may be it
    /// cannot be looked into yet.
    Unknown,
    /// All that was seen of it is in a file that is read, or that was.
    Elsewhere,
    /// No input means it any more.
    NotOurs,
}

/// Folders as they were found at one look, so that many files can be looked for in them.
#[derive(Debug, Default)]
pub(crate) struct Folders(BTreeMap<PathBuf, Option<Folder>>);

impl Folders {
    /// A folder as it was when it was first asked for; nothing when it cannot be listed, or when there
    /// is nothing in it: with the folder itself an empty one may stand in for it, as where a volume is
    /// mounted late.
    pub(in crate::source) fn at(&mut self, path: PathBuf, links: &Links) -> Option<&Folder> {
        let folder = self.0.entry(path);
        let folder = folder.or_insert_with_key(|path| Folder::of(path, links));
        folder.as_ref().filter(|it| !it.listing.is_empty)
    }
}

#[derive(Debug)]
pub(in crate::source) struct Folder {
    pub(in crate::source) key: FileKey,
    pub(in crate::source) listing: Listing,
    /// The names of each file, by inode and birth.
    of_file: BTreeMap<(u64, Time), Vec<PathBuf>>,
    /// The names whose files can have had this one before.
    of_name: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl Folder {
    /// Nothing when it cannot be listed.
    fn of(path: &Path, links: &Links) -> Option<Self> {
        let key = FileKey::of(&std::fs::metadata(path).ok()?);
        let listing = Listing::of(path, |_| true).ok()?;
        let mut of_file: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut of_name: BTreeMap<PathBuf, Vec<_>> = BTreeMap::new();
        for (path, metadata) in &listing.files {
            let file = (metadata.ino(), birth_of(metadata));
            of_file.entry(file).or_default().push(path.clone());
            let lineage = links.lineage_of(path);
            let earlier = lineage.originals().map(Path::to_owned);
            for name in earlier.chain([path.clone()]) {
                of_name.entry(name).or_default().push(path.clone());
            }
        }
        Some(Self {
            key,
            listing,
            of_file,
            of_name,
        })
    }

    /// The names of a file, by inode and birth.
    pub(in crate::source) fn names_of(&self, file: (u64, Time)) -> &[PathBuf] {
        self.of_file.get(&file).map_or(&[], Vec::as_slice)
    }

    /// The files that can be that of a generation, or hold it by their names.
    fn candidates(&self, identity: &Identity) -> BTreeMap<&Path, &Metadata> {
        let names = rotation::originals(&identity.path);
        let names = names.iter().chain([&identity.path]);
        let by_name = names.filter_map(|name| self.of_name.get(name));
        let itself = self.of_file.get(&(identity.inode, identity.birth));
        let paths = by_name.chain(itself).flatten();
        let files = paths.filter_map(|path| Some((path.as_path(), self.listing.files.get(path)?)));
        files.collect()
    }
}

/// What was seen of a generation.
#[derive(Debug)]
struct Seen<'a> {
    id: GenerationId,
    input: usize,
    identity: &'a Identity,
    /// Whatever holds it all proves these, in their order.
    proofs: Vec<Position>,
}

impl Seen<'_> {
    fn size(&self) -> u64 {
        self.identity.size.unwrap_or(0)
    }

    /// Whether a content of this length holds it all.
    fn is_in(
        &self,
        len: u64,
        holds_head: impl FnOnce(Head) -> io::Result<bool>,
        proves: impl Fn(Position) -> io::Result<bool>,
    ) -> io::Result<bool> {
        if len < self.size() || !holds_head(self.identity.head)? {
            return Ok(false);
        }
        for proof in &self.proofs {
            if !proves(*proof)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Source {
    /// Whether the file of a generation was found: it is open, or it was delivered and rotated away.
    pub(crate) fn has_found(&self, id: GenerationId) -> bool {
        self.generations.contains_key(&id) || self.elsewhere.has(id)
    }

    /// Whether the file of a generation that is not open may only be away, or cannot be opened yet.
    pub(crate) fn may_be_away(&self, identity: &Identity) -> bool {
        let path = &identity.path;
        if identity.is_gone || !self.means(&identity.input, path) {
            return false;
        }
        let mut folders = self.links.folders_beside(path).into_iter();
        if folders.any(|folder| self.hidden.may_hide(&folder)) {
            return true;
        }
        match std::fs::metadata(path) {
            Ok(it) => (it.ino(), birth_of(&it)) == (identity.inode, identity.birth),
            // With what a link leads to.
            Err(error) => {
                error.kind() != io::ErrorKind::NotFound || path.symlink_metadata().is_ok()
            }
        }
    }

    /// Where a generation is that no name led to.
    pub(crate) fn whereabouts(
        &self,
        (id, identity): (GenerationId, &Identity),
        looked_in: &mut Folders,
        journal: &Journal,
        at: Moment,
    ) -> Whereabouts {
        let is_it = |name: &str| name == identity.input;
        let input = self.inputs.iter().position(|it| is_it(&it.name));
        let Some(input) = input.filter(|it| self.inputs[*it].globs.matches(&identity.path)) else {
            return Whereabouts::NotOurs;
        };
        let mut proofs = journal.state().positions_in(id);
        proofs.extend(identity.end);
        proofs.sort_unstable_by_key(|it| it.offset);
        proofs.dedup();
        let seen = Seen {
            id,
            input,
            identity,
            proofs,
        };
        let folders = self.links.folders_beside(&identity.path).into_iter();
        let found = folders.map(|path| {
            let folder = looked_in.at(path, &self.links);
            self.look_in(folder, &seen, at)
        });
        found.max().unwrap_or(Whereabouts::Unknown)
    }

    fn look_in(&self, folder: Option<&Folder>, seen: &Seen<'_>, at: Moment) -> Whereabouts {
        let Some(folder) = folder else {
            return Whereabouts::Unknown;
        };
        let mut found = if folder.listing.is_certain {
            Whereabouts::Nowhere
        } else {
            Whereabouts::Unknown
        };
        let mut candidates: Vec<_> = folder.candidates(seen.identity).into_iter().collect();
        candidates.sort_by_key(|(_, metadata)| {
            let met = self.met_as((seen.input, FileKey::of(metadata)));
            // The likeliest first: one that holds it is enough.
            met != Some(seen.id)
        });
        for (path, metadata) in candidates {
            found = found.max(self.look_for(seen, path, metadata, at));
            if found == Whereabouts::Elsewhere {
                break;
            }
        }
        found
    }

    /// Whether this file is it or holds what was seen of it.
    fn look_for(
        &self,
        seen: &Seen<'_>,
        path: &Path,
        metadata: &Metadata,
        at: Moment,
    ) -> Whereabouts {
        let Seen {
            input, identity, ..
        } = *seen;
        let birth = birth_of(metadata);
        let is_it = (metadata.ino(), birth) == (identity.inode, identity.birth);
        let can_hold_it = || {
            let lineage = self.links.lineage_of(path);
            (path == identity.path || lineage.can_come_from(&identity.path))
                && !self.clock.is_older(birth, identity.birth)
        };
        if !metadata.is_file() || !(is_it || can_hold_it()) {
            return Whereabouts::Nowhere;
        }
        if self.is_waiting(&(input, path.to_owned())) {
            return Whereabouts::Unknown;
        }
        let key = (input, FileKey::of(metadata));
        match self.holds(seen, path, key) {
            Ok(true) if self.met_as(key).is_some() => Whereabouts::Elsewhere,
            // Nobody looks at such a name.
            Ok(true) if !is_it && self.name_of(input, path).is_none() => Whereabouts::Nowhere,
            Ok(false) if is_it => Whereabouts::Emptied,
            Ok(false) => Whereabouts::Nowhere,
            // A compressed file that is not whole.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                if is_being_written(path, at) {
                    Whereabouts::Unknown
                } else {
                    Whereabouts::Nowhere
                }
            }
            // What the system did not say itself is said of the content: it never will be whole.
            Err(error) if error.raw_os_error().is_none() => Whereabouts::Nowhere,
            // What holds it will be met, and what cannot be opened may hold it.
            Ok(true) | Err(_) => Whereabouts::Unknown,
        }
    }

    /// Whether a file holds all that was seen.
    fn holds(&self, seen: &Seen<'_>, path: &Path, key: (usize, FileKey)) -> io::Result<bool> {
        let open = self
            .by_key
            .get(&key)
            .and_then(|id| self.generations.get(id));
        if let Some(open) = open {
            return seen.is_in(
                open.len_now()?,
                |head| open.begins_with(head),
                |it| open.proves(it),
            );
        }
        // Most are others: a compressed one is not looked through for that.
        if !seen.identity.head.matches(&opened::head_at(path)?) {
            return Ok(false);
        }
        let opened = Opened::at(path)?;
        if FileKey::of(&opened.metadata) != key.1 {
            return Err(rustix::io::Errno::STALE.into());
        }
        let holds_head = |head: Head| Ok(head.matches(&opened.head));
        seen.is_in(opened.len(), holds_head, |it| Ok(opened.proves(it)))
    }

    /// Whether a name waits to be looked at.
    fn is_waiting(&self, name: &(usize, PathBuf)) -> bool {
        self.deferred.contains(name)
            || self.unfinished.contains(name)
            || self.room.keeps_waiting(name)
    }

    /// What it was found out to be that a file holds.
    fn met_as(&self, key: (usize, FileKey)) -> Option<GenerationId> {
        let open = self.by_key.get(&key).copied();
        let copied = || self.aliases.get(&key).map(|alias| alias.of);
        let rotated = || self.elsewhere.in_file(key.1);
        open.or_else(copied).or_else(rotated)
    }
}
