//! When files were made, for a test that makes up the clock: a file system cannot be told.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::record::Time;

thread_local! {
    static BIRTHS: RefCell<HashMap<u64, Time>> = RefCell::default();
}

/// From now on the file with this inode was made at that time.
pub(crate) fn set(inode: u64, time: Time) {
    BIRTHS.with_borrow_mut(|births| births.insert(inode, time));
}

/// When the file was made, if that is made up.
pub(in crate::source) fn of(inode: u64) -> Option<Time> {
    BIRTHS.with_borrow(|births| births.get(&inode).copied())
}

/// The end of all making up in this thread.
pub(crate) fn clear() {
    BIRTHS.with_borrow_mut(HashMap::clear);
}
