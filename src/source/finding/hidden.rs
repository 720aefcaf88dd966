//! Which folders are in sight, and since when one is not: it cannot be listed, is away, or another
//! one lies in its place. What was made in it since it was last looked at is news when it is back,
//! however many looks were made at all else meanwhile. Opens nothing, and decides nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::record::Time;
use crate::source::system::clock::Mark;
use crate::source::system::file::FileKey;

/// So many folders that are out of sight are remembered: those that went last.
const MOST_OUT_OF_SIGHT: usize = 1000;

/// A folder at one of the paths in which something is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct Folder {
    pub(in crate::source) key: FileKey,
    /// Whether there is no name in it.
    pub(in crate::source) is_empty: bool,
}

/// All folders in which something is meant.
#[derive(Debug, Default)]
pub(in crate::source) struct Hidden {
    /// Those that were listed by the last walk.
    here: BTreeMap<PathBuf, Folder>,
    /// Those that were not, and those that came back only now. One that an earlier run knew has
    /// no key.
    out: BTreeMap<(PathBuf, Option<FileKey>), Out>,
    /// When the run before this one looked, or when this one began: a folder that is met for the
    /// first time was last looked at then.
    begin: Option<Mark>,
    /// When the last two walks began, the earlier one first: what no event tells of was seen then.
    walks: [Option<Mark>; 2],
}

#[derive(Debug, Clone, Copy)]
struct Out {
    /// What was made since then was not seen.
    since: Mark,
    /// When it was looked at again for the first time.
    back_at: Option<Time>,
}

impl Hidden {
    /// Before the first look of a run. These folders are expected, each with when it was last looked
    /// at.
    pub(in crate::source) fn begin(
        &mut self,
        begin: Mark,
        expected: impl Iterator<Item = (PathBuf, Mark)>,
    ) {
        if self.begin.is_some() {
            return;
        }
        self.begin = Some(begin);
        for (path, since) in expected {
            let out = Out {
                since,
                back_at: None,
            };
            self.out.entry((path, None)).or_insert(out);
        }
    }

    /// As if nothing had been looked at.
    pub(in crate::source) fn forget_looks(&mut self) {
        *self = Self::default();
    }

    /// A walk that began `at` this time has listed these folders. Those that were deleted meanwhile
    /// will not come back, and in those that are `ours` no more nothing is meant.
    pub(in crate::source) fn walked(
        &mut self,
        listed: BTreeMap<PathBuf, Folder>,
        deleted: &BTreeSet<PathBuf>,
        is_ours: impl Fn(&Path) -> bool,
        looked_at: Option<Mark>,
        at: Time,
    ) {
        let before = std::mem::take(&mut self.here);
        self.out.retain(|(path, _), _| is_ours(path));
        for (path, folder) in before {
            if listed.get(&path).is_some_and(|it| it.key == folder.key) {
                self.here.insert(path, folder);
            } else if deleted.contains(&path) {
                self.out.remove(&(path, Some(folder.key)));
            } else if is_ours(&path) {
                self.lose_one((path, folder.key), looked_at);
            }
        }
        for (path, folder) in listed {
            if self.here.insert(path.clone(), folder).is_none() {
                self.meet(path, folder);
            }
        }
        self.begin_look(at);
        self.limit();
    }

    /// Everything is about to be looked at, and every folder is where it was.
    pub(in crate::source) fn begin_look(&mut self, at: Time) {
        for ((path, key), out) in &mut self.out {
            let is_here = self.here.get(path).is_some_and(|it| Some(it.key) == *key);
            if is_here && out.back_at.is_none() {
                out.back_at = Some(at);
            }
        }
    }

    /// A walk is over, which began with this mark.
    pub(in crate::source) fn end_walk(&mut self, began: Mark) {
        self.walks = [self.walks[1], Some(began)];
    }

