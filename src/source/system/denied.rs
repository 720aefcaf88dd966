//! Files that may not be opened, for a test: whoever runs the tests may open all.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;

thread_local! {
    static DENIED: RefCell<HashSet<u64>> = RefCell::default();
}

/// From now on the file with this inode cannot be opened.
pub(crate) fn set(inode: u64) {
    DENIED.with_borrow_mut(|denied| denied.insert(inode));
}

/// Whether this is one of them.
pub(crate) fn is(inode: u64) -> bool {
    DENIED.with_borrow(|denied| denied.contains(&inode))
}

/// All files can be opened again.
pub(crate) fn clear() {
    DENIED.with_borrow_mut(HashSet::clear);
}

/// Fails for a file that cannot be opened.
pub(in crate::source) fn check(file: &File) -> io::Result<()> {
    if is(file.metadata()?.ino()) {
        return Err(rustix::io::Errno::ACCESS.into());
    }
    Ok(())
}
