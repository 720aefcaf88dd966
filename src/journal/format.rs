//! The journal's bytes: entries in frames, each with its length, its kind and a checksum. Owns
//! the layout and its version; touches no file. ARCHITECTURE.md describes it for people.
//!
//! A segment is a header and frames. Header: [`MAGIC`], version (u32), epoch (u64), checksum of
//! both. Frame: [`FRAME_MARK`], length of the payload (u32), checksum (u32), kind (u8), payload.
//! All numbers are little-endian. The checksum is CRC-32C over epoch, kind and payload, so that
//! what is left of an earlier life of the segment never passes for this one. Payloads are JSON:
//! an older version reads what it knows and ignores the rest.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::text;
use crate::batch::{BatchId, StreamName};
use crate::record::Time;
use crate::span::{Anchor, GenerationId, Head, Position, Span};

/// What every segment begins with.
pub(super) const MAGIC: [u8; 8] = *b"pinnaceJ";
/// The version of the layout that this program writes.
pub(super) const VERSION: u32 = 1;
/// Length of a segment's header in bytes.
pub(super) const HEADER_LEN: usize = 24;
/// What every frame begins with: a reader that lost its way looks for it.
const FRAME_MARK: [u8; 4] = [0xF1, b'p', b'j', 0xA5];
/// Bytes of a frame before its payload.
const FRAME_HEAD: usize = 13;
/// Longer payloads than this are never written.
const MAX_PAYLOAD: usize = 64 << 20;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// A generation was met, or more is known of it.
    Generation(GenerationId, Identity),
    /// A generation is delivered further.
    Cursor(GenerationId, String, Cursor),
    /// A generation is over and delivered, or is gone.
    Forget(GenerationId),
    /// This output takes this input: files met from now on are new to neither.
    Route(Route),
    /// A batch was made and goes out now.
    Seal(BatchId, Box<Seal>),
    /// A batch is delivered: cursors move over it and over delivered ones behind it.
    Acknowledge(BatchId),
    /// A batch is given up, with all later ones of its stream: their bytes are read again.
    Unseal(BatchId),
    /// All names were looked at at this time.
    Looked(Time),
    /// The entries before this one are the whole state at the time the segment was begun.
    CheckpointEnd(CheckpointEnd),
}

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
}

/// How far a generation is delivered to one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    /// The end of what is delivered without holes.
    pub(crate) position: Position,
    /// The time given to the last record delivered.
    pub(crate) last_time: Time,
}

/// An input and an output that takes it, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Route {
    /// Name of the input.
    pub(crate) input: String,
    /// Name of the output.
    pub(crate) output: String,
}

/// A batch on its way, with all that is needed to send it again without its file, its
/// configuration or the version of the program that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seal {
    /// Name of the output.
    pub(crate) output: String,
    /// The stream at the destination.
    pub(crate) stream: StreamName,
    /// Which bytes it holds.
    pub(crate) spans: Vec<Span>,
    /// How many records.
    pub(crate) records: u32,
    /// Length of the body before compression.
    pub(crate) uncompressed: usize,
    /// Records with bytes that were replaced.
    pub(crate) replaced: u32,
    /// Records that are pieces of a longer line.
    pub(crate) cut: u32,
    /// Whether the body is compressed with gzip.
    pub(crate) is_gzip: bool,
    /// Time of the first record.
    pub(crate) first_time: Time,
    /// Time of the last record: later batches of the stream begin after it.
    pub(crate) last_time: Time,
    /// Where the body lies; nowhere when it could not be written.
    pub(crate) body: Option<Extent>,
}

/// A place in the file of bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extent {
    /// Offset of the first byte.
    pub(crate) offset: u64,
    /// Length in bytes.
    pub(crate) len: u64,
    /// CRC-32C of the bytes.
    pub(crate) checksum: u32,
}

/// What closes a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckpointEnd {
    /// The next generation gets this number: none is ever given twice.
    pub(crate) next_generation: u64,
    /// The same for batches.
    pub(crate) next_batch: u64,
}

#[derive(Serialize, Deserialize)]
struct SealPayload {
    batch: BatchId,
    #[serde(flatten)]
    seal: Box<Seal>,
}

#[derive(Serialize, Deserialize)]
struct LookedPayload {
    time: Time,
}

#[derive(Serialize, Deserialize)]
struct BatchPayload {
    batch: BatchId,
}

#[derive(Serialize, Deserialize)]
struct GenerationPayload {
    generation: u64,
    #[serde(flatten)]
    identity: Identity,
}

