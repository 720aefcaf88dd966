//! What lies in a folder. While names change, a listing may leave out a file that is there all the
//! time: so a folder is listed until two listings agree. Opens nothing.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

#[cfg(test)]
use crate::source::meanwhile;
use crate::source::system::file::FileKey;

/// So often a folder is listed in the hope that two listings agree.
const MOST_LISTINGS: usize = 8;

/// What was found in a folder.
#[derive(Debug, Default)]
pub(in crate::source) struct Listing {
    /// The wanted names that lead to something, with what the system says of that.
    pub(in crate::source) files: BTreeMap<PathBuf, Metadata>,
    /// Whether there is no name at all.
    pub(in crate::source) is_empty: bool,
    /// Whether two listings agreed, and the system told of every wanted name what it leads to.
    pub(in crate::source) is_certain: bool,
    /// Whether a name was gone before it was asked where it leads.
    has_missed: bool,
}

impl Listing {
    /// Lists a folder. A folder that cannot be listed is an error.
    pub(in crate::source) fn of(
        folder: &Path,
        is_wanted: impl Fn(&Path) -> bool,
    ) -> io::Result<Self> {
        let mut last = Self::once(folder, &is_wanted)?;
        for _ in 1..MOST_LISTINGS {
            let next = Self::once(folder, &is_wanted)?;
            let is_same = !next.has_missed && next.keys().eq(last.keys());
            last = next;
            if is_same {
                return Ok(last);
            }
        }
        last.is_certain = false;
        Ok(last)
    }

    fn once(folder: &Path, is_wanted: impl Fn(&Path) -> bool) -> io::Result<Self> {
        let mut listing = Self {
            is_empty: true,
            is_certain: true,
            ..Self::default()
        };
        let mut wanted = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            listing.is_empty = false;
            let path = entry?.path();
            if is_wanted(&path) {
                wanted.push(path);
            }
        }
        #[cfg(test)]
        meanwhile::happen(meanwhile::After::Listing);
        for path in wanted {
            match std::fs::metadata(&path) {
                Ok(metadata) => {
                    listing.files.insert(path, metadata);
                }
                // A dangling link leads to nothing.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    listing.has_missed |= path.symlink_metadata().is_err();
                }
                Err(_) => listing.is_certain = false,
            }
        }
        Ok(listing)
    }

    fn keys(&self) -> impl Iterator<Item = (&Path, FileKey)> {
        let files = self.files.iter();
        files.map(|(path, metadata)| (path.as_path(), FileKey::of(metadata)))
    }
}
