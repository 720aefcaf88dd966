//! Reads the bytes after a position and proves, in the same call, that the file still holds the
//! content that the position was taken in. Owns the read buffer; moves no cursor.

use std::io;

use super::content::Content;
use crate::span::{ANCHOR_BYTES, Anchor, HEAD_BYTES, Head, Position};

/// How much is read at once, in bytes: enough to make the call cheap, and small enough to stay
/// in the processor's cache while it is encoded.
pub(crate) const CHUNK: usize = 256 * 1024;

/// How much of what was read is looked at again: what proves the position, and the page behind it.
const LOOK_AGAIN: usize = ANCHOR_BYTES + 4096;

/// So many bytes of two files are compared, from the first on.
const MOST_COMPARED: u64 = 8 * 1024 * 1024;

/// A buffer that is used for one file after the other.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: Vec<u8>,
}

/// Bytes of a file.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    /// What was read, with the bytes of the anchor in front.
    with_anchor: &'a [u8],
    anchor_len: usize,
    start: u64,
    /// Whether the file ends where these bytes end.
    pub(crate) is_end: bool,
}

impl<'a> Chunk<'a> {
    /// The bytes from the position on.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        &self.with_anchor[self.anchor_len..]
    }

    /// The offset of the first of them.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The position `consumed` bytes further.
    pub(crate) fn position_after(&self, consumed: usize) -> Position {
        Position {
            offset: self.start + consumed as u64,
            anchor: Anchor::at_end_of(&self.with_anchor[..self.anchor_len + consumed]),
        }
    }
}

/// What a read came to.
#[derive(Debug)]
pub(crate) enum Read<'a> {
    /// Bytes, perhaps none.
    Bytes(Chunk<'a>),
    /// The file holds other content than the position was taken in.
    OtherContent,
}

impl Reader {
    /// Reads up to `want` bytes from `position` on. `head` is what the content begins with, and
    /// `furthest` up to where anyone has read it: whoever is behind may have seen nothing but a
    /// banner, which proves nothing.
    pub(crate) fn read<'a>(
        &'a mut self,
        content: &Content,
        position: Position,
        (head, furthest): (Head, Position),
        want: usize,
    ) -> io::Result<Read<'a>> {
        let anchor_len = usize::from(position.anchor.len);
        let need = anchor_len + want;
        if self.buffer.len() < need {
            // Anew, and not longer: what no read reaches stays the system's.
            self.buffer = vec![0; need];
        }
        let from = position.offset.saturating_sub(anchor_len as u64);
        let (len, is_end) = content.read_at(&mut self.buffer[..need], from)?;
        let read = &self.buffer[..len];
        let is_begun_otherwise = from == 0 && !head.matches(read);
        if len < anchor_len || !position.anchor.holds(&read[..anchor_len]) || is_begun_otherwise {
            return Ok(Read::OtherContent);
        }
        // A second look, since the file can be emptied and filled anew before the first one or
        // while it lasts. What still holds the furthest bytes that were read held them before.
        let is_same = if furthest.offset > position.offset {
            content.is_whole() || holds(content, furthest)?
        } else {
            let mut again = vec![0; len.min(LOOK_AGAIN)];
            let (len_again, _) = content.read_at(&mut again, from)?;
            again[..len_again] == read[..again.len()]
        };
        if !is_same {
            return Ok(Read::OtherContent);
        }
        Ok(Read::Bytes(Chunk {
            with_anchor: read,
            anchor_len,
            start: position.offset,
            is_end,
        }))
    }

    /// Gives the buffer back to the system while there is nothing to read.
    pub(crate) fn shrink(&mut self) {
        self.buffer = Vec::new();
    }
}

/// Whether the bytes before `position` are what they were.
pub(crate) fn holds(content: &Content, position: Position) -> io::Result<bool> {
    let mut before = vec![0; usize::from(position.anchor.len)];
    let from = position.offset.saturating_sub(before.len() as u64);
    let (len, _) = content.read_at(&mut before, from)?;
    Ok(position.anchor.holds(&before[..len]))
}

