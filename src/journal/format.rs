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
pub(super) const FRAME_HEAD: usize = 13;
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
    /// Everything before this entry was on the device when it was written: what is damaged there
    /// was whole once. What is damaged behind the last of these was lost with the power.
    Synced,
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

impl Extent {
    /// Offset behind the last byte.
    pub(super) fn end(self) -> u64 {
        self.offset.saturating_add(self.len)
    }
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
            Self::Synced => b'Y',
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
            Self::Synced => Ok(Vec::new()),
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
            b'Y' => Self::Synced,
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
    put_frame(out, epoch, entry.kind(), &payload);
}

/// Appends a frame.
pub(super) fn put_frame(out: &mut Vec<u8>, epoch: u64, kind: u8, payload: &[u8]) {
    out.extend_from_slice(&FRAME_MARK);
    out.extend_from_slice(
        &u32::try_from(payload.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    out.extend_from_slice(&checksum(epoch, kind, payload).to_le_bytes());
    out.push(kind);
    out.extend_from_slice(payload);
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
    /// How many of the entries stand before the first damage.
    pub(super) sound: usize,
    /// Whether the checkpoint at the beginning was complete once.
    pub(super) has_checkpoint: bool,
    /// Bytes that were good once and are no good entry now.
    pub(super) damaged: usize,
    /// Bytes at the end that never were on the device as a whole: a write that was cut off.
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

/// Reads a segment. Never fails after the header.
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
    Ok(contents_of(frames(bytes, epoch), bytes.len(), epoch))
}

/// A frame that is as it was written: where it begins and ends, and what this version makes of
/// it: an entry, nothing when the kind is unknown, or an error.
struct Frame {
    start: usize,
    end: usize,
    entry: Result<Option<Entry>, serde_json::Error>,
}

/// Every good frame, whatever lies between them.
fn frames(bytes: &[u8], epoch: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut at = HEADER_LEN;
    while at < bytes.len() {
        if let Some((kind, payload)) = frame_at(bytes, at, epoch) {
            let end = at + FRAME_HEAD + payload.len();
            frames.push(Frame {
                start: at,
                end,
                entry: Entry::parse(kind, payload),
            });
            at = end;
        } else {
            at = memchr::memmem::find(&bytes[at + 1..], &FRAME_MARK)
                .map_or(bytes.len(), |found| at + 1 + found);
        }
    }
    frames
}

/// Tells what was damaged later from what was never whole. The former is skipped, so that it
/// costs no more than itself; at the latter reading ends, since what came after it may say
/// "delivered" of bytes that were on their way in what is missing.
fn contents_of(frames: Vec<Frame>, len: usize, epoch: u64) -> Contents {
    let vouched = frames
        .iter()
        .rposition(|frame| matches!(frame.entry, Ok(Some(Entry::Synced))));
    let mut contents = Contents {
        epoch,
        has_checkpoint: vouched.is_some(),
        ..Contents::default()
    };
    let mut end = HEADER_LEN;
    for (number, frame) in frames.into_iter().enumerate() {
        if frame.start > end {
            if vouched.is_none_or(|vouched| number > vouched) {
                break;
            }
            contents.damaged += frame.start - end;
        }
        end = frame.end;
        match frame.entry {
            Ok(Some(Entry::Synced)) => {}
            Ok(Some(entry)) => {
                contents.has_checkpoint |= matches!(entry, Entry::CheckpointEnd(_));
                contents.entries.push(entry);
                contents.sound += usize::from(contents.damaged == 0);
            }
            Ok(None) => contents.unknown += 1,
            Err(_) => contents.damaged += frame.end - frame.start,
        }
    }
    contents.torn = len.saturating_sub(end);
    contents
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
pub(super) mod tests;
