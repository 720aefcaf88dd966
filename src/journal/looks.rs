//! When all names were looked at, and what could not be: what is found there later is as new as it
//! was then. Values.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::entry::Entry;
use super::identity::Unopened;
use crate::record::Time;

/// So many files that could not be opened are remembered.
pub(crate) const MOST_UNOPENED: usize = 1000;

/// What the looks of all runs came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Looks {
    /// When all names were last looked at.
    pub(crate) at: Option<Time>,
    /// Folders that cannot be looked at, each with when that could be done last.
    pub(crate) out_of_sight: BTreeMap<PathBuf, Time>,
    /// Files that nobody could open yet, each with how much of it was seen, in bytes.
    pub(crate) unopened: BTreeMap<Unopened, u64>,
}

impl Looks {
    /// Takes in what an earlier run knew.
    pub(super) fn take_in(&mut self, earlier: Self) {
        self.at = earlier.at.or(self.at);
        for (folder, since) in earlier.out_of_sight {
            let known = self.out_of_sight.entry(folder).or_insert(since);
            *known = since.min(*known);
        }
        for (file, size) in earlier.unopened {
            let known = self.unopened.entry(file).or_default();
            *known = size.max(*known);
        }
    }

    /// Applies an entry that tells of looks.
    pub(super) fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Looked(time) => self.at = Some(*time),
            Entry::OutOfSight(folder, Some(since)) => {
                self.out_of_sight.insert(folder.clone(), *since);
            }
            Entry::OutOfSight(folder, None) => {
                self.out_of_sight.remove(folder);
            }
            Entry::Unopened(file, size) => {
                self.unopened.insert(file.clone(), *size);
            }
            Entry::OpenedAfterAll(file) => {
                self.unopened.remove(file);
            }
            _ => {}
        }
    }

    /// The entries that amount to this.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let out_of_sight = self.out_of_sight.iter();
        let out_of_sight =
            out_of_sight.map(|(folder, since)| Entry::OutOfSight(folder.clone(), Some(*since)));
        let unopened = self.unopened.iter();
        let unopened = unopened.map(|(file, size)| Entry::Unopened(file.clone(), *size));
        let at = self.at.map(Entry::Looked).into_iter();
        at.chain(out_of_sight).chain(unopened)
    }

    /// A file that could not be opened, as an input met it.
    pub(crate) fn unopened(&self, input: &str, inode: u64, birth: Time) -> Option<&Unopened> {
        let mut of_file = self.unopened_as(inode, birth);
        of_file.find(|it| it.input == input)
    }

    /// Whether some input met a file that it could not open.
    pub(crate) fn is_unopened(&self, inode: u64, birth: Time) -> bool {
        self.unopened_as(inode, birth).next().is_some()
    }

    fn unopened_as(&self, inode: u64, birth: Time) -> impl Iterator<Item = &Unopened> {
        let from = Unopened {
            inode,
            birth,
            input: String::new(),
            path: PathBuf::new(),
        };
        let from = self.unopened.range(from..).map(|(file, _)| file);
        from.take_while(move |it| (it.inode, it.birth) == (inode, birth))
    }
}