#[derive(Serialize, Deserialize)]
struct CursorPayload {
    generation: u64,
    output: String,
    offset: u64,
    anchor_len: u16,
    anchor: u64,
    #[serde(with = "text::time")]
    last_time: Time,
}

#[derive(Serialize, Deserialize)]
struct ForgetPayload {
    generation: u64,
}

impl Entry {
    fn kind(&self) -> u8 {
        match self {
            Self::Generation(..) => b'G',
            Self::Cursor(..) => b'C',
            Self::Forget(_) => b'F',
            Self::Route(_) => b'R',
            Self::Seal(..) => b'S',
            Self::Acknowledge(_) => b'A',
            Self::Unseal(_) => b'U',
            Self::Looked(_) => b'L',
            Self::CheckpointEnd(_) => b'E',
        }
    }

    fn payload(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::Generation(id, identity) => serde_json::to_vec(&GenerationPayload {
                generation: id.0,
                identity: identity.clone(),
            }),
            Self::Cursor(id, output, cursor) => serde_json::to_vec(&CursorPayload {
                generation: id.0,
                output: output.clone(),
                offset: cursor.position.offset,
                anchor_len: cursor.position.anchor.len,
                anchor: cursor.position.anchor.hash,
                last_time: cursor.last_time,
            }),
            Self::Forget(id) => serde_json::to_vec(&ForgetPayload { generation: id.0 }),
            Self::Route(route) => serde_json::to_vec(route),
            Self::Seal(id, seal) => serde_json::to_vec(&SealPayload {
                batch: *id,
                seal: seal.clone(),
            }),
            Self::Acknowledge(id) | Self::Unseal(id) => {
                serde_json::to_vec(&BatchPayload { batch: *id })
            }
            Self::Looked(time) => serde_json::to_vec(&LookedPayload { time: *time }),
            Self::CheckpointEnd(end) => serde_json::to_vec(end),
        }
    }

    /// The entry of a frame, or nothing when its kind is of a later version.
    fn parse(kind: u8, payload: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match kind {
            b'G' => {
                let payload: GenerationPayload = serde_json::from_slice(payload)?;
                Self::Generation(GenerationId(payload.generation), payload.identity)
            }
            b'C' => {
                let payload: CursorPayload = serde_json::from_slice(payload)?;
                let anchor = Anchor {
                    len: payload.anchor_len,
                    hash: payload.anchor,
                };
                let position = Position {
                    offset: payload.offset,
                    anchor,
                };
                let cursor = Cursor {
                    position,
                    last_time: payload.last_time,
                };
                Self::Cursor(GenerationId(payload.generation), payload.output, cursor)
            }
            b'F' => {
                let payload: ForgetPayload = serde_json::from_slice(payload)?;
                Self::Forget(GenerationId(payload.generation))
            }
            b'R' => Self::Route(serde_json::from_slice(payload)?),
            b'S' => {
                let payload: SealPayload = serde_json::from_slice(payload)?;
                Self::Seal(payload.batch, payload.seal)
            }
            b'A' => {
                let payload: BatchPayload = serde_json::from_slice(payload)?;
                Self::Acknowledge(payload.batch)
            }
            b'U' => {
                let payload: BatchPayload = serde_json::from_slice(payload)?;
                Self::Unseal(payload.batch)
            }
            b'L' => {
                let payload: LookedPayload = serde_json::from_slice(payload)?;
                Self::Looked(payload.time)
            }
            b'E' => Self::CheckpointEnd(serde_json::from_slice(payload)?),
            _ => return Ok(None),
        }))
    }
}

/// The header of a segment.
pub(super) fn header(epoch: u64) -> [u8; HEADER_LEN] {
    let mut out = [0u8; HEADER_LEN];
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&VERSION.to_le_bytes());
    out[12..20].copy_from_slice(&epoch.to_le_bytes());
    let sum = crc32c::crc32c(&out[..20]);
    out[20..].copy_from_slice(&sum.to_le_bytes());
    out
}

/// Appends `entry` as a frame of the segment with this epoch.
pub(super) fn put(out: &mut Vec<u8>, epoch: u64, entry: &Entry) {
    // Serialising these plain structures cannot fail.
    let Ok(payload) = entry.payload() else { return };
    let kind = entry.kind();
    out.extend_from_slice(&FRAME_MARK);
    out.extend_from_slice(
        &u32::try_from(payload.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    out.extend_from_slice(&checksum(epoch, kind, &payload).to_le_bytes());
    out.push(kind);
    out.extend_from_slice(&payload);
}

fn checksum(epoch: u64, kind: u8, payload: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&epoch.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(sum, &[kind]), payload)
}

/// What was found in a segment.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The epoch in its header.
    pub(super) epoch: u64,
    /// The good entries, in order.
    pub(super) entries: Vec<Entry>,
    /// Bytes that are no good entry, before the last good one.
    pub(super) damaged: usize,
    /// Bytes after the last good entry: a write that was cut off.
    pub(super) torn: usize,
    /// Good entries of a kind that this version does not know.
    pub(super) unknown: usize,
}

