//! Whether a file that was open in an earlier run, and is not found, is there no more. In doubt it
//! is: an empty or failed listing is never a deletion.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Source;
use super::file::birth_of;
use crate::journal::Identity;

/// What is known of a file that is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// It is at no name of the folder that it was in, nor of that in which its links end.
    Nowhere,
    /// It is there and cannot be opened yet, or its folder cannot be listed.
    Unknown,
    /// No input means it any more.
    NotOurs,
}

impl Source {
    /// Where the file of a generation is that no name led to.
    pub(crate) fn whereabouts(&self, identity: &Identity) -> Whereabouts {
        let input = self.inputs.iter().find(|it| it.name == identity.input);
        if !input.is_some_and(|it| it.globs.matches(&identity.path)) {
            return Whereabouts::NotOurs;
        }
        let folders = self.links.folders_beside(&identity.path);
        let is_nowhere = !folders.is_empty() && folders.iter().all(|it| is_not_in(it, identity));
        if is_nowhere {
            Whereabouts::Nowhere
        } else {
            Whereabouts::Unknown
        }
    }
}

/// Whether a file is at no name of a folder, as far as that can be told.
fn is_not_in(folder: &Path, identity: &Identity) -> bool {
    let Ok(listing) = std::fs::read_dir(folder) else {
        return false;
    };
    // With the folder itself an empty one may stand in for it, as where a volume is mounted late.
    let mut is_empty = true;
    for entry in listing {
        let metadata = entry.and_then(|entry| std::fs::metadata(entry.path()));
        is_empty = false;
        match metadata {
            Ok(it) if it.ino() == identity.inode && birth_of(&it) == identity.birth => {
                return false;
            }
            // A dangling link is none of its names.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => return false,
        }
    }
    !is_empty
}
