//! Whose a state directory is: the lock, and why a directory cannot be used. Reads and writes no
//! entry.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::volume::Handle as _;
use crate::crash_point;

/// The lines of an application are nobody else's business.
pub(super) const PRIVATE: u32 = 0o600;

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another agent has it.
    #[error("another agent holds the state directory {}{}: give each agent a state_dir of its own", dir.display(), called(*pid))]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The process of that agent, where the system tells it.
        pid: Option<u32>,
    },
    /// The system refuses.
    #[error("cannot {action} {}: {source}{}", path.display(), mending(path, source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refuses one who only looks.
    #[error("cannot {action} {}: {source}{mending}", path.display())]
    Look {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// What would help.
        mending: String,
    },
}

/// Who may look at a state directory that is closed to us: it is for the user of its agent alone.
pub(crate) fn who_may_look(dir: &Path) -> String {
    let owner = std::fs::metadata(dir).ok().map(|it| it.uid());
    run_it_as(owner, rustix::process::geteuid().as_raw())
}

fn run_it_as(owner: Option<u32>, own: u32) -> String {
    match owner {
        Some(owner) if owner == own => String::new(),
        Some(owner) => format!("; run this as the user of the agent (uid {owner}) or as root"),
        None => "; run this as the user of the agent or as root".to_owned(),
    }
}

fn called(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

/// The process that holds the lock of a file; nothing where the system does not tell, as of one in
/// another container.
fn holder(file: &File) -> Option<u32> {
    let metadata = file.metadata().ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    let [major, minor] = [rustix::fs::major(device), rustix::fs::minor(device)];
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    holder_in(&locks, &format!("{major:02x}:{minor:02x}:{inode}"))
}

/// The same in the words of `/proc/locks`.
fn holder_in(locks: &str, file: &str) -> Option<u32> {
    let held = locks.lines().filter_map(|line| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        match words[..] {
            [_, "FLOCK", _, _, pid, at, ..] if at == file => pid.parse().ok(),
            _ => None,
        }
    });
    held.into_iter().find(|pid| *pid > 0)
}

fn mending(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let uid = rustix::process::geteuid().as_raw();
            let gid = rustix::process::getegid().as_raw();
            format!(
                "; this process runs as uid {uid}, gid {gid}: give it write permission on {}, or set state_dir to a folder of its own",
                path.parent().unwrap_or(path).display()
            )
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; set state_dir to a folder on a volume that can be written".to_owned()
        }
        io::ErrorKind::StorageFull => "; make room on its volume".to_owned(),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "; a part of the path is a file".to_owned()
        }
        _ => String::new(),
    }
}

impl OpenError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}

impl OpenError {
    /// The same for who only looks at this state directory.
    pub(super) fn looking(
        dir: &Path,
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let (dir, path) = (dir.to_owned(), path.to_owned());
        move |source| {
            let mending = match source.kind() {
                io::ErrorKind::PermissionDenied => who_may_look(&dir),
                _ => String::new(),
            };
            Self::Look {
                action,
                path,
                source,
                mending,
            }
        }
    }
}

/// What a state directory is like for an agent that would begin with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is not there, and can be made in this folder.
    CanBeMade(PathBuf),
    /// It is there, and no agent holds it.
    Free,
    /// An agent holds it.
    Held,
}

/// Looks whether a state directory could be used. Leaves nothing behind, and disturbs no agent that
/// holds it.
pub(crate) fn look_at_place(dir: &Path) -> Result<Place, OpenError> {
    let Some(existing) = dir.ancestors().find(|it| it.exists()) else {
        return Ok(Place::CanBeMade(dir.to_owned()));
    };
    let is_there = existing == dir;
    let (action, path) = if is_there {
        ("write to", dir.join("lock"))
    } else {
        ("create the state directory", dir.to_owned())
    };
    try_to_write(existing).map_err(OpenError::io(action, &path))?;
    if !is_there {
        return Ok(Place::CanBeMade(existing.to_owned()));
    }
    let path = dir.join("lock");
    let file = match OpenOptions::new().read(true).write(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::Free),
        Err(error) => return Err(OpenError::io("open", &path)(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Place::Free),
        Err(std::fs::TryLockError::WouldBlock) => Ok(Place::Held),
        Err(std::fs::TryLockError::Error(error)) => Err(OpenError::io("lock", &path)(error)),
    }
}

/// Writes a file without a name, where the file system has such; it is gone once it is closed.
fn try_to_write(folder: &Path) -> io::Result<()> {
    use rustix::fs::{Access, Mode, OFlags, access};
    if !folder.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK)?;
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => rustix::io::write(&file, &[0; 4096]).map(|_| ())?,
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// The exclusive right to a state directory; the system gives it back when the process ends.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Creates the directory if it is missing, and takes its lock.
    pub(super) fn take(dir: &Path) -> Result<Self, OpenError> {
        let missing: Vec<_> = dir.ancestors().take_while(|it| !it.exists()).collect();
        std::fs::create_dir_all(dir).map_err(OpenError::io("create the state directory", dir))?;
        if !missing.is_empty() {
            crash_point::pass("state_dir_made");
        }
        // What is synced in a directory is lost with the directory's name. Where the folder above
        // cannot be opened for reading there is no other way.
        for parent in missing.iter().filter_map(|it| it.parent()) {
            let _ = File::open(parent).and_then(|parent| parent.sync_all());
        }
        let path = dir.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(PRIVATE)
            .open(&path)
            .map_err(OpenError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::Locked {
                dir: dir.to_owned(),
                pid: holder(&file),
            }),
            Err(std::fs::TryLockError::Error(error)) => Err(OpenError::io("lock", &path)(error)),
        }
    }

    /// Whether the locked file is still the one in the directory.
    pub(super) fn is_in_place(&self, dir: &Path) -> bool {
        self.0.is_at(&dir.join("lock"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_way_is_told_at_the_start_as_by_a_look() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state");
        std::fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below")] {
            let at_start = Lock::take(&path).unwrap_err().to_string();
            let at_look = look_at_place(&path).unwrap_err().to_string();
            for told in [at_start, at_look] {
                assert!(told.ends_with("; a part of the path is a file"), "{told}");
            }
        }
    }

    #[test]
    fn the_holder_of_a_lock_is_read_from_the_list_of_the_system() {
        let locks = "1: POSIX  ADVISORY  WRITE 11 08:01:7 0 EOF
2: FLOCK  ADVISORY  WRITE 12 08:01:70 0 EOF
3: FLOCK  ADVISORY  WRITE 13 08:01:7 0 EOF
3: -> FLOCK  ADVISORY  WRITE 14 08:01:7 0 EOF
4: FLOCK  ADVISORY  WRITE 0 08:01:8 0 EOF
";
        assert_eq!(holder_in(locks, "08:01:7"), Some(13));
        assert_eq!(holder_in(locks, "08:01:8"), None, "of another container");
        assert_eq!(called(Some(13)), " (pid 13)");
    }

    #[test]
    fn who_only_looks_is_told_as_whom_to_run() {
        let dir = tempfile::tempdir().unwrap();
        let closed = || io::Error::from(io::ErrorKind::PermissionDenied);
        let away = dir.path().join("away");
        let told = OpenError::looking(&away, "read", &away)(closed()).to_string();
        assert!(
            told.ends_with("; run this as the user of the agent or as root"),
            "{told}"
        );
        assert!(!told.contains("write"), "{told}");
        assert_eq!(
            run_it_as(Some(998), 1000),
            "; run this as the user of the agent (uid 998) or as root"
        );
        assert_eq!(run_it_as(Some(998), 998), "");
    }
}
