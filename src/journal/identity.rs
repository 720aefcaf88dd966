//! By what a generation or a file is recognised again: values, and how they stand in an entry.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::text;
use crate::record::Time;
use crate::span::{Head, Position};

/// How a generation is recognised again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Name of the input that it belongs to.
    pub(crate) input: String,
    /// Where it was first seen: labels are made from this path.
    #[serde(with = "text::path")]
    pub(crate) path: PathBuf,
    /// Device: a hint, good within one boot.
    pub(crate) device: u64,
    /// Inode: a hint, used again by file systems.
    pub(crate) inode: u64,
    /// When the file was made; of a later version than the others, so it may be missing.
    #[serde(default, with = "text::time")]
    pub(crate) birth: Time,
    /// Proves the beginning.
    #[serde(with = "text::head")]
    pub(crate) head: Head,
    /// When it was last seen, in nanoseconds since the epoch.
    #[serde(with = "text::time")]
    pub(crate) seen: Time,
    /// How long it was then, while it was held open; nothing once it was closed with all of it
    /// delivered. Of a later version than the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    /// The same with the proof of what lay before it: whoever holds these bytes too is no other
    /// content with the same banner. It is kept when the file is closed, and is of a later version
    /// than the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<Position>,
    /// Bytes from its beginning on that an output was never to get (`read_from: end`).
    #[serde(default, skip_serializing_if = "is_none")]
    pub(crate) skipped: u64,
    /// Its file holds another content or is no more: only a copy can hold it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_gone: bool,
    /// How much of it was seen in a file that was emptied or whose end was cut off, while it is not
    /// decided yet whether the copy in which it is read on, or what is left of it, lacks its end. Of
    /// a later version than the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missed: Option<u64>,
    /// Its own file, which could not be known when it was taken up in a copy. Of a later version
    /// than the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) left: Option<OwnFile>,
    /// Files that nobody could open when it was met in a file of its own, which may be a copy of one of
    /// them, or hold it compressed. Of a later version than the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) may_be_of: Vec<OwnFile>,
}

impl Identity {
    /// The file in which it was last.
    pub(crate) fn file(&self) -> OwnFile {
        OwnFile {
            inode: self.inode,
            birth: self.birth,
        }
    }
}

/// What tells a file from all others of a file system, as far as the system says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnFile {
    pub(crate) inode: u64,
    #[serde(with = "text::time")]
    pub(crate) birth: Time,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_none(bytes: &u64) -> bool {
    *bytes == 0
}

/// A file that lay at a name that is meant, or was news under one that rotation gives, and could not
/// be opened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Unopened {
    /// Inode.
    pub(crate) inode: u64,
    /// When it was made.
    #[serde(with = "text::time")]
    pub(crate) birth: Time,
    /// Name of the input that means it.
    pub(crate) input: String,
    /// Where it was met.
    #[serde(with = "text::path")]
    pub(crate) path: PathBuf,
}

impl Unopened {
    /// Which file it is.
    pub(crate) fn file(&self) -> OwnFile {
        OwnFile {
            inode: self.inode,
            birth: self.birth,
        }
    }
}
