//! Files at rest. A look at everything most often finds the names that the last one found: these are
//! remembered, folder by folder, so that such a look costs a listing of each folder and one question
//! for each file. Where anything else is found than what is remembered, everything is listed anew.
//! Opens no file.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, RawDir, RawDirEntry, open};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::links::Links;
use super::names::Name;
use crate::journal::Journal;
use crate::source::Source;
use crate::source::system::file::Stat;
use crate::span::GenerationId;

/// So much of a listing is taken from the system at once, in bytes.
const LISTED_AT_ONCE: usize = 16 * 1024;

/// What is remembered from look to look.
#[derive(Debug, Default)]
pub(in crate::source) struct Rest {
    known: Option<Known>,
    /// The version of what names held when everything was last listed. Where names come and go,
    /// what lies in the folders is not worth to be remembered.
    last: Option<u64>,
}

impl Rest {
    /// Whether the names of all folders are remembered.
    #[cfg(test)]
    pub(in crate::source) fn is_known(&self) -> bool {
        self.known.is_some()
    }
}

/// The names of all folders in which something can be meant; there is no symbolic link among them.
#[derive(Debug)]
struct Known {
    /// The version of what names hold.
    version: u64,
    folders: BTreeSet<PathBuf>,
    /// What lies in each of them.
    contents: Vec<Folder>,
}

/// The names of one folder.
#[derive(Debug, Default)]
struct Folder {
    /// A hash of each name and its kind, in the order in which the system lists them.
    entries: Vec<u64>,
    /// Those that hold a generation, in the same order.
    held: Vec<Holder>,
    /// Those that are meant and hold none.
    unheld: Vec<Name>,
    /// Those that rotation gave to meant ones.
    siblings: Vec<Name>,
}

#[derive(Debug)]
struct Holder {
    /// Which of the entries it is.
    entry: usize,
    input: usize,
    holds: GenerationId,
}

impl Source {
    /// The names that are to be looked at where the folders hold the names that are remembered;
    /// nothing where they do not. Adds folders that are new to the watch.
    pub(in crate::source) fn names_at_rest(
        &mut self,
        new_folders: &mut BTreeSet<PathBuf>,
        journal: &Journal,
    ) -> Option<Vec<Name>> {
        let known = self.rest.known.take()?;
        self.rest.last = None;
        if known.version != self.by_path.version() || self.are_links_above() {
            return None;
        }
        new_folders.extend(self.watch_folders(&known.folders));
        if !new_folders.is_empty() {
            return None;
        }
        let mut names = Vec::new();
        for (path, folder) in known.folders.iter().zip(&known.contents) {
            self.compare(path, folder, journal, &mut names)?;
        }
        self.rest.last = Some(known.version);
        self.rest.known = Some(known);
        Some(names)
    }

    /// Whether a symbolic link is in the path of a folder in which something is meant.
    fn are_links_above(&self) -> bool {
        let mut links = Links::default();
        for base in self.inputs.iter().flat_map(|input| input.globs.bases()) {
            links.follow_path(base, &mut BTreeSet::new());
        }
        !links.is_empty()
    }

    /// Compares a folder with what is remembered of it, and adds the names that are to be looked at.
    /// Nothing where other names are in it.
    fn compare(
        &self,
        path: &Path,
        folder: &Folder,
        journal: &Journal,
        names: &mut Vec<Name>,
    ) -> Option<()> {
        let mut held = folder.held.iter().peekable();
        let mut count = 0;
        list(path, |opened, entry| {
            if folder.entries.get(count) != Some(&hash_of(entry)) {
                return None;
            }
            let is_it = |holder: &&Holder| holder.entry == count;
            let stat = held.peek().copied().filter(is_it);
            let stat = stat.and_then(|_| Stat::at(opened, entry.file_name()));
            while let Some(holder) = held.next_if(is_it) {
                if !stat.is_some_and(|it| self.is_at_rest(holder.holds, &it)) {
                    names.push(Name::Meant(holder.input, path.join(name_of(entry))));
                }
            }
            count += 1;
            Some(())
        })?;
        let is_news = |path| self.leads_to_news(path, journal);
        let news = folder.siblings.iter();
        let news = news.filter(|it| it.path().is_some_and(is_news));
        names.extend(folder.unheld.iter().chain(news).cloned());
        (count == folder.entries.len()).then_some(())
    }