    fn meet(&mut self, path: PathBuf, folder: Folder) {
        // After a volume was mounted again its device can have another number.
        let is_it = |key: &Option<FileKey>| match key {
            Some(key) => key.inode == folder.key.inode,
            // In the place of one that an earlier run knew an empty one may stand.
            None => !folder.is_empty,
        };
        let of_path = |(it, key): &(PathBuf, Option<FileKey>)| *it == path && is_it(key);
        let known = self.out.extract_if(.., |name, _| of_path(name));
        let known = known.map(|(_, out)| out.since);
        let known = known.reduce(|one, other| one.or_earlier(Some(other)));
        if let Some(since) = known.or(self.begin) {
            let out = Out {
                since,
                back_at: None,
            };
            self.out.insert((path, Some(folder.key)), out);
        }
    }

    /// This look cannot see all of a folder.
    pub(in crate::source) fn lose(&mut self, path: &Path, looked_at: Option<Mark>) {
        if let Some(folder) = self.here.get(path) {
            self.lose_one((path.to_owned(), folder.key), looked_at);
        }
    }

    fn lose_one(&mut self, (path, key): (PathBuf, FileKey), looked_at: Option<Mark>) {
        let since = looked_at.map(|it| it.or_earlier(self.walks[0]));
        if let Some(since) = since.or(self.begin) {
            let out = self.out.entry((path, Some(key)));
            let out = out.or_insert(Out {
                since,
                back_at: None,
            });
            out.back_at = None;
        }
    }

    /// Every file that was made before this was seen: a folder that came back before that is in sight
    /// like all others.
    pub(in crate::source) fn looked(&mut self, looked_at: Time) {
        self.out
            .retain(|_, out| out.back_at.is_none_or(|back_at| looked_at < back_at));
    }

    /// Since when what was made in a folder is news, where that is not as everywhere.
    pub(in crate::source) fn news_since(&self, folder: &Path) -> Option<Mark> {
        let key = self.here.get(folder).map(|it| it.key);
        let out = if key.is_some() && self.out.is_empty() {
            None
        } else {
            self.out.get(&(folder.to_owned(), key))
        };
        out.map(|it| it.since)
            .or(self.begin.filter(|_| key.is_none()))
    }

    /// Whether what is not found in a folder may be away: it is out of sight, or nothing was in it.
    pub(in crate::source) fn may_hide(&self, folder: &Path) -> bool {
        let is_empty = self.here.get(folder).is_some_and(|it| it.is_empty);
        is_empty || self.is_out_of_sight(folder)
    }

    /// Whether a folder is out of sight, or another one that was at its place. One that was deleted
    /// takes with it what was in it.
    pub(in crate::source) fn is_out_of_sight(&self, folder: &Path) -> bool {
        let from = (folder.to_owned(), None);
        let of_folder = self.out.range(from..);
        let mut of_folder = of_folder.take_while(|((path, _), _)| path == folder);
        of_folder.any(|(_, out)| out.back_at.is_none())
    }

    /// The key of the folder that lies at this path, as far as the last walk knows.
    pub(in crate::source) fn key_of(&self, folder: &Path) -> Option<FileKey> {
        self.here.get(folder).map(|it| it.key)
    }

    /// The folders that are out of sight, each with when it was last looked at: for another run, which
    /// knows when all names were.
    pub(in crate::source) fn out_of_sight(&self, looked_at: Time) -> BTreeMap<&Path, Time> {
        let mut all = BTreeMap::new();
        let matters = |it: &&Out| it.back_at.is_none() || it.since.time < looked_at;
        for ((path, _), out) in self.out.iter().filter(|(_, it)| matters(it)) {
            let since = all.entry(path.as_path()).or_insert(out.since.time);
            *since = out.since.time.min(*since);
        }
        all
    }

    fn limit(&mut self) {
        let away = |it: &Out| it.back_at.is_none();
        while self.out.values().filter(|it| away(it)).count() > MOST_OUT_OF_SIGHT {
            let gone = self.out.iter().filter(|(_, it)| away(it));
            let first = gone.min_by_key(|(_, it)| it.since.time);
            let Some(name) = first.map(|(name, _)| name.clone()) else {
                return;
            };
            self.out.remove(&name);
        }
    }
}