/// Why a segment cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    /// It does not begin as a segment does.
    #[error("it does not begin as a journal segment")]
    NotASegment,
    /// A later version of Pinnace wrote it in another layout.
    #[error("its layout has version {0}, and this program reads up to {VERSION}")]
    Version(u32),
}

/// Reads a segment: every good entry, whatever lies between them. Never fails after the header.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, HeaderError> {
    let number = |from: usize| -> Option<[u8; 4]> { bytes.get(from..from + 4)?.try_into().ok() };
    let epoch = bytes
        .get(12..20)
        .and_then(|epoch| epoch.try_into().ok())
        .map(u64::from_le_bytes)
        .ok_or(HeaderError::NotASegment)?;
    let version = number(8)
        .map(u32::from_le_bytes)
        .ok_or(HeaderError::NotASegment)?;
    let sum = number(20)
        .map(u32::from_le_bytes)
        .ok_or(HeaderError::NotASegment)?;
    if !bytes.starts_with(&MAGIC) || sum != crc32c::crc32c(&bytes[..20]) {
        return Err(HeaderError::NotASegment);
    }
    if version != VERSION {
        return Err(HeaderError::Version(version));
    }
    let mut contents = Contents {
        epoch,
        ..Contents::default()
    };
    let mut at = HEADER_LEN;
    let mut bad_from = None;
    while at < bytes.len() {
        if let Some((kind, payload)) = frame_at(bytes, at, epoch) {
            match Entry::parse(kind, payload) {
                Ok(Some(entry)) => contents.entries.push(entry),
                Ok(None) => contents.unknown += 1,
                Err(_) => contents.damaged += FRAME_HEAD + payload.len(),
            }
            if let Some(from) = bad_from.take() {
                contents.damaged += at - from;
            }
            at += FRAME_HEAD + payload.len();
        } else {
            bad_from.get_or_insert(at);
            at = memchr::memmem::find(&bytes[at + 1..], &FRAME_MARK)
                .map_or(bytes.len(), |found| at + 1 + found);
        }
    }
    contents.torn = bad_from.map_or(0, |from| bytes.len() - from);
    Ok(contents)
}

