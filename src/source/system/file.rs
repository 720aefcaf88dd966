//! What the system says of a file: which one it is, when it was made, when it was written. Opens
//! nothing.

use std::ffi::CStr;
use std::fs::Metadata;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{AtFlags, StatxFlags, makedev, statx};

use crate::record::Time;

/// What tells open files apart within one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileKey {
    /// Device number.
    pub(crate) device: u64,
    /// Inode number.
    pub(crate) inode: u64,
}

impl FileKey {
    pub(in crate::source) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// What changes about a file when it is written or another one takes its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) struct Stat {
    pub(in crate::source) key: FileKey,
    /// How long it is, in bytes.
    pub(in crate::source) len: u64,
    pub(in crate::source) modified: Time,
}

impl Stat {
    pub(in crate::source) fn of(metadata: &Metadata) -> Self {
        Self {
            key: FileKey::of(metadata),
            len: metadata.len(),
            modified: modified(metadata),
        }
    }

    /// The same of a name in an open folder, and of nothing that a link leads to: far cheaper than
    /// to go the way to a path. Nothing where the system does not say it.
    pub(in crate::source) fn at(folder: BorrowedFd<'_>, name: &CStr) -> Option<Self> {
        let wanted = StatxFlags::INO | StatxFlags::SIZE | StatxFlags::MTIME;
        let said = statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, wanted).ok()?;
        Some(Self {
            key: FileKey {
                device: makedev(said.stx_dev_major, said.stx_dev_minor),
                inode: said.stx_ino,
            },
            len: said.stx_size,
            modified: time_of(said.stx_mtime.tv_sec, said.stx_mtime.tv_nsec.into()),
        })
    }
}

/// When a file was made; where that is not known, when it was last written.
pub(in crate::source) fn birth_of(metadata: &Metadata) -> Time {
    #[cfg(test)]
    if let Some(made_up) = super::births::of(metadata.ino()) {
        return made_up;
    }
    metadata
        .created()
        .map_or_else(|_| modified(metadata), Time::from)
}

/// The modification time.
pub(in crate::source) fn modified(metadata: &Metadata) -> Time {
    time_of(metadata.mtime(), metadata.mtime_nsec())
}

fn time_of(seconds: i64, nanos: i64) -> Time {
    Time(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}
