//! Whether the writers of files can be seen, for a test that plays an agent in a container of its
//! own.

use std::cell::Cell;

thread_local! {
    static IS_LOST: Cell<bool> = const { Cell::new(false) };
}

/// From now on nobody can be seen in this thread.
pub(crate) fn lose() {
    IS_LOST.set(true);
}

/// Everybody can be seen again.
pub(crate) fn regain() {
    IS_LOST.set(false);
}

pub(in crate::source) fn is_lost() -> bool {
    IS_LOST.get()
}
