//! In which order names are looked at when several changed at once: what holds a generation comes
//! before what may be a copy of it, and the old comes before the young.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::journal::{Journal, OwnFile};
use crate::source::identity::rotation::Age;
#[cfg(test)]
use crate::source::meanwhile;
use crate::source::system::file::{self, FileKey};
use crate::source::{Change, Moment, Source};
use crate::span::GenerationId;

/// A name to look at. Names are compared by their bytes.
#[derive(Debug, Clone)]
pub(in crate::source) enum Name {
    /// One that an input means.
    Meant(usize, PathBuf),
    /// One that rotation gives to a meant one, which comes first.
    Sibling(usize, PathBuf, PathBuf),
    /// A generation without a name of its own.
    Nameless(GenerationId),
}

impl Name {
    pub(in crate::source) fn path(&self) -> Option<&Path> {
        match self {
            Self::Meant(_, path) | Self::Sibling(_, _, path) => Some(path),
            Self::Nameless(_) => None,
        }
    }
}

impl Name {
    /// What it is compared by.
    fn bytes(&self) -> (u8, u64, &OsStr, &OsStr) {
        let none = OsStr::new("");
        match self {
            Self::Meant(input, path) => (0, *input as u64, path.as_os_str(), none),
            Self::Sibling(input, home, path) => {
                (1, *input as u64, home.as_os_str(), path.as_os_str())
            }
            Self::Nameless(id) => (2, id.0, none, none),
        }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(&other.bytes())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Name {}

impl Source {
    /// What paths that changed are to the inputs, with the names that lead to them by links, each
    /// once. Files that were rotated away in their folders may be concerned too.
    pub(in crate::source) fn names_at(
        &self,
        paths: impl Iterator<Item = PathBuf>,
    ) -> BTreeSet<Name> {
        let mut names = BTreeSet::new();
        let mut folders = BTreeSet::new();
        for path in paths {
            for path in std::iter::once(path.as_path()).chain(self.links.names_of(&path)) {
                names.extend((0..self.inputs.len()).filter_map(|input| self.name_of(input, path)));
                let folder = path.parent();
                if let Some(folder) = folder.filter(|it| !folders.contains(*it)) {
                    folders.insert(folder.to_owned());
                }
            }
        }
        names.extend(self.retired_in(&folders).map(Name::Nameless));
        names
    }

    /// Whether a path, or a name that leads to it by links, is one that matters to an input.
    pub(in crate::source) fn is_of_an_input(&self, path: &Path) -> bool {
        let mut paths = std::iter::once(path).chain(self.links.names_of(path));
        paths.any(|path| (0..self.inputs.len()).any(|input| self.name_of(input, path).is_some()))
    }

    /// What a name is to an input: one that it means, or one that rotation gives to such a one.
    pub(in crate::source) fn name_of(&self, input: usize, path: &Path) -> Option<Name> {
        let is_held = self.by_path.get(input, path).is_some();
        if is_held || self.inputs[input].globs.matches(path) {
            return Some(Name::Meant(input, path.to_owned()));
        }
        self.sibling_of(input, path)
            .or_else(|| self.renamed_at(input, path))
    }

    /// The name of a file that an earlier run knew by another one.
    fn renamed_at(&self, input: usize, path: &Path) -> Option<Name> {
        if self.renamed.is_empty() {
            return None;
        }
        let name = (input, path.to_owned());
        let home = self.renamed.get(&name)?.clone();
        Some(Name::Sibling(input, home, name.1))
    }

    /// Looks at names: first at those that hold a generation now or held one when it was last
    /// seen, since others may be copies of it; then from the oldest to the youngest.
    pub(in crate::source) fn look_at_names(
        &mut self,
        names: Vec<Name>,
        journal: &mut Journal,
        at: Moment,
    ) -> Vec<Change> {
        self.all_settled.set(None);
        let mut moved = BTreeSet::new();
        for name in &names {
            match name {
                Name::Nameless(id) => {
                    moved.insert(*id);
                }
                Name::Meant(input, path) if self.leads_elsewhere(*input, path) => {
                    if let Some(id) = self.by_path.remove(*input, path) {
                        moved.insert(id);
                        self.replaced.insert((*input, path.clone()), id);
                    }
                }
                Name::Meant(..) | Name::Sibling(..) => {}
            }
        }
        let mut changes = Vec::new();
        self.begin_names(names.len());
        let mut names = self.in_order(names, journal);
        while let Some((name, file)) = names.pop_front() {
            // It has its place by the file that it led to. The one that it was given to since may be a copy of
            // what is looked at later.
            if file.is_some_and(|it| was_given_to_another(&name, it, journal)) {
                names.push_back((name, None));
                continue;
            }
            match name {
                Name::Meant(input, path) => {
                    let before = self.by_path.get(input, &path);
                    self.look_at_path(input, &path, journal, at, &mut changes);
                    let after = self.by_path.get(input, &path);
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
        self.named = None;
        let waiting = &self.deferred;
        self.replaced.retain(|name, _| waiting.contains(name));
        for id in moved {
            self.settle(id, journal, at, &mut changes);
        }
        // A name that must wait was not looked at, and a file that was renamed meanwhile may have
        // been at no name when that was looked at.
        let has_missed = std::mem::take(&mut self.has_missed) | self.watch.gather();
        let is_whole = self.deferred.is_empty()
            && self.unfinished.is_empty()
            && !self.room.is_short()
            && !has_missed;
        if is_whole {
            self.clock.looked(at);
            if let Some(looked_at) = self.clock.looked_at() {
                self.hidden.looked(looked_at.time);
            }
        }
        self.note_out_of_sight(journal);
        self.problems.tell();
        let doubted = std::mem::take(&mut self.doubted);
        changes.extend(doubted.into_iter().map(Change::Doubted));
        changes
    }

    /// The order in which names are looked at, each with the file by which it has its place in it.
    fn in_order(&self, names: Vec<Name>, journal: &Journal) -> VecDeque<(Name, Option<FileKey>)> {
        let is_held = |name: &Name| match name {
            Name::Meant(input, path) => self.by_path.get(*input, path).is_some(),
            Name::Sibling(..) | Name::Nameless(_) => false,
        };
        let (held, others): (Vec<_>, Vec<_>) = names.into_iter().partition(is_held);
        let others = others.into_iter().map(|name| {
            let metadata = name.path().and_then(|path| std::fs::metadata(path).ok());
            #[cfg(test)]
            meanwhile::happen(meanwhile::After::Asking);
            let age = name.path().map(Age::of);
            (metadata, age, name)
        });
        let others: Vec<_> = others.collect();
        // One file with several names is as young as the youngest of them, which is its own name.
        let mut youngest = BTreeMap::new();
        for (metadata, age, _) in &others {
            let linked = metadata.as_ref().filter(|it| it.nlink() > 1);
            if let Some(key) = linked.map(FileKey::of) {
                let known = youngest.entry(key).or_insert_with(|| age.clone());
                *known = known.take().max(age.clone());
            }
        }
        let by_times = self.clock.tells_order();
        let mut others: Vec<_> = others
            .into_iter()
            .map(|(metadata, age, name)| {
                let is_known = metadata.as_ref().is_some_and(|it| is_known(it, journal));
                let modified = metadata.as_ref().map(file::modified);
                let key = metadata.as_ref().map(FileKey::of);
                let of_file = key.and_then(|key| youngest.get(&key)).unwrap_or(&age);
                let by_time = (modified, of_file.clone());
                // Times by a clock that was set back say less than names do.
                let by_name = (!by_times).then(|| of_file.clone());
                let place = (!is_known, by_name, by_time, Reverse(age), name);
                (place, key)
            })
            .collect();
        others.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let others = others.into_iter().map(|((.., name), key)| (name, key));
        let held = held.into_iter().map(|name| (name, None));
        held.chain(others).collect()
    }

    /// Whether a name that holds a generation now leads to a file that is not open.
    fn leads_elsewhere(&self, input: usize, path: &Path) -> bool {
        let Some(holder) = self.by_path.get(input, path) else {
            return false;
        };
        std::fs::metadata(path).is_ok_and(|metadata| {
            self.generations
                .get(&holder)
                .is_some_and(|it| it.key != FileKey::of(&metadata))
        })
    }
}

/// Whether a name leads by now to another file than this one, which nobody knows.
fn was_given_to_another(name: &Name, file: FileKey, journal: &Journal) -> bool {
    let metadata = name.path().and_then(|path| std::fs::metadata(path).ok());
    metadata.is_some_and(|it| FileKey::of(&it) != file && !is_known(&it, journal))
}

/// Whether a file is one that an earlier run knew, by inode and birth: it holds a known generation or
/// held it, also one that was left for a copy.
pub(in crate::source) fn is_known(metadata: &Metadata, journal: &Journal) -> bool {
    journal.state().knows_file(OwnFile {
        inode: metadata.ino(),
        birth: file::birth_of(metadata),
    })
}
