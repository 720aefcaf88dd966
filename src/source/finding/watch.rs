//! Learns from the system which names in which folders changed. Owns the inotify descriptor;
//! knows nothing of inputs. Where inotify cannot serve, it says so and the files are polled.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::source::system::volume;

/// What changed since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Names that were created, written, moved or removed.
    pub(crate) names: BTreeSet<PathBuf>,
    /// Folders came or went, or events were lost: only a whole walk will do.
    pub(crate) needs_walk: bool,
}

/// Watches on folders.
#[derive(Debug)]
pub(crate) struct Watch {
    inotify: Option<OwnedFd>,
    /// Of what it is told.
    flags: WatchFlags,
    /// The names of the folder that each watch is on.
    folders: HashMap<i32, Vec<PathBuf>>,
    /// Why there are no events at all.
    trouble: Option<String>,
    /// Folders that cause none, and why.
    unserved: BTreeMap<PathBuf, String>,
    /// What was gathered and not drained yet.
    pending: Touched,
    /// Folders that were deleted.
    deleted: BTreeSet<PathBuf>,
}

impl Watch {
    /// A watch on nothing yet.
    pub(crate) fn new() -> Self {
        Self::of(
            WatchFlags::CREATE
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO
                | WatchFlags::DELETE
                | WatchFlags::MODIFY
                | WatchFlags::ATTRIB
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF,
        )
    }

    /// The same, which is told of names that come, and of nothing else.
    pub(crate) fn of_arrivals() -> Self {
        Self::of(WatchFlags::CREATE | WatchFlags::MOVED_TO)
    }

    fn of(flags: WatchFlags) -> Self {
        let (inotify, trouble) = match inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC) {
            Ok(inotify) => (Some(inotify), None),
            Err(error) => (
                None,
                Some(limit_reached("fs.inotify.max_user_instances", error)),
            ),
        };
        Self {
            inotify,
            flags,
            folders: HashMap::new(),
            trouble,
            unserved: BTreeMap::new(),
            pending: Touched::default(),
            deleted: BTreeSet::new(),
        }
    }

    /// The descriptor that becomes readable when something changed.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        use std::os::fd::AsFd as _;
        self.inotify.as_ref().map(OwnedFd::as_fd)
    }

    /// Whether files must be looked at every second, because no event will come for some.
    pub(crate) fn is_polled(&self) -> bool {
        self.inotify.is_none() || !self.unserved.is_empty()
    }

    /// Why files are polled.
    pub(crate) fn trouble(&self) -> Option<&str> {
        let of_folders = self.unserved.values();
        self.trouble
            .iter()
            .chain(of_folders)
            .next()
            .map(String::as_str)
    }

    /// Watches exactly these folders from now on. Returns those that are new: what happened in
    /// them before is only seen by a walk.
    pub(crate) fn set_folders(&mut self, folders: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        if self.inotify.is_none() {
            // The limit may have been raised meanwhile.
            let unserved = std::mem::take(&mut self.unserved);
            *self = Self {
                unserved,
                ..Self::of(self.flags)
            };
        }
        let Some(inotify) = &self.inotify else {
            return BTreeSet::new();
        };
        self.unserved.retain(|folder, _| folders.contains(folder));
        let flags = self.flags | WatchFlags::ONLYDIR;
        let before = std::mem::take(&mut self.folders);
        let mut all_new = BTreeSet::new();
        for folder in folders {
            // Of a name that leads to a folder which is watched, the system gives the same watch
            // again; a link may lead to another one by now.
            match inotify::add_watch(inotify, folder, flags) {
                Ok(watch) => {
                    let is_new = before.get(&watch).is_none_or(|it| !it.contains(folder));
                    if is_new {
                        self.unserved.remove(folder);
                        if let Some(reason) = why_no_events(folder) {
                            self.unserved.insert(folder.clone(), reason);
                        }
                        all_new.insert(folder.clone());
                    }
                    let names = self.folders.entry(watch).or_default();
                    names.push(folder.clone());
                }
                Err(Errno::NOENT | Errno::NOTDIR) => {
                    self.unserved.remove(folder);
                }
                Err(error) => {
                    let reason = if error == Errno::NOSPC {
                        limit_reached("fs.inotify.max_user_watches", error)
                    } else {
                        format!("cannot watch {}: {error}", folder.display())
                    };
                    self.unserved.insert(folder.clone(), reason);
                }
            }
        }
        for watch in before.into_keys() {
            if !self.folders.contains_key(&watch) {
                // It fails when the folder itself is gone, which ends its watch too.
                let _ = inotify::remove_watch(inotify, watch);
            }
        }
        all_new
    }

    /// Takes all events that are there.
    pub(crate) fn drain(&mut self) -> Touched {
        self.gather();
        std::mem::take(&mut self.pending)
    }

    /// The folders that were deleted since this was last asked. One that was renamed, or on which another
    /// volume was mounted, is not among them.
    pub(crate) fn take_deleted(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.deleted)
    }

    /// Gives back all that it takes of the system. It begins anew when it is given folders again.
    pub(crate) fn give_up(&mut self) {
        self.inotify = None;
        self.folders.clear();
    }

    /// Whether events were gathered that the descriptor tells of no more.
    pub(crate) fn has_pending(&self) -> bool {
        self.pending != Touched::default()
    }

    /// Takes the events that are there for the next time that they are drained. Returns whether
    /// a file was renamed.
    pub(crate) fn gather(&mut self) -> bool {
        let Some(inotify) = &self.inotify else {
            return false;
        };
        let touched = &mut self.pending;
        let mut is_any_renamed = false;
        let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
        let mut reader = inotify::Reader::new(inotify, &mut buffer);
        let mut dead = Vec::new();
        // Ends with WOULDBLOCK when there is no event any more.
        while let Ok(event) = reader.next() {
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                touched.needs_walk = true;
                continue;
            }
            if flags.intersects(ReadFlags::IGNORED | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF)
            {
                if flags.contains(ReadFlags::DELETE_SELF) {
                    let folders = self.folders.get(&event.wd());
                    self.deleted.extend(folders.into_iter().flatten().cloned());
                }
                dead.push(event.wd());
                touched.needs_walk = true;
                continue;
            }
            let Some(folders) = self.folders.get(&event.wd()) else {
                continue;
            };
            if flags.contains(ReadFlags::ISDIR) {
                touched.needs_walk |= flags.intersects(
                    ReadFlags::CREATE
                        | ReadFlags::MOVED_FROM
                        | ReadFlags::MOVED_TO
                        | ReadFlags::DELETE
                        | ReadFlags::ATTRIB,
                );
            } else if let Some(name) = event.file_name() {
                is_any_renamed |= flags.intersects(ReadFlags::MOVED_FROM | ReadFlags::MOVED_TO);
                let name = OsStr::from_bytes(name.to_bytes());
                touched.names.extend(folders.iter().map(|it| it.join(name)));
            }
        }
        for watch in dead {
            if self.folders.remove(&watch).is_some() {
                let _ = inotify::remove_watch(inotify, watch);
            }
        }
        is_any_renamed
    }
}

