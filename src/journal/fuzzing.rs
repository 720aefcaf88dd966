//! What must hold of a journal of any bytes: reading ends, and what is read can be written and
//! read again. Touches no file.

use super::format::{self, HEADER_LEN};
use super::state::State;

/// Reads `bytes` as a segment; or, after a first byte that is odd, as frames whose checksums are
/// made good, so that what a writer of another version could say is reached too.
pub(crate) fn check(bytes: &[u8]) -> Result<(), String> {
    let Some((mode, bytes)) = bytes.split_first() else {
        return Ok(());
    };
    let segment = if mode.is_multiple_of(2) {
        bytes.to_vec()
    } else {
        with_good_checksums(bytes)
    };
    let Ok(contents) = format::read(&segment) else {
        return Ok(());
    };
    if contents.damaged + contents.torn > segment.len() - HEADER_LEN {
        return Err("more is damaged than there is".to_owned());
    }
    let mut state = State::default();
    let (sound, behind) = contents.entries.split_at(contents.sound);
    for entry in sound {
        state.apply(entry);
    }
    for entry in behind {
        state.apply_behind_damage(entry);
    }
    let mut again = format::header(2).to_vec();
    for entry in state.entries() {
        format::put(&mut again, 2, &entry);
    }
    let again = format::read(&again).map_err(|error| error.to_string())?;
    if again.damaged + again.torn + again.unknown > 0 || !again.has_checkpoint {
        return Err(format!("a checkpoint does not read back: {again:?}"));
    }
    let mut restored = State::default();
    for entry in &again.entries {
        restored.apply(entry);
    }
    if restored == state {
        Ok(())
    } else {
        Err(format!("{restored:?} came back of {state:?}"))
    }
}

/// The lengths at which a segment holds one entry more, in order. Whatever the length at which it
/// is cut, what is read must be the entries up to there and nothing else.
pub(crate) fn lengths_of_entries(bytes: &[u8]) -> Result<Vec<usize>, String> {
    let whole = format::read(bytes).map_err(|error| error.to_string())?;
    let mut lengths = Vec::new();
    for len in HEADER_LEN..=bytes.len() {
        let cut = format::read(&bytes[..len]).map_err(|error| format!("cut at {len}: {error}"))?;
        if !whole.entries.starts_with(&cut.entries) {
            return Err(format!("cut at {len} it says what it never said"));
        }
        if cut.entries.len() > lengths.len() {
            lengths.push(len);
        }
        if cut.entries.len() != lengths.len() {
            return Err(format!("cut at {len} it forgets what it said"));
        }
    }
    Ok(lengths)
}

/// `bytes` is a list of frames: kind, length of the payload (u16), payload.
fn with_good_checksums(mut bytes: &[u8]) -> Vec<u8> {
    let mut segment = format::header(1).to_vec();
    while let [kind, low, high, rest @ ..] = bytes {
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (payload, after) = rest.split_at(len);
        format::put_frame(&mut segment, 1, *kind, payload);
        bytes = after;
    }
    segment
}
