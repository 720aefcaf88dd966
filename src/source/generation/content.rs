//! The bytes of a file as its reader means them: those of the file itself, or those inside a
//! gzip. Offsets are always those of the content. NULs at the end are none of it: a writer that makes
//! its file longer beforehand puts its lines over them.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use crate::span::{HEAD_BYTES, Position};

pub(crate) mod gzip;
mod plain;

use gzip::{Gzip, is_gzip};
use plain::Plain;

/// An open file's content.
#[derive(Debug)]
pub(crate) enum Content {
    /// The file itself.
    Plain(Plain),
    /// What is compressed in it.
    Gzip(Gzip),
}

impl Content {
    /// Takes an open file; `may_be_gzip` says whether its name promises a gzip. A gzip that is
    /// not complete is an error of the kind [`io::ErrorKind::UnexpectedEof`].
    pub(in crate::source) fn of(file: File, may_be_gzip: bool) -> io::Result<Self> {
        if may_be_gzip && is_gzip(&file)? {
            return Ok(Self::Gzip(Gzip::new(file)?));
        }
        Ok(Self::Plain(Plain::new(file)))
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        match self {
            Self::Plain(plain) => plain.file(),
            Self::Gzip(gzip) => &gzip.file,
        }
    }

    /// Whether it is complete, and never written again.
    pub(in crate::source) fn is_whole(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    /// Where it ends, with the proof of what lies before, where that is known without a read.
    pub(in crate::source) fn known_end(&self) -> Option<Position> {
        match self {
            Self::Plain(_) => None,
            Self::Gzip(gzip) => Some(gzip.end),
        }
    }

    /// How long the content is of a file that is so long.
    pub(in crate::source) fn len(&self, of_file: u64) -> u64 {
        match self {
            Self::Plain(plain) => plain.len(of_file),
            Self::Gzip(gzip) => gzip.end.offset,
        }
    }

    /// Whether it ended in NULs when its length was last asked: what is written over them need not
    /// change what the system says of the file.
    pub(in crate::source) fn ends_in_nuls(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.ends_in_nuls(),
            Self::Gzip(_) => false,
        }
    }

    /// Where a hole ends that the file has at this offset, so far as the system says it.
    pub(in crate::source) fn end_of_hole(&self, offset: u64) -> Option<u64> {
        match self {
            Self::Plain(plain) => plain.end_of_hole(offset),
            Self::Gzip(_) => None,
        }
    }

    /// Fills `buffer` from `offset` on. Returns how much there was, and whether the content
    /// ended.
    pub(in crate::source) fn read_at(
        &self,
        buffer: &mut [u8],
        offset: u64,
    ) -> io::Result<(usize, bool)> {
        match self {
            Self::Plain(plain) => plain.read_at(buffer, offset),
            Self::Gzip(gzip) => gzip.read_at(buffer, offset),
        }
    }
}

/// The first bytes of what a file holds, up to [`HEAD_BYTES`]: of a gzip without looking through it.
pub(in crate::source) fn head_of(file: File, may_be_gzip: bool) -> io::Result<Vec<u8>> {
    let is_gzip = may_be_gzip && is_gzip(&file)?;
    let mut head = Vec::new();
    from_beginning(file, is_gzip)
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    Ok(head)
}

/// Reads what a file holds from its beginning: of a gzip without looking through it.
pub(crate) fn from_beginning(file: File, is_gzip: bool) -> Box<dyn Read> {
    if is_gzip {
        Box::new(gzip::decoder_of(&Arc::new(file)))
    } else {
        Box::new(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Anchor;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn gzip_of(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn content(bytes: &[u8], may_be_gzip: bool) -> io::Result<Content> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Content::of(file, may_be_gzip)
    }

    #[test]
    fn a_gzip_that_is_not_complete_does_not_count() {
        let whole = gzip_of(&vec![7; 100_000]);
        let error = content(&whole[..whole.len() - 3], true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(
            matches!(content(&whole, true).unwrap(), Content::Gzip(gzip) if gzip.end.offset == 100_000)
        );
        assert!(matches!(content(&whole, false).unwrap(), Content::Plain(_)));
        assert!(matches!(
            content(b"plain text", true).unwrap(),
            Content::Plain(_)
        ));
        let error = content(b"", true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn nuls_at_the_end_are_no_content_of_a_gzip() {
        for nuls in [1, 70_000, 300_000] {
            let text = vec![b'x'; 100_000];
            let mut with_nuls = text.clone();
            with_nuls.extend(vec![0; nuls]);
            let content = content(&gzip_of(&with_nuls), true).unwrap();
            let end = Position {
                offset: 100_000,
                anchor: Anchor::at_end_of(&text),
            };
            assert_eq!(content.known_end(), Some(end));
            let mut buffer = vec![1; 100_001];
            assert_eq!(content.read_at(&mut buffer, 7).unwrap(), (99_993, true));
            assert_eq!(content.read_at(&mut buffer, 100_000).unwrap(), (0, true));
        }
        let hole = [&vec![0; 200_000][..], b"text", &[0; 9]].concat();
        let content = content(&gzip_of(&hole), true).unwrap();
        assert_eq!(content.known_end().unwrap().offset, 200_004);
        let before = Anchor::at_end_of(&hole[..200_004]);
        assert_eq!(content.known_end().unwrap().anchor, before);
    }

    #[test]
    fn a_gzip_takes_one_descriptor_however_many_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log.gz");
        std::fs::write(&path, gzip_of(&vec![7; 1_000_000])).unwrap();
        let content = Content::of(File::open(&path).unwrap(), true).unwrap();
        for offset in [900_000, 0, 500_000, 0] {
            content.read_at(&mut [0; 10], offset).unwrap();
        }
        let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let links = descriptors.filter_map(|it| std::fs::read_link(it.path()).ok());
        assert_eq!(links.filter(|it| *it == path).count(), 1);
    }

    #[test]
    fn members_of_a_gzip_are_one_content_and_zeros_are_padding() {
        let mut bytes = [gzip_of(b"one\n"), gzip_of(b""), gzip_of(b"two")].concat();
        for _ in 0..2 {
            let mut buffer = [0; 20];
            let read = content(&bytes, true).unwrap().read_at(&mut buffer, 0);
            assert_eq!(read.unwrap(), (7, true));
            assert_eq!(&buffer[..7], b"one\ntwo");
            bytes.resize(bytes.len() + 100_000, 0);
        }
        bytes.push(b'x');
        assert!(content(&bytes, true).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_part_of_a_gzip_reads_as_what_was_compressed(
            seed in any::<u64>(),
            reads in proptest::collection::vec((0usize..300_000, 1usize..100_000), 1..12),
        ) {
            let mut state = seed | 1;
            let text: Vec<u8> = (0..250_000)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    b'a' + u8::try_from(state % 20).unwrap()
                })
                .collect();
            let content = content(&gzip_of(&text), true).unwrap();
            for (offset, len) in reads {
                let mut buffer = vec![0; len];
                let (read, is_end) = content.read_at(&mut buffer, offset as u64).unwrap();
                let expected = &text[offset.min(text.len())..(offset + len).min(text.len())];
                prop_assert_eq!(&buffer[..read], expected);
                prop_assert_eq!(is_end, read < len);
            }
        }
    }
}
