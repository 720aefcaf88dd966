//! Who has files open for writing. The system knows it, and says it to the owner of a file; else
//! it is what can be seen of the processes of this container or host. Only looks.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::file::FileKey;
use super::lease;

/// So many writers are remembered at most.
const REMEMBERED: usize = 10_000;

/// What is known of a file's writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// Somebody has it open for writing.
    There,
    /// Nobody has.
    Gone,
    /// Nobody has among the processes that can be seen; there may be others.
    Unseen,
}

/// A file of which only a look at every process can tell who writes it.
#[derive(Debug)]
pub(in crate::source) struct Unsure {
    key: FileKey,
    name: OsString,
}

impl Unsure {
    /// A file that is not open, at this path.
    pub(in crate::source) fn at(key: FileKey, path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default();
        let name = name.to_owned();
        Self { key, name }
    }

    /// An open file, whatever it is called by now.
    fn of(key: FileKey, file: &File) -> Self {
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        let path = fs::read_link(link).unwrap_or_default();
        let name = name_in(&path).to_owned();
        Self { key, name }
    }
}

/// The writers that were seen.
#[derive(Debug, Default)]
pub(in crate::source) struct Writers {
    /// The descriptor below `/proc` by which each file is written.
    seen: HashMap<FileKey, PathBuf>,
}

impl Writers {
    /// What is known of the writers of these files, each of them open if it can be.
    pub(in crate::source) fn ask<F: Borrow<File>>(
        &mut self,
        files: impl IntoIterator<Item = (FileKey, Result<F, Unsure>)>,
    ) -> BTreeMap<FileKey, Writer> {
        let (mut writers, mut unsure) = (BTreeMap::new(), Vec::new());
        for (key, file) in files {
            match file.and_then(|file| self.of(key, file.borrow())) {
                Ok(writer) => _ = writers.insert(key, writer),
                Err(file) => unsure.push(file),
            }
        }
        if !unsure.is_empty() {
            writers.extend(self.look_for(&unsure));
        }
        writers
    }

    /// What can be said of an open file's writers without a look at every process.
    pub(in crate::source) fn of(&self, key: FileKey, file: &File) -> Result<Writer, Unsure> {
        match lease::is_written(file) {
            Some(true) => Ok(Writer::There),
            Some(false) => Ok(Writer::Gone),
            None if self.is_seen_again(key) => Ok(Writer::There),
            None => Err(Unsure::of(key, file)),
        }
    }

    /// Whether one that was seen writes the file still.
    fn is_seen_again(&self, key: FileKey) -> bool {
        let descriptor = self.seen.get(&key);
        descriptor.is_some_and(|it| written_by(it) == Some(key))
    }

    /// Looks for writers of these files at every process.
    pub(in crate::source) fn look_for<F: Borrow<Unsure>>(
        &mut self,
        files: &[F],
    ) -> BTreeMap<FileKey, Writer> {
        let files: Vec<_> = files.iter().map(Borrow::borrow).collect();
        let found = found_among_processes(&files);
        let mut writers = BTreeMap::new();
        for Unsure { key, .. } in files {
            let writer = if found.contains_key(key) {
                Writer::There
            } else if self.seen.remove(key).is_some() {
                // Who could be seen is gone.
                Writer::Gone
            } else {
                Writer::Unseen
            };
            writers.insert(*key, writer);
        }
        if self.seen.len() > REMEMBERED {
            self.seen.clear();
        }
        self.seen.extend(found);
        writers
    }
}

