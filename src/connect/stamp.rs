//! Tells whether a file has changed since it was read.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What changes when a file is written or replaced, also through a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let it = std::fs::metadata(path)?;
        Ok(Self {
            device: it.dev(),
            inode: it.ino(),
            size: it.size(),
            changed: (it.ctime(), it.ctime_nsec()),
        })
    }
}