fn limit_reached(setting: &str, error: Errno) -> String {
    format!(
        "inotify is not to be had ({error}): raise {setting}; until then files are looked at every second"
    )
}

/// Why the system tells nothing of changes in this folder, where that is known.
fn why_no_events(folder: &Path) -> Option<String> {
    let name = volume::shared(&rustix::fs::statfs(folder).ok()?)?;
    Some(format!(
        "{} lies on {name}, where changes made elsewhere cause no event: its files are looked at every second",
        folder.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(paths: &[&Path]) -> BTreeSet<PathBuf> {
        paths.iter().map(|path| path.to_path_buf()).collect()
    }

    #[test]
    fn names_that_change_are_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut watch = Watch::new();
        let folder = set(&[dir.path()]);
        assert_eq!(watch.set_folders(&folder), folder);
        assert_eq!(watch.set_folders(&folder), set(&[]));
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, "x").unwrap();
        std::fs::rename(&one, &two).unwrap();
        assert!(watch.gather() && watch.has_pending() && !watch.gather());
        let touched = watch.drain();
        assert_eq!(touched.names, set(&[&one, &two]));
        assert!(!touched.needs_walk);
        assert_eq!(watch.drain(), Touched::default());
    }

    #[test]
    fn a_watch_of_arrivals_is_told_of_names_that_come_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        std::fs::write(&one, "x").unwrap();
        let mut watch = Watch::of_arrivals();
        watch.set_folders(&set(&[dir.path()]));
        std::fs::write(&one, "xy").unwrap();
        assert_eq!(watch.drain(), Touched::default());
        std::fs::rename(&one, &two).unwrap();
        assert_eq!(watch.drain().names, set(&[&two]));
        std::fs::remove_file(&two).unwrap();
        assert_eq!(watch.drain(), Touched::default());
        watch.give_up();
        assert!(watch.descriptor().is_none());
        watch.set_folders(&set(&[dir.path()]));
        std::fs::write(&one, "x").unwrap();
        assert_eq!(watch.drain().names, set(&[&one]));
    }

    #[test]
    fn a_folder_that_comes_or_goes_asks_for_a_walk() {
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("inner");
        let mut watch = Watch::new();
        watch.set_folders(&set(&[dir.path()]));
        std::fs::create_dir(&inner).unwrap();
        assert!(watch.drain().needs_walk);
        let folders = set(&[dir.path(), &inner]);
        assert_eq!(watch.set_folders(&folders), set(&[&inner]));
        std::fs::remove_dir(&inner).unwrap();
        assert!(watch.drain().needs_walk);
        std::fs::create_dir(&inner).unwrap();
        let watched_anew = watch.set_folders(&folders);
        assert_eq!(watched_anew, set(&[&inner]));
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_watched_where_it_leads_and_both_names_of_a_folder_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["one", "two"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::os::unix::fs::symlink("one", at("link")).unwrap();
        let mut watch = Watch::new();
        let folders = set(&[&at("link"), &at("one")]);
        assert_eq!(watch.set_folders(&folders), folders);
        std::fs::write(at("one/a"), "x").unwrap();
        assert_eq!(watch.drain().names, set(&[&at("link/a"), &at("one/a")]));
        std::fs::remove_file(at("link")).unwrap();
        std::os::unix::fs::symlink("two", at("link")).unwrap();
        assert_eq!(watch.set_folders(&folders), set(&[&at("link")]));
        assert_eq!(watch.set_folders(&folders), set(&[]));
        for name in ["one/b", "two/b"] {
            std::fs::write(at(name), "x").unwrap();
        }
        assert_eq!(watch.drain().names, set(&[&at("link/b"), &at("one/b")]));
        // One name less of a folder that has another.
        std::fs::remove_file(at("link")).unwrap();
        std::os::unix::fs::symlink("one", at("link")).unwrap();
        watch.set_folders(&folders);
        watch.set_folders(&set(&[&at("one")]));
        std::fs::write(at("one/c"), "x").unwrap();
        assert_eq!(watch.drain().names, set(&[&at("one/c")]));
    }
}
