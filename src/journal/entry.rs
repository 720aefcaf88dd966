//! What the journal's entries say: their kinds, and the JSON that each is written as. Knows
//! nothing of frames and files.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::identity::{Identity, Unopened};
use super::text;
use crate::batch::parts::Fate;
use crate::batch::{BatchId, Share, StreamName};
use crate::record::Time;
use crate::record::cut::Learned;
use crate::span::{Anchor, GenerationId, Position, Span};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// A generation was met, or more is known of it.
    Generation(GenerationId, Identity),
    /// A generation is delivered further.
    Cursor(GenerationId, String, Cursor),
    /// A copy of a generation was met, which ends here.
    Copied(GenerationId, Position),
    /// An output had once delivered a generation up to here, the first time that it was far enough to
    /// prove it. Stands in checkpoints alone: else the cursors say it.
    Proof(GenerationId, Position),
    /// Nothing more is expected of a generation.
    Forget(GenerationId),
    /// This output takes this input: files met from now on are new to neither.
    Route(Route),
    /// A batch was made and goes out now.
    Seal(BatchId, Box<Seal>),
    /// A batch is delivered: cursors move over it and over delivered ones behind it.
    Acknowledge(BatchId),
    /// A batch is given up, with all later ones of its stream: their bytes are read again.
    Unseal(BatchId),
    /// A batch is divided in front of these of its records: what lies between goes out by itself.
    Cut(BatchId, Vec<u32>),
    /// These records of a batch are settled.
    Settle(BatchId, Range<u32>, Fate),
    /// All names were looked at at this time.
    Looked(Time),
    /// A folder could not be looked at since this time, or, without one, was looked at again.
    OutOfSight(PathBuf, Option<Time>),
    /// A file could not be opened, and so many bytes of it were seen.
    Unopened(Unopened, u64),
    /// It was, or nobody remembers it any more.
    OpenedAfterAll(Unopened),
    /// The entries before this one are the whole state at the time the segment was begun.
    CheckpointEnd(CheckpointEnd),
    /// Everything before this entry was on the device when it was written: what is damaged there
    /// was whole once. What is damaged behind the last of these was lost with the power.
    Synced,
}

/// How far a generation is delivered to one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cursor {
    /// The end of what is delivered without holes.
    pub(crate) position: Position,
    /// The time given to the last record delivered.
    pub(crate) last_time: Time,
    /// What was learned of the records up to there.
    pub(crate) learned: Learned,
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
    /// The requests that the body is made of, where they are several. Of a later version than the
    /// others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) shares: Vec<Share>,
    /// For how long a request with it may be carried out after it went out: the longest of all
    /// runs that may have sent it. Of a later version than the others.
    #[serde(default, skip_serializing_if = "Millis::is_none")]
    pub(crate) request_timeout: Millis,
}

/// A time limit, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Millis(u32);

impl Millis {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands out references"
    )]
    fn is_none(&self) -> bool {
        self.0 == 0
    }
}

impl From<Duration> for Millis {
    fn from(time: Duration) -> Self {
        Self(u32::try_from(time.as_millis()).unwrap_or(u32::MAX))
    }
}