/// The descriptors by which processes that can be seen write these files.
fn found_among_processes(files: &[&Unsure]) -> HashMap<FileKey, PathBuf> {
    let mut wanted: HashMap<&OsStr, Vec<FileKey>> = HashMap::new();
    for file in files {
        wanted.entry(&file.name).or_default().push(file.key);
    }
    let mut found = HashMap::new();
    #[cfg(test)]
    if super::sight::is_lost() {
        return found;
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_process = |name: &OsStr| name.as_bytes().iter().all(u8::is_ascii_digit);
    for process in processes.filter(|it| is_process(&it.file_name())) {
        // It may be another user's, or have ended.
        let descriptors = fs::read_dir(process.path().join("fd"));
        for descriptor in descriptors.into_iter().flatten().flatten() {
            let descriptor = descriptor.path();
            let path = fs::read_link(&descriptor).unwrap_or_default();
            // What leads to a file of another name is not followed: it may lie on a server that is
            // away.
            if let Some(keys) = wanted.get(name_in(&path))
                && let Some(key) = written_by(&descriptor)
                && keys.contains(&key)
            {
                found.insert(key, descriptor);
            }
        }
    }
    found
}

/// The name of the file that a descriptor's link tells of.
fn name_in(link: &Path) -> &OsStr {
    let name = link.file_name().unwrap_or_default().as_bytes();
    OsStr::from_bytes(name.strip_suffix(b" (deleted)").unwrap_or(name))
}

/// The file that is written by a descriptor below `/proc`.
fn written_by(descriptor: &Path) -> Option<FileKey> {
    let metadata = fs::metadata(descriptor).ok()?;
    let info = descriptor.parent()?.with_file_name("fdinfo");
    let info = fs::read_to_string(info.join(descriptor.file_name()?));
    is_writable(&info.unwrap_or_default()).then(|| FileKey::of(&metadata))
}

/// Reads the text of `/proc/<pid>/fdinfo/<fd>`; in doubt it is.
fn is_writable(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_none_or(|flags| flags & 0o3 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a look at the processes says of the file, called so.
    fn seen(writers: &mut Writers, key: FileKey, path: &Path) -> Writer {
        writers.look_for(&[Unsure::at(key, path)])[&key]
    }

    #[test]
    fn a_writer_is_seen_among_the_processes_until_it_closes_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        fs::write(&path, "x").unwrap();
        let reader = File::open(&path).unwrap();
        let key = FileKey::of(&reader.metadata().unwrap());
        let mut writers = Writers::default();
        assert_eq!(seen(&mut writers, key, &path), Writer::Unseen);
        let writer = File::options().append(true).open(&path).unwrap();
        assert_eq!(seen(&mut writers, key, &path), Writer::There);
        // Whatever it is called by now.
        for name in [Some("archived.log"), None] {
            match name {
                Some(name) => fs::rename(&path, path.with_file_name(name)).unwrap(),
                None => fs::remove_file(path.with_file_name("archived.log")).unwrap(),
            }
            let Unsure { name, .. } = Unsure::of(key, &reader);
            assert_eq!(name, "archived.log");
            let found = writers.look_for(&[Unsure { key, name }]);
            assert_eq!(found[&key], Writer::There);
            assert!(writers.is_seen_again(key));
        }
        drop(writer);
        assert!(!writers.is_seen_again(key));
        let unsure = Unsure::of(key, &reader);
        assert_eq!(writers.look_for(&[unsure])[&key], Writer::Gone);
        assert_eq!(seen(&mut writers, key, &path), Writer::Unseen);
    }

    #[test]
    fn each_file_gets_an_answer_whoever_can_give_it() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = dir.path().join(name);
            let writer = File::create(&path).unwrap();
            (FileKey::of(&writer.metadata().unwrap()), path, writer)
        };
        let (one, two) = (make("one"), make("two"));
        let mut writers = Writers::default();
        let mut ask = || {
            writers.ask([
                (one.0, Ok(File::open(&one.1).unwrap())),
                (two.0, Err(Unsure::at(two.0, &two.1))),
            ])
        };
        let both = [(one.0, Writer::There), (two.0, Writer::There)];
        assert_eq!(ask(), both.into());
        drop((one.2, two.2));
        let after = ask();
        assert!(after.values().all(|it| *it != Writer::There), "{after:?}");
    }
}
