//! What is news: files that were made since names were looked at, those that nobody could open when
//! they were met, and those of folders that were out of sight. All else that lies under a rotated name
//! and is not known is history.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::hidden::Folder;
use crate::journal::{Entry, Journal, MOST_UNOPENED, Unopened};
use crate::record::Time;
use crate::source::system::file::{FileKey, birth_of};
use crate::source::{Moment, Place, Source};

impl Source {
    /// Whether a file was made since its folder was looked at.
    pub(in crate::source) fn is_news(&self, path: &Path, birth: Time) -> bool {
        let folder = path.parent();
        let since = folder.and_then(|it| self.hidden.news_since(it));
        self.clock.is_news(birth) || since.is_some_and(|it| self.clock.is_since(it, birth))
    }

    /// Whether a name leads to a file that is news, or for all we know may do so.
    pub(in crate::source) fn leads_to_news(&self, path: &Path, journal: &Journal) -> bool {
        match std::fs::metadata(path) {
            Ok(metadata) => {
                let birth = birth_of(&metadata);
                let looks = &journal.state().looks;
                self.is_news(path, birth) || looks.is_unopened(metadata.ino(), birth)
            }
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// A file that could not be opened when it was met, as it was met then.
    pub(in crate::source) fn unopened<'a>(
        &self,
        input: usize,
        metadata: &Metadata,
        journal: &'a Journal,
    ) -> Option<&'a Unopened> {
        let looks = &journal.state().looks;
        looks.unopened(&self.inputs[input].name, metadata.ino(), birth_of(metadata))
    }

    /// A file cannot be opened: whatever name it has when it can be, it is owed.
    pub(in crate::source) fn remember_unopened(
        &mut self,
        (input, path): (usize, &Path),
        metadata: &Metadata,
        error: &io::Error,
        journal: &mut Journal,
    ) {
        if let Some(file) = self.unopened(input, metadata, journal) {
            return self.unread.note(file, path, metadata.len(), error);
        }
        let looks = &journal.state().looks;
        if looks.unopened.len() >= MOST_UNOPENED || !metadata.is_file() {
            return;
        }
        let file = Unopened {
            inode: metadata.ino(),
            birth: birth_of(metadata),
            input: self.inputs[input].name.clone(),
            path: path.to_owned(),
        };
        // Where the system does not say when a file was made, each writing makes it another one.
        let is_same = |it: &&Unopened| {
            (it.inode, &it.input, &it.path) == (file.inode, &file.input, &file.path)
        };
        let before = looks.unopened.keys().find(is_same).cloned();
        self.unread.note(&file, path, metadata.len(), error);
        journal.append(&Entry::Unopened(file, metadata.len()));
        if let Some(before) = before {
            journal.append(&Entry::OpenedAfterAll(before));
        }
    }

    /// It was opened.
    pub(in crate::source) fn note_opened(
        &self,
        input: usize,
        metadata: &Metadata,
        journal: &mut Journal,
    ) {
        if let Some(file) = self.unopened(input, metadata, journal).cloned() {
            journal.append(&Entry::OpenedAfterAll(file));
        }
    }

    /// When no more files can be remembered that could not be opened: forgets those that are not
    /// where they were met.
    pub(in crate::source) fn limit_unopened(journal: &mut Journal) {
        let unopened = &journal.state().looks.unopened;
        if unopened.len() < MOST_UNOPENED {
            return;
        }
        let is_there = |it: &Unopened| {
            std::fs::metadata(&it.path).is_ok_and(|metadata| metadata.ino() == it.inode)
        };
        let gone: Vec<_> = unopened
            .keys()
            .filter(|it| !is_there(it))
            .cloned()
            .collect();
        for file in gone {
            journal.append(&Entry::OpenedAfterAll(file));
        }
    }

    /// The system does not say what lies at a name: of its folder not all is seen. Where a link leads
    /// says nothing of the folder in which it is.
    pub(in crate::source) fn lose_sight_of(&mut self, path: &Path) {
        let is_gone = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
        if !path.symlink_metadata().map_or_else(is_gone, |_| true)
            && let Some(folder) = path.parent()
        {
            self.hidden.lose(folder, self.clock.looked_at());
        }
    }

