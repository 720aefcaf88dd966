//! Which bytes are meant: generations, offsets in them, and hashes that prove them.
//! Only values; opens and reads nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::record::cut::Learned;

/// How many bytes of the beginning of a file are hashed.
pub(crate) const HEAD_BYTES: usize = 1024;

/// How many bytes just before an offset are hashed: as many as most reports have that a job without
/// times writes at each run, of which two may differ by nothing but a word in their midst. Tests have
/// longer files for less.
pub(crate) const ANCHOR_BYTES: usize = if cfg!(test) { 1024 } else { 16 * 1024 };

const _: () = assert!(ANCHOR_BYTES <= u16::MAX as usize && HEAD_BYTES <= ANCHOR_BYTES);

/// With less than this before the furthest cursor, equal bytes prove little: they may be a banner
/// that every file begins with.
pub(crate) const PROOF_ENOUGH: u64 = 4096;

/// One life of a file's content, from its creation until truncation, replacement or deletion.
/// Pinnace gives the number; it is never used again in one state directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct GenerationId(pub(crate) u64);

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}", self.0)
    }
}

/// A hash of the bytes just before an offset (up to [`ANCHOR_BYTES`]): whoever finds the same
/// bytes there again stands in the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Anchor {
    /// How many bytes before the offset are hashed.
    pub(crate) len: u16,
    /// XXH3 of those bytes.
    pub(crate) hash: u64,
}

impl Anchor {
    /// The anchor of the offset at the end of `before`, of which only the last
    /// [`ANCHOR_BYTES`] count.
    pub(crate) fn at_end_of(before: &[u8]) -> Self {
        let from = before.len().saturating_sub(ANCHOR_BYTES);
        let bytes = &before[from..];
        if bytes.is_empty() {
            return Self::default();
        }
        Self {
            len: u16::try_from(bytes.len()).unwrap_or(u16::MAX),
            hash: xxh3_64(bytes),
        }
    }

    /// Whether `before`, which must end at the offset, still holds what was hashed.
    pub(crate) fn holds(self, before: &[u8]) -> bool {
        let len = usize::from(self.len);
        before.len() >= len && Self::at_end_of(&before[before.len() - len..]) == self
    }
}

/// The beginning of a file, hashed: up to [`HEAD_BYTES`], growing until that many are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    /// How many bytes are hashed.
    pub(crate) len: u16,
    /// XXH3 of those bytes.
    pub(crate) hash: u64,
}

impl Head {
    /// The head of content that begins with `bytes`.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let anchor = Anchor::at_end_of(&bytes[..bytes.len().min(HEAD_BYTES)]);
        Self {
            len: anchor.len,
            hash: anchor.hash,
        }
    }

    /// Whether content that begins with `bytes` can be the one this head was taken from.
    pub(crate) fn matches(self, bytes: &[u8]) -> bool {
        let len = usize::from(self.len);
        bytes.len() >= len && Self::of(&bytes[..len]) == self
    }

    /// Whether the head is as long as it will ever be.
    pub(crate) fn is_full(self) -> bool {
        usize::from(self.len) == HEAD_BYTES
    }
}

/// A position in a generation together with the proof of what lies before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Bytes from the beginning of the content.
    pub(crate) offset: u64,
    /// Proves the bytes before the offset.
    pub(crate) anchor: Anchor,
}

impl Position {
    /// Whether nothing but NULs is before the position, as far as is known: no record ends so.
    pub(crate) fn is_behind_nuls(self) -> bool {
        const NULS: [u8; ANCHOR_BYTES] = [0; ANCHOR_BYTES];
        self.anchor.len > 0 && self.anchor.holds(&NULS)
    }
}

/// A byte range of one generation, cut at record boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    /// Whose bytes.
    pub(crate) generation: GenerationId,
    /// Offset of the first byte.
    pub(crate) start: u64,
    /// Where the span ends (exclusive), with the proof for a later look.
    pub(crate) end: Position,
    /// What was learned of the records up to there. Of a later version than the others.
    #[serde(default, skip_serializing_if = "Learned::is_nothing")]
    pub(crate) learned: Learned,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_holds_only_over_the_bytes_it_was_taken_from() {
        let text: Vec<u8> = (0u32..3000).flat_map(u32::to_le_bytes).collect();
        for cut in [0, 1, 7, 1023, 1024, 1025, 9000] {
            let anchor = Anchor::at_end_of(&text[..cut]);
            assert!(anchor.holds(&text[..cut]), "{cut}");
            if cut > 0 {
                let mut other = text[..cut].to_vec();
                other[cut - 1] ^= 1;
                assert!(!anchor.holds(&other), "{cut}");
                assert!(!anchor.holds(&[]), "{cut}");
            }
        }
    }

    #[test]
    fn a_position_in_a_hole_is_known() {
        let position = |before: &[u8]| Position {
            offset: before.len() as u64,
            anchor: Anchor::at_end_of(before),
        };
        let hole = [0; 5000];
        for len in [1, 900, 5000] {
            assert!(position(&hole[..len]).is_behind_nuls(), "{len}");
        }
        for text in [&b""[..], b"a line\n", b"a line\n\0\0\0"] {
            assert!(!position(text).is_behind_nuls());
        }
    }

    #[test]
    fn a_head_matches_longer_content_with_the_same_beginning() {
        let head = Head::of(b"banner");
        assert!(head.matches(b"banner and more"));
        assert!(!head.matches(b"banne"));
        assert!(!head.matches(b"Banner and more"));
        assert!(Head::default().matches(b""));
        assert!(Head::of(&[7; 5000]).is_full());
    }
}
