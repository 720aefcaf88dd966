//! The bytes of a file that is written, up to the last one that is not NUL.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{SeekFrom, seek};

#[cfg(test)]
use crate::source::meanwhile;

/// So much is read at once where the end of the text is looked for.
const BLOCK: usize = 64 * 1024;
/// So many parts of a file that hold data are told apart from the holes between them.
const MOST_PARTS: usize = 1024;
/// Text that is written over NULs while it is read is read again so often.
const SETTLES_WITHIN: u8 = 16;

/// A file whose content is its own.
#[derive(Debug)]
pub(crate) struct Plain {
    file: File,
    seen: Cell<Seen>,
}

/// What was found when the length was last asked.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// How long the file is.
    len: u64,
    /// Where its text ends.
    text: u64,
    /// It has ended in NULs.
    had_nuls: bool,
}

impl Plain {
    pub(super) fn new(file: File) -> Self {
        Self {
            file,
            seen: Cell::default(),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn ends_in_nuls(&self) -> bool {
        let seen = self.seen.get();
        seen.text < seen.len
    }

    /// Where the text ends of a file that is so long. Most end in no NUL, which is asked once for
    /// each length.
    pub(super) fn len(&self, of_file: u64) -> u64 {
        let before = self.seen.get();
        if before.len == of_file && before.text == of_file {
            return of_file;
        }
        // What cannot be read is told when its content is, and asked again.
        let Ok(text) = self.text_end(before.text, of_file) else {
            return of_file;
        };
        self.seen.set(Seen {
            len: of_file,
            text,
            had_nuls: before.had_nuls || text < of_file,
        });
        text
    }

    /// The same; it ended at `before` when it was looked at last.
    fn text_end(&self, before: u64, of_file: u64) -> io::Result<u64> {
        if of_file == 0 || !self.is_nul(of_file - 1)? {
            return Ok(of_file);
        }
        let is_there = before > 0 && before < of_file && !self.is_nul(before - 1)?;
        let from = if is_there { before } else { 0 };
        for (start, end) in self.parts(from, of_file).into_iter().rev() {
            if let Some(end) = self.last_text(start, end)? {
                return Ok(end);
            }
        }
        Ok(from)
    }

    fn is_nul(&self, at: u64) -> io::Result<bool> {
        let mut byte = [1];
        self.file.read_at(&mut byte, at)?;
        Ok(byte == [0])
    }

    /// The parts of a file that can hold anything but NULs.
    fn parts(&self, from: u64, to: u64) -> Vec<(u64, u64)> {
        let mut parts = Vec::new();
        let mut at = from;
        while at < to {
            // Where the system does not tell, all of it.
            let start = match seek(&self.file, SeekFrom::Data(at)) {
                Ok(start) => start.max(at),
                Err(rustix::io::Errno::NXIO) => break,
                Err(_) => at,
            };
            let is_last = parts.len() == MOST_PARTS;
            let end = seek(&self.file, SeekFrom::Hole(start)).ok();
            let end = end.filter(|end| *end > start && !is_last);
            let end = end.unwrap_or(to).min(to);
            if start < end {
                parts.push((start, end));
            }
            at = end.max(start);
        }
        parts
    }

    /// Behind the last byte in a part that is not NUL.
    fn last_text(&self, start: u64, mut end: u64) -> io::Result<Option<u64>> {
        let mut block = vec![0; BLOCK];
        while end > start {
            let from = start.max(end.saturating_sub(BLOCK as u64));
            let want = usize::try_from(end - from).unwrap_or(BLOCK);
            let len = self.file.read_at(&mut block[..want], from)?;
            match text_len(&block[..len]) {
                0 => end = from,
                len => return Ok(Some(from + len as u64)),
            }
        }
        Ok(None)
    }

    pub(super) fn end_of_hole(&self, offset: u64) -> Option<u64> {
        let data = seek(&self.file, SeekFrom::Data(offset)).ok();
        data.filter(|data| *data > offset)
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<(usize, bool)> {
        let len = self.read_once(buffer, offset)?;
        if buffer[..len].last() != Some(&0) && !self.seen.get().had_nuls {
            return Ok((len, len < buffer.len()));
        }
        self.read_settled(buffer, offset, len)
    }

    /// What was just read of a file that ends in NULs, or did. Text may be written over them while it
    /// is read: then NULs are found before text that are none by now. So those before text are read
    /// until they stay.
    fn read_settled(
        &self,
        buffer: &mut [u8],
        offset: u64,
        mut len: usize,
    ) -> io::Result<(usize, bool)> {
        let mut again = Vec::new();
        for _ in 0..SETTLES_WITHIN {
            let text = text_len(&buffer[..len]);
            let is_full = len == buffer.len();
            let goes_on = is_full && text < len && self.reaches(offset + len as u64)?;
            if !goes_on && memchr::memchr(0, &buffer[..text]).is_none() {
                return Ok((text, text < buffer.len()));
            }
            again.resize(buffer.len(), 0);
            let len_again = self.read_once(&mut again, offset)?;
            if again[..len_again] == buffer[..len] {
                let len = if goes_on { len } else { text };
                return Ok((len, len < buffer.len()));
            }
            buffer.copy_from_slice(&again);
            len = len_again;
        }
        let settled = memchr::memchr(0, &buffer[..len]).unwrap_or(len);
        Ok((settled, false))
    }

    /// Whether there is text behind an offset.
    fn reaches(&self, offset: u64) -> io::Result<bool> {
        Ok(self.len(self.file.metadata()?.len()) > offset)
    }

    /// One call: a file that is emptied and filled between two would give a mixture.
    fn read_once(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match self.file.read_at(buffer, offset) {
                Ok(len) => {
                    #[cfg(test)]
                    meanwhile::happen(meanwhile::After::Reading);
                    return Ok(len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// How long bytes are without the NULs at their end.
pub(super) fn text_len(bytes: &[u8]) -> usize {
    const NULS: [u8; 4096] = [0; 4096];
    let mut len = bytes.len();
    while len >= NULS.len() && bytes[len - NULS.len()..len] == NULS {
        len -= NULS.len();
    }
    let last = bytes[..len].iter().rposition(|byte| *byte != 0);
    last.map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(bytes: &[u8]) -> Plain {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(bytes, 0).unwrap();
        Plain::new(file)
    }

    fn len_of(plain: &Plain) -> u64 {
        plain.len(plain.file.metadata().unwrap().len())
    }

    #[test]
    fn a_file_ends_behind_its_last_byte_that_is_not_nul() {
        let text = b"text\n";
        for nuls in [0, 1, 4096, 70_000, 5 << 20] {
            for is_hole in [false, true] {
                let plain = plain(text);
                if is_hole {
                    plain.file.set_len(5 + nuls).unwrap();
                } else {
                    let nuls = vec![0; usize::try_from(nuls).unwrap()];
                    plain.file.write_all_at(&nuls, 5).unwrap();
                }
                assert_eq!(len_of(&plain), 5, "{nuls}");
                assert_eq!(plain.ends_in_nuls(), nuls > 0);
                let mut buffer = vec![1; 300_000];
                assert_eq!(plain.read_at(&mut buffer, 0).unwrap(), (5, true));
                assert_eq!(plain.read_at(&mut buffer[..5], 0).unwrap(), (5, false));
                assert_eq!(plain.read_at(&mut buffer, 5).unwrap(), (0, true));
                plain.file.write_all_at(b"more", 5).unwrap();
                assert_eq!(len_of(&plain), 9, "{nuls}");
            }
        }
        assert_eq!(len_of(&plain(&[0; 9000])), 0);
    }

    #[test]
    fn nuls_before_text_are_content() {
        let hole = [&b"text\n"[..], &vec![0; 300_000], b"behind", &[0; 9]].concat();
        let plain = plain(&hole);
        assert_eq!(len_of(&plain), 300_011);
        let mut buffer = vec![1; 200_000];
        assert_eq!(plain.read_at(&mut buffer, 0).unwrap(), (200_000, false));
        assert_eq!(buffer, hole[..200_000]);
        assert_eq!(plain.end_of_hole(0), None);
        let rest = plain.read_at(&mut buffer, 200_000).unwrap();
        assert_eq!(rest, (100_011, true));
        // Emptied, and made longer again with less text.
        plain.file.set_len(0).unwrap();
        plain.file.set_len(400_000).unwrap();
        plain.file.write_all_at(b"new", 0).unwrap();
        assert_eq!(len_of(&plain), 3);
    }

    #[test]
    fn text_that_is_written_over_nuls_while_it_is_read_is_read_whole() {
        let plain = plain(b"one\n\0\0\0\0two\n\0\0\0\0");
        assert_eq!(len_of(&plain), 12);
        let writer = plain.file.try_clone().unwrap();
        meanwhile::let_happen(meanwhile::After::Reading, move || {
            writer.write_all_at(b"and\n", 4).unwrap();
        });
        let mut buffer = [1; 16];
        assert_eq!(plain.read_at(&mut buffer, 0).unwrap(), (12, true));
        assert_eq!(&buffer[..12], b"one\nand\ntwo\n");
    }
}