    /// Before the first look: takes up what an earlier run knew of the time.
    pub(in crate::source) fn begin_looks(&mut self, journal: &Journal, at: Moment) {
        let state = journal.state();
        let known = state.generations.values().map(|known| &known.identity);
        let youngest = known.clone().map(|it| it.birth).max();
        let begin = self.clock.resume(state.looks.at, youngest, at);
        self.boot.last_look = state.looks.at;
        let expected = state.looks.out_of_sight.iter();
        let expected = expected.map(|(folder, since)| (folder.clone(), begin.of_time(*since)));
        // What an earlier run knew is there, or away.
        let folders = known
            .filter(|it| !it.is_gone && self.means(&it.input, &it.path))
            .filter_map(|it| it.path.parent());
        let folders: BTreeSet<_> = folders.collect();
        let folders = folders.into_iter().map(|it| (it.to_owned(), begin));
        self.hidden.begin(begin, expected.chain(folders));
    }

    /// Whether an input of this name means this path.
    pub(in crate::source) fn means(&self, input: &str, path: &Path) -> bool {
        let mut inputs = self.inputs.iter().filter(|it| it.name == input);
        inputs.any(|it| it.globs.matches(path))
    }

    /// Takes note of which folders are in sight, after everything was listed.
    pub(in crate::source) fn see_folders(
        &mut self,
        listed: &BTreeSet<PathBuf>,
        failed: &BTreeSet<PathBuf>,
        at: Moment,
    ) {
        let ends = self.links.end_folders();
        let holds = |folder: &Path| {
            let mut inputs = self.inputs.iter();
            inputs.any(|it| it.globs.may_hold_files(folder)) || ends.contains(folder)
        };
        let seen = listed
            .iter()
            .filter(|it| holds(it) && !failed.contains(*it));
        let seen = seen.filter_map(|it| Some((it.clone(), folder_at(it).ok()?)));
        let seen: BTreeMap<_, _> = seen.collect();
        let deleted = self.watch.take_deleted();
        let looked_at = self.clock.looked_at();
        self.hidden
            .walked(seen, &deleted, holds, looked_at, at.time);
    }

    /// Whether a folder is no longer there, or another one, of which the system tells nothing: it
    /// keeps one that was deleted for as long as a deleted file of it is open.
    pub(in crate::source) fn has_lost_a_folder(&self) -> bool {
        let open = self.generations.values();
        let deleted = open.filter(|it| it.place == Place::Deleted);
        let folders: BTreeSet<_> = deleted.filter_map(|it| it.path.parent()).collect();
        folders.into_iter().any(|folder| {
            let listed = self.hidden.key_of(folder);
            listed.is_some_and(|listed| match std::fs::metadata(folder) {
                Ok(metadata) => FileKey::of(&metadata) != listed,
                Err(error) => error.kind() == io::ErrorKind::NotFound,
            })
        })
    }

    /// Tells the journal which folders are out of sight, where that is news.
    pub(in crate::source) fn note_out_of_sight(&self, journal: &mut Journal) {
        let Some(looked_at) = self.clock.looked_at() else {
            return;
        };
        let now = self.hidden.out_of_sight(looked_at.time);
        let noted = &journal.state().looks.out_of_sight;
        let news = now
            .iter()
            .filter(|(folder, since)| noted.get(**folder) != Some(since));
        let news = news.map(|(folder, since)| (folder.to_path_buf(), Some(*since)));
        let over = noted.keys().filter(|it| !now.contains_key(it.as_path()));
        let all: Vec<_> = news.chain(over.map(|it| (it.clone(), None))).collect();
        for (folder, since) in all {
            journal.append(&Entry::OutOfSight(folder, since));
        }
    }
}

/// What lies at a path, if it is a folder that can be listed.
fn folder_at(path: &Path) -> io::Result<Folder> {
    let first = std::fs::read_dir(path)?.next().transpose()?;
    Ok(Folder {
        key: FileKey::of(&std::fs::metadata(path)?),
        is_empty: first.is_none(),
    })
}