impl From<Millis> for Duration {
    fn from(Millis(millis): Millis) -> Self {
        Self::from_millis(millis.into())
    }
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
struct OutOfSightPayload {
    #[serde(with = "text::path")]
    folder: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
}

#[derive(Serialize, Deserialize)]
struct UnopenedPayload {
    #[serde(flatten)]
    file: Unopened,
    /// Of a later version than the others.
    #[serde(default)]
    size: u64,
}

#[derive(Serialize, Deserialize)]
struct BatchPayload {
    batch: BatchId,
}

#[derive(Serialize, Deserialize)]
struct CutPayload {
    batch: BatchId,
    at: Vec<u32>,
}

#[derive(Serialize, Deserialize)]
struct SettlePayload {
    batch: BatchId,
    from: u32,
    until: u32,
    fate: Fate,
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
    /// Of a later version than the others.
    #[serde(default, skip_serializing_if = "Learned::is_nothing")]
    learned: Learned,
}

#[derive(Serialize, Deserialize)]
struct PlacePayload {
    generation: u64,
    offset: u64,
    anchor_len: u16,
    anchor: u64,
}

#[derive(Serialize, Deserialize)]
struct ForgetPayload {
    generation: u64,
}

impl Entry {
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Generation(..) => b'G',
            Self::Cursor(..) => b'C',
            Self::Copied(..) => b'K',
            Self::Proof(..) => b'V',
            Self::Forget(_) => b'F',
            Self::Route(_) => b'R',
            Self::Seal(..) => b'S',
            Self::Acknowledge(_) => b'A',
            Self::Unseal(_) => b'U',
            Self::Cut(..) => b'H',
            Self::Settle(..) => b'P',
            Self::Looked(_) => b'L',
            Self::OutOfSight(..) => b'D',
            Self::Unopened(..) => b'N',
            Self::OpenedAfterAll(_) => b'O',
            Self::CheckpointEnd(_) => b'E',
            Self::Synced => b'Y',
        }
    }

    pub(super) fn payload(&self) -> Result<Vec<u8>, serde_json::Error> {
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
                learned: cursor.learned,
            }),
            Self::Copied(id, place) | Self::Proof(id, place) => serde_json::to_vec(&PlacePayload {
                generation: id.0,
                offset: place.offset,
                anchor_len: place.anchor.len,
                anchor: place.anchor.hash,
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
            Self::Cut(id, at) => serde_json::to_vec(&CutPayload {
                batch: *id,
                at: at.clone(),
            }),
            Self::Settle(id, range, fate) => serde_json::to_vec(&SettlePayload {
                batch: *id,
                from: range.start,
                until: range.end,
                fate: *fate,
            }),
            Self::Looked(time) => serde_json::to_vec(&LookedPayload { time: *time }),
            Self::OutOfSight(folder, since) => serde_json::to_vec(&OutOfSightPayload {
                folder: folder.clone(),
                since: *since,
            }),
            Self::Unopened(file, size) => serde_json::to_vec(&UnopenedPayload {
                file: file.clone(),
                size: *size,
            }),
            Self::OpenedAfterAll(file) => serde_json::to_vec(file),
            Self::CheckpointEnd(end) => serde_json::to_vec(end),
            Self::Synced => Ok(Vec::new()),
        }
    }

    /// The entry of a frame, or nothing when its kind is of a later version.
    pub(super) fn parse(kind: u8, payload: &[u8]) -> Result<Option<Self>, serde_json::Error> {
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
                    learned: payload.learned,
                };
                Self::Cursor(GenerationId(payload.generation), payload.output, cursor)
            }
            b'K' | b'V' => {
                let payload: PlacePayload = serde_json::from_slice(payload)?;
                let anchor = Anchor {
                    len: payload.anchor_len,
                    hash: payload.anchor,
                };
                let place = Position {
                    offset: payload.offset,
                    anchor,
                };
                let id = GenerationId(payload.generation);
                if kind == b'K' {
                    Self::Copied(id, place)
                } else {
                    Self::Proof(id, place)
                }
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
            b'H' => {
                let payload: CutPayload = serde_json::from_slice(payload)?;
                Self::Cut(payload.batch, payload.at)
            }
            b'P' => {
                let payload: SettlePayload = serde_json::from_slice(payload)?;
                Self::Settle(payload.batch, payload.from..payload.until, payload.fate)
            }
            b'L' => {
                let payload: LookedPayload = serde_json::from_slice(payload)?;
                Self::Looked(payload.time)
            }
            b'D' => {
                let payload: OutOfSightPayload = serde_json::from_slice(payload)?;
                Self::OutOfSight(payload.folder, payload.since)
            }
            b'N' => {
                let payload: UnopenedPayload = serde_json::from_slice(payload)?;
                Self::Unopened(payload.file, payload.size)
            }
            b'O' => Self::OpenedAfterAll(serde_json::from_slice(payload)?),
            b'E' => Self::CheckpointEnd(serde_json::from_slice(payload)?),
            b'Y' => Self::Synced,
            _ => return Ok(None),
        }))
    }
}
