//! The few file operations that the journal makes, so that a test can make them on a disk that
//! fails and forgets. Owns no state and decides nothing.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::lock::{Lock, OpenError, PRIVATE};

/// Where the journal's files are.
pub(crate) trait Volume: fmt::Debug + Clone {
    /// An open file.
    type File: Handle;
    /// The exclusive right to a directory.
    type Lock: fmt::Debug;

    /// Creates the directory if it is missing, and takes its lock.
    fn lock(&self, dir: &Path) -> Result<Self::Lock, OpenError>;
    /// Whether the lock is still the one of the directory.
    fn is_in_place(&self, lock: &Self::Lock, dir: &Path) -> bool;
    /// Opens a file for reading and writing; it is created when it is missing.
    fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Whether there is something of this name.
    fn exists(&self, path: &Path) -> bool;
    /// Gives a file another name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a directory survive a power loss.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file.
pub(crate) trait Handle: fmt::Debug {
    /// Writes all of `bytes`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills all of `buffer`.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Length of the file in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Cuts the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Whether this name still leads to it.
    fn is_at(&self, path: &Path) -> bool;
    /// Makes content and length survive a power loss.
    fn sync_data(&self) -> io::Result<()>;
}

/// The file system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Real;

impl Volume for Real {
    type File = File;
    type Lock = Lock;

    fn lock(&self, dir: &Path) -> Result<Lock, OpenError> {
        Lock::take(dir)
    }

    fn is_in_place(&self, lock: &Lock, dir: &Path) -> bool {
        lock.is_in_place(dir)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(PRIVATE)
            .open(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.symlink_metadata().is_ok()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}

impl Handle for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn is_at(&self, path: &Path) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        match (self.metadata(), std::fs::metadata(path)) {
            (Ok(mine), Ok(there)) => (mine.dev(), mine.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync_data()
    }
}