/// Whether two files hold the same first `len` bytes, of which [`MOST_COMPARED`] are looked at: what a
/// job writes each time may differ only between its banner and its last words.
pub(crate) fn begin_alike(one: &Content, other: &Content, len: u64) -> io::Result<bool> {
    let len = usize::try_from(len.min(MOST_COMPARED)).unwrap_or(usize::MAX);
    let mut buffers = [vec![0; len.min(CHUNK)], vec![0; len.min(CHUNK)]];
    let mut done = 0;
    while done < len {
        let want = (len - done).min(CHUNK);
        for (content, buffer) in [one, other].into_iter().zip(&mut buffers) {
            let (read, _) = content.read_at(&mut buffer[..want], done as u64)?;
            if read < want {
                return Ok(false);
            }
        }
        if buffers[0][..want] != buffers[1][..want] {
            return Ok(false);
        }
        done += want;
    }
    Ok(true)
}

/// The first bytes of a file, up to [`HEAD_BYTES`].
pub(crate) fn read_head(content: &Content) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; HEAD_BYTES];
    let (len, _) = content.read_at(&mut buffer, 0)?;
    buffer.truncate(len);
    Ok(buffer)
}

/// The bytes just before `offset`, up to [`ANCHOR_BYTES`]; fewer where the file is shorter.
pub(crate) fn read_before(content: &Content, offset: u64) -> io::Result<Vec<u8>> {
    let want = offset.min(ANCHOR_BYTES as u64);
    let mut buffer = vec![0; usize::try_from(want).unwrap_or(ANCHOR_BYTES)];
    let (len, _) = content.read_at(&mut buffer, offset - want)?;
    buffer.truncate(len);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_truncated_and_grown_past_the_position_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "first\nsecond\n").unwrap();
        let file = Content::of(std::fs::File::open(&path).unwrap(), false).unwrap();
        let mut reader = Reader::default();
        let Read::Bytes(chunk) = reader
            .read(&file, Position::default(), Default::default(), CHUNK)
            .unwrap()
        else {
            panic!("there is nothing before offset 0 that could differ");
        };
        assert_eq!(chunk.bytes(), b"first\nsecond\n");
        assert!(chunk.is_end);
        let position = chunk.position_after(6);
        assert_eq!(position.offset, 6);
        let Read::Bytes(chunk) = reader
            .read(&file, position, (Head::default(), position), CHUNK)
            .unwrap()
        else {
            panic!("same content");
        };
        assert_eq!(chunk.bytes(), b"second\n");
        std::fs::write(&path, "other content, and more of it than before").unwrap();
        assert!(matches!(
            reader
                .read(&file, position, (Head::default(), position), CHUNK)
                .unwrap(),
            Read::OtherContent
        ));
        std::fs::write(&path, "fir").unwrap();
        assert!(matches!(
            reader
                .read(&file, position, (Head::default(), position), CHUNK)
                .unwrap(),
            Read::OtherContent
        ));
    }

    #[test]
    fn who_has_read_nothing_but_a_banner_knows_the_content_by_what_others_have_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let banner = "every file begins like this\n".repeat(80);
        std::fs::write(&path, format!("{banner}first content\n")).unwrap();
        let file = Content::of(std::fs::File::open(&path).unwrap(), false).unwrap();
        let mut reader = Reader::default();
        let (nothing, known) = (Position::default(), Head::of(&banner.as_bytes()[..99]));
        let Read::Bytes(chunk) = reader
            .read(&file, nothing, (known, nothing), CHUNK)
            .unwrap()
        else {
            panic!("nothing is known of it yet");
        };
        let behind = chunk.position_after(banner.len());
        let furthest = chunk.position_after(chunk.bytes().len());
        let mut is_first = |position| {
            let read = reader
                .read(&file, position, (known, furthest), CHUNK)
                .unwrap();
            matches!(read, Read::Bytes(_))
        };
        assert!(is_first(nothing) && is_first(behind) && is_first(furthest));
        std::fs::write(&path, format!("{banner}second one, and more of it\n")).unwrap();
        assert!(!is_first(nothing) && !is_first(behind) && !is_first(furthest));
    }

    #[test]
    fn what_begins_otherwise_than_was_seen_is_noticed_before_anything_is_read() {
        use std::os::unix::fs::FileExt as _;
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"second, and longer", 0).unwrap();
        let file = Content::of(file, false).unwrap();
        let seen = (Head::of(b"first"), Position::default());
        let mut reader = Reader::default();
        let read = reader
            .read(&file, Position::default(), seen, CHUNK)
            .unwrap();
        assert!(matches!(read, Read::OtherContent));
    }
}
