//! What the system says of a file: which one it is, when it was made, when it was written. Opens
//! nothing.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

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
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// When a file was made; where that is not known, when it was last written.
pub(super) fn birth_of(metadata: &Metadata) -> Time {
    #[cfg(test)]
    if let Some(made_up) = super::births::of(metadata.ino()) {
        return made_up;
    }
    metadata
        .created()
        .map_or_else(|_| modified(metadata), Time::from)
}

/// The modification time.
pub(super) fn modified(metadata: &Metadata) -> Time {
    Time(
        metadata
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(metadata.mtime_nsec()),
    )
}