/// The kind and payload of the frame at `at`, if a good one begins there.
fn frame_at(bytes: &[u8], at: usize, epoch: u64) -> Option<(u8, &[u8])> {
    let head = bytes.get(at..at + FRAME_HEAD)?;
    if !head.starts_with(&FRAME_MARK) {
        return None;
    }
    let len = usize::try_from(u32::from_le_bytes(head[4..8].try_into().ok()?)).ok()?;
    if len > MAX_PAYLOAD {
        return None;
    }
    let sum = u32::from_le_bytes(head[8..12].try_into().ok()?);
    let kind = head[12];
    let payload = bytes.get(at + FRAME_HEAD..at + FRAME_HEAD + len)?;
    (checksum(epoch, kind, payload) == sum).then_some((kind, payload))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::state::State;
    use super::*;
    use proptest::prelude::*;

    pub(in crate::journal) fn identity(number: u64) -> Identity {
        Identity {
            input: "app".into(),
            path: format!("/var/log/app/{number}.log").into(),
            device: 7,
            inode: number,
            birth: Time(3),
            head: Head::of(&number.to_le_bytes()),
            seen: Time(1_700_000_000_000_000_000),
        }
    }

    pub(in crate::journal) fn seal(
        output: &str,
        stream: &str,
        generation: GenerationId,
        start: u64,
        end: u64,
    ) -> Seal {
        let anchor = Anchor::at_end_of(&end.to_le_bytes());
        let end = Position {
            offset: end,
            anchor,
        };
        Seal {
            output: output.to_owned(),
            stream: StreamName::Loki {
                labels: stream.to_owned(),
            },
            spans: vec![Span {
                generation,
                start,
                end,
            }],
            records: 3,
            uncompressed: 300,
            replaced: 0,
            cut: 0,
            is_gzip: false,
            first_time: Time(1),
            last_time: Time(2),
            body: Some(Extent {
                offset: start,
                len: 10,
                checksum: 7,
            }),
        }
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let id = (0u64..5).prop_map(GenerationId);
        prop_oneof![
            id.clone()
                .prop_map(|id| Entry::Generation(id, identity(id.0))),
            (id.clone(), "[ab]", any::<u64>(), any::<i64>()).prop_map(
                |(id, output, offset, time)| {
                    let anchor = Anchor::at_end_of(&offset.to_le_bytes());
                    let cursor = Cursor {
                        position: Position { offset, anchor },
                        last_time: Time(time),
                    };
                    Entry::Cursor(id, output, cursor)
                }
            ),
            id.clone().prop_map(Entry::Forget),
            any::<i64>().prop_map(|time| Entry::Looked(Time(time))),
            (id, "[ab]", "[ab]", 0u64..9).prop_map(|(id, output, stream, number)| {
                let seal = seal(&output, &stream, id, number * 10, number * 10 + 10);
                Entry::Seal(BatchId(number), Box::new(seal))
            }),
            (0u64..9).prop_map(|number| Entry::Acknowledge(BatchId(number))),
            (0u64..9).prop_map(|number| Entry::Unseal(BatchId(number))),
            "[ab]".prop_map(|name| Entry::Route(Route {
                input: name.clone(),
                output: name
            })),
        ]
    }

    fn state_of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> State {
        let mut state = State::default();
        for entry in entries {
            state.apply(entry);
        }
        state
    }

    fn segment(epoch: u64, entries: &[Entry]) -> Vec<u8> {
        let mut bytes = header(epoch).to_vec();
        for entry in entries {
            put(&mut bytes, epoch, entry);
        }
        bytes
    }

    #[test]
    fn a_path_that_is_not_utf8_survives() {
        use std::os::unix::ffi::OsStringExt as _;
        let path = std::ffi::OsString::from_vec(b"/var/log/caf\xe9.log".to_vec());
        let entry = Entry::Generation(
            GenerationId(1),
            Identity {
                path: path.into(),
                ..identity(1)
            },
        );
        let contents = read(&segment(3, std::slice::from_ref(&entry))).unwrap();
        assert_eq!(contents.entries, [entry]);
    }

    #[test]
    fn entries_of_an_earlier_life_are_not_taken() {
        let mut bytes = segment(4, &[Entry::Forget(GenerationId(1))]);
        let old = segment(3, &[Entry::Forget(GenerationId(2))]);
        bytes.extend_from_slice(&old[HEADER_LEN..]);
        let contents = read(&bytes).unwrap();
        assert_eq!(contents.entries, [Entry::Forget(GenerationId(1))]);
        assert_eq!(contents.torn, old.len() - HEADER_LEN);
    }

    #[test]
    fn a_later_layout_is_named() {
        let mut bytes = header(1);
        bytes[8] = 9;
        let sum = crc32c::crc32c(&bytes[..20]);
        bytes[20..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(read(&bytes).unwrap_err(), HeaderError::Version(9));
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back_cut_at_any_length(
            entries in proptest::collection::vec(entry(), 0..20), cut in any::<proptest::sample::Index>(),
        ) {
            let bytes = segment(9, &entries);
            prop_assert_eq!(&read(&bytes).unwrap().entries, &entries);
            let cut = HEADER_LEN + cut.index(bytes.len() - HEADER_LEN + 1);
            let contents = read(&bytes[..cut]).unwrap();
            prop_assert_eq!(&contents.entries[..], &entries[..contents.entries.len()]);
            prop_assert_eq!(contents.damaged, 0);
        }

        #[test]
        fn a_damaged_byte_costs_one_entry(
            entries in proptest::collection::vec(entry(), 2..12), at in any::<proptest::sample::Index>(), flip in 1u8..=255,
        ) {
            let mut bytes = segment(9, &entries);
            let at = HEADER_LEN + at.index(bytes.len() - HEADER_LEN);
            bytes[at] ^= flip;
            let found = read(&bytes).unwrap().entries;
            prop_assert!(found.len() + 1 == entries.len(), "{} of {}", found.len(), entries.len());
            let mut rest = entries.iter();
            prop_assert!(found.iter().all(|entry| rest.any(|other| other == entry)));
        }

        #[test]
        fn a_checkpoint_amounts_to_the_same_state(entries in proptest::collection::vec(entry(), 0..40)) {
            let state = state_of(&entries);
            prop_assert_eq!(state_of(&state.entries().collect::<Vec<_>>()), state);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
            let mut after_header = header(1).to_vec();
            after_header.extend_from_slice(&bytes);
            let _ = read(&after_header);
        }
    }
}
