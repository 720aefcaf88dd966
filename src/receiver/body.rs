//! Decompression of request bodies, each within a limit. Never looks at what is inside.

use std::io::Read;

use flate2::read::{DeflateDecoder, GzDecoder};

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("Content-Encoding \"{0}\" not supported")]
    Encoding(String),
    #[error("{0}")]
    Damaged(#[source] std::io::Error),
    #[error("{0}")]
    Snappy(#[source] snap::Error),
    #[error("request body too large: {bytes} bytes, limit: {limit} bytes")]
    TooLarge { bytes: usize, limit: usize },
}

/// Undoes a `Content-Encoding`. Without one the body is returned as it is.
pub(super) fn decode<'a>(
    encoding: &str,
    body: &'a [u8],
    limit: usize,
    room: &'a mut Vec<u8>,
) -> Result<&'a [u8], Unreadable> {
    room.clear();
    match encoding {
        // Some clients name the block format of the body as its encoding.
        "" | "identity" | "snappy" => Ok(body),
        "gzip" => inflate(GzDecoder::new(body), limit, room),
        "deflate" => inflate(DeflateDecoder::new(body), limit, room),
        other => Err(Unreadable::Encoding(other.to_owned())),
    }
}

/// Undoes a snappy block.
pub(super) fn unsnap<'a>(
    block: &[u8],
    limit: usize,
    room: &'a mut Vec<u8>,
) -> Result<&'a [u8], Unreadable> {
    let bytes = snap::raw::decompress_len(block).map_err(Unreadable::Snappy)?;
    if bytes > limit {
        return Err(Unreadable::TooLarge { bytes, limit });
    }
    // Never shrinks: growing anew would fill it with zeros for every request.
    if room.len() < bytes {
        room.resize(bytes, 0);
    }
    let written = snap::raw::Decoder::new()
        .decompress(block, room)
        .map_err(Unreadable::Snappy)?;
    Ok(&room[..written])
}

fn inflate(reader: impl Read, limit: usize, room: &mut Vec<u8>) -> Result<&[u8], Unreadable> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader
        .take(most)
        .read_to_end(room)
        .map_err(Unreadable::Damaged)?;
    if room.len() > limit {
        return Err(Unreadable::TooLarge {
            bytes: room.len(),
            limit,
        });
    }
    Ok(room)
}