    /// After everything was listed: remembers the names that lie in these folders, where the next
    /// look is likely to find the same.
    pub(in crate::source) fn remember_rest(
        &mut self,
        folders: BTreeSet<PathBuf>,
        is_first: bool,
        is_whole: bool,
    ) {
        let version = self.by_path.version();
        let last = self.rest.last.replace(version);
        let is_likely = is_first || last == Some(version);
        // Where a link leads is only found out by following it.
        if is_likely && is_whole && self.links.is_empty() {
            self.rest.known = self.what_is_in(folders);
        }
    }

    fn what_is_in(&self, folders: BTreeSet<PathBuf>) -> Option<Known> {
        let contents = folders.iter().map(|path| self.folder_of(path, &folders));
        let contents: Vec<_> = contents.collect::<Option<_>>()?;
        let held: usize = contents.iter().map(|it| it.held.len()).sum();
        // A name that was not listed must be asked for by itself.
        (held == self.by_path.len()).then(|| Known {
            version: self.by_path.version(),
            folders,
            contents,
        })
    }

    /// What lies in one of these folders; nothing where it can only be found out by walking.
    fn folder_of(&self, path: &Path, folders: &BTreeSet<PathBuf>) -> Option<Folder> {
        let mut folder = Folder::default();
        list(path, |_, entry| {
            let path = path.join(name_of(entry));
            let kind = entry.file_type();
            let is_plain = kind == FileType::RegularFile;
            let mut inputs = self.inputs.iter();
            let needs_walk = match kind {
                FileType::Directory => {
                    inputs.any(|it| it.globs.may_enter(&path)) && !folders.contains(&path)
                }
                FileType::Symlink => {
                    inputs.any(|it| it.globs.may_enter(&path) || it.globs.matches(&path))
                }
                FileType::Unknown => true,
                _ => false,
            };
            if needs_walk {
                return None;
            }
            for (input, it) in self.inputs.iter().enumerate() {
                if !is_plain || !it.globs.matches(&path) {
                    folder.siblings.extend(self.sibling_of(input, &path));
                } else if let Some(holds) = self.by_path.get(input, &path) {
                    let entry = folder.entries.len();
                    folder.held.push(Holder {
                        entry,
                        input,
                        holds,
                    });
                } else {
                    folder.unheld.push(Name::Meant(input, path.clone()));
                }
            }
            folder.entries.push(hash_of(entry));
            Some(())
        })?;
        Some(folder)
    }
}

/// Lists a folder, for as long as `each` gives something. Nothing where that is not to the end.
fn list(
    folder: &Path,
    mut each: impl FnMut(BorrowedFd<'_>, &RawDirEntry<'_>) -> Option<()>,
) -> Option<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = open(folder, flags, Mode::empty()).ok()?;
    let mut buffer = [MaybeUninit::uninit(); LISTED_AT_ONCE];
    let mut entries = RawDir::new(&opened, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.ok()?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            each(opened.as_fd(), &entry)?;
        }
    }
    Some(())
}

fn name_of<'a>(entry: &'a RawDirEntry<'_>) -> &'a OsStr {
    OsStr::from_bytes(entry.file_name().to_bytes())
}

fn hash_of(entry: &RawDirEntry<'_>) -> u64 {
    let kind = u64::from(entry.file_type().as_raw_mode());
    xxh3_64_with_seed(entry.file_name().to_bytes(), kind)
}
