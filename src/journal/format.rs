//! The journal's bytes: entries in frames, each with its length, its kind and a checksum. Owns
//! the layout and its version; touches no file. ARCHITECTURE.md describes it for people.
//!
//! A segment is a header and frames. Header: [`MAGIC`], version (u32), epoch (u64), checksum of
//! both. Frame: [`FRAME_MARK`], length of the payload (u32), checksum (u32), kind (u8), payload.
//! All numbers are little-endian. The checksum is CRC-32C over epoch, kind and payload, so that
//! what is left of an earlier life of the segment never passes for this one. Payloads are JSON:
//! an older version reads what it knows and ignores the rest.

use super::entry::Entry;

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
