//! The temporary folder of a demo: made anew, readable by its owner only, and gone at the end
//! unless somebody wants to look into it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Removed with all that is in it when dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    is_kept: bool,
}

/// So many names are tried.
const NAMES: u32 = 1000;

impl Folder {
    /// Makes it below `parent`.
    pub(super) fn new(parent: &Path) -> io::Result<Self> {
        let parent = parent.canonicalize()?;
        let own = std::process::id();
        let mut number = 0;
        loop {
            let path = parent.join(format!("pinnace-demo-{own}-{number}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    return Ok(Self {
                        path,
                        is_kept: false,
                    });
                }
                // Left over from another process of this number, or laid there by someone else.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < NAMES => {
                    number += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it where it is.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    pub(super) fn is_kept(&self) -> bool {
        self.is_kept
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed is left to whoever empties the folder for temporary files.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_its_content_unless_it_is_kept() {
        let parent = tempfile::tempdir().unwrap();
        for is_kept in [false, true] {
            let mut folder = Folder::new(parent.path()).unwrap();
            let path = folder.path().to_owned();
            fs::write(path.join("file"), "content").unwrap();
            if is_kept {
                folder.keep();
            }
            drop(folder);
            assert_eq!(path.exists(), is_kept);
        }
    }

    #[test]
    fn two_of_one_process_are_two_folders() {
        let parent = tempfile::tempdir().unwrap();
        let one = Folder::new(parent.path()).unwrap();
        let other = Folder::new(parent.path()).unwrap();
        assert_ne!(one.path(), other.path());
    }
}
