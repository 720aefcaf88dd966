//! Which files there are: what the inputs mean, the folders in which it can lie, and the looks at them.

pub(super) mod beside;
pub(crate) mod discover;
pub(crate) mod globs;
pub(super) mod hidden;
pub(super) mod history;
pub(super) mod inputs;
pub(super) mod links;
pub(super) mod look;
pub(super) mod named;
pub(super) mod names;
pub(super) mod news;
pub(super) mod rest;
pub(super) mod siblings;
pub(crate) mod twice;
pub(super) mod unmatched;
pub(super) mod walk;
pub(super) mod watch;
