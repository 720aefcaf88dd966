//! What is owed and not open: files that cannot be opened, that wait, or that are gone.

pub(super) mod missing;
pub(super) mod outside;
pub(super) mod unread;
