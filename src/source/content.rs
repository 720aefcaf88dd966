//! The bytes of a file as its reader means them: those of the file itself, or those inside a
//! gzip. Offsets are always those of the content. NULs at the end are none of it: a writer that makes
//! its file longer beforehand puts its lines over them.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use flate2::bufread::GzDecoder;

use crate::span::{ANCHOR_BYTES, Anchor, HEAD_BYTES, Position};

mod plain;

use plain::{Plain, text_len};

/// What every gzip begins with.
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
/// So many bytes before the place up to which a gzip is decoded can be read again without
/// decoding it anew.
const HISTORY: usize = 64 * 1024;
/// So many readers of a gzip have a place of their own in it.
const MAX_PLACES: usize = 4;

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
    pub(super) fn of(file: File, may_be_gzip: bool) -> io::Result<Self> {
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
    pub(super) fn is_whole(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    /// Where it ends, with the proof of what lies before, where that is known without a read.
    pub(super) fn known_end(&self) -> Option<Position> {
        match self {
            Self::Plain(_) => None,
            Self::Gzip(gzip) => Some(gzip.end),
        }
    }

    /// How long the content is of a file that is so long.
    pub(super) fn len(&self, of_file: u64) -> u64 {
        match self {
            Self::Plain(plain) => plain.len(of_file),
            Self::Gzip(gzip) => gzip.end.offset,
        }
    }

    /// Whether it ended in NULs when its length was last asked: what is written over them need not
    /// change what the system says of the file.
    pub(super) fn ends_in_nuls(&self) -> bool {
        match self {
            Self::Plain(plain) => plain.ends_in_nuls(),
            Self::Gzip(_) => false,
        }
    }

    /// Where a hole ends that the file has at this offset, so far as the system says it.
    pub(super) fn end_of_hole(&self, offset: u64) -> Option<u64> {
        match self {
            Self::Plain(plain) => plain.end_of_hole(offset),
            Self::Gzip(_) => None,
        }
    }

    /// Fills `buffer` from `offset` on. Returns how much there was, and whether the content
    /// ended.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<(usize, bool)> {
        match self {
            Self::Plain(plain) => plain.read_at(buffer, offset),
            Self::Gzip(gzip) => gzip.read_at(buffer, offset),
        }
    }
}

/// The first bytes of what a file holds, up to [`HEAD_BYTES`]: of a gzip without looking through it.
pub(super) fn head_of(file: File, may_be_gzip: bool) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let most = HEAD_BYTES as u64;
    if may_be_gzip && is_gzip(&file)? {
        let decoder = decoder_of(&Arc::new(file));
        decoder.take(most).read_to_end(&mut head)?;
    } else {
        file.take(most).read_to_end(&mut head)?;
    }
    Ok(head)
}

/// Whether a file that is named as a gzip is one. One of which that cannot be told yet is an error.
pub(super) fn is_gzip(file: &File) -> io::Result<bool> {
    let mut magic = [0; 2];
    match file.read_at(&mut magic, 0)? {
        0 | 1 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(magic == GZIP_MAGIC),
    }
}

/// A complete gzip.
#[derive(Debug)]
pub(crate) struct Gzip {
    file: Arc<File>,
    /// Where its content ends.
    end: Position,
    places: RefCell<Vec<Place>>,
}

impl Gzip {
    fn new(file: File) -> io::Result<Self> {
        let file = Arc::new(file);
        let mut decoder = decoder_of(&file);
        let mut buffer = vec![0; HISTORY];
        let (mut len, mut tail) = (0, Vec::new());
        // What was read behind the last byte that is not NUL.
        let mut nuls: u64 = 0;
        loop {
            match decoder.read(&mut buffer) {
                Ok(0) => break,
                Ok(more) => {
                    let text = text_len(&buffer[..more]);
                    if text > 0 {
                        len += nuls + text as u64;
                        push_last(&mut tail, &NULS[..usize_of(nuls).min(ANCHOR_BYTES)]);
                        push_last(&mut tail, &buffer[..text]);
                        nuls = 0;
                    }
                    nuls += (more - text) as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            file,
            end: Position {
                offset: len,
                anchor: Anchor::at_end_of(&tail),
            },
            places: RefCell::default(),
        })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<(usize, bool)> {
        let left = usize_of(self.end.offset.saturating_sub(offset));
        let is_end = left < buffer.len();
        let most = left.min(buffer.len());
        let buffer = &mut buffer[..most];
        let mut places = self.places.borrow_mut();
        let nearest = places
            .iter()
            .enumerate()
            .filter(|(_, place)| place.start() <= offset)
            .max_by_key(|(_, place)| place.end)
            .map(|(index, _)| index);
        let mut place = match nearest {
            Some(index) => places.swap_remove(index),
            None => Place::at_beginning(&self.file),
        };
        let (len, _) = place.read_at(buffer, offset)?;
        if places.len() == MAX_PLACES {
            places.remove(0);
        }
        places.push(place);
        Ok((len, is_end))
    }
}

const NULS: [u8; ANCHOR_BYTES] = [0; ANCHOR_BYTES];

/// Adds to the last [`ANCHOR_BYTES`] of a content.
fn push_last(tail: &mut Vec<u8>, new: &[u8]) {
    let new = &new[new.len().saturating_sub(ANCHOR_BYTES)..];
    let too_many = (tail.len() + new.len()).saturating_sub(ANCHOR_BYTES);
    tail.drain(..too_many);
    tail.extend_from_slice(new);
}

fn usize_of(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// Decodes one gzip after the other. Zeros behind one are padding, as for gzip itself.
#[derive(Debug)]
struct Decoder(Option<GzDecoder<BufReader<FromBeginning>>>);

impl Read for Decoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.0 {
            let len = decoder.read(buffer)?;
            if len > 0 || buffer.is_empty() {
                return Ok(len);
            }
            let is_end = is_padding(decoder.get_mut())?;
            let rest = self.0.take().filter(|_| !is_end);
            self.0 = rest.map(|it| GzDecoder::new(it.into_inner()));
        }
        Ok(0)
    }
}

/// Whether nothing but zeros follows. Those that do are skipped.
fn is_padding(rest: &mut BufReader<FromBeginning>) -> io::Result<bool> {
    loop {
        let bytes = rest.fill_buf()?;
        let zeros = bytes.iter().take_while(|it| **it == 0).count();
        if zeros < bytes.len() {
            rest.consume(zeros);
            return Ok(false);
        }
        if zeros == 0 {
            return Ok(true);
        }
        rest.consume(zeros);
    }
}

fn decoder_of(file: &Arc<File>) -> Decoder {
    let own = FromBeginning {
        file: Arc::clone(file),
        offset: 0,
    };
    let own = BufReader::with_capacity(HISTORY, own);
    Decoder(Some(GzDecoder::new(own)))
}

/// Reads a file with a place of its own, by the one descriptor that all its readers share.
#[derive(Debug)]
struct FromBeginning {
    file: Arc<File>,
    offset: u64,
}

impl Read for FromBeginning {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read_at(buffer, self.offset)?;
        self.offset += len as u64;
        Ok(len)
    }
}

/// Up to where one reader has decoded.
#[derive(Debug)]
struct Place {
    decoder: Decoder,
    /// The last bytes decoded.
    history: Vec<u8>,
    /// Where they end in the content.
    end: u64,
}

impl Place {
    fn at_beginning(file: &Arc<File>) -> Self {
        Self {
            decoder: decoder_of(file),
            history: Vec::new(),
            end: 0,
        }
    }

    fn start(&self) -> u64 {
        self.end - self.history.len() as u64
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<(usize, bool)> {
        let mut skipped = [0; 8192];
        while self.end < offset {
            let want = usize::try_from(offset - self.end)
                .map_or(skipped.len(), |it| it.min(skipped.len()));
            if self.decode(&mut skipped[..want])? == 0 {
                return Ok((0, true));
            }
        }
        let from = usize::try_from(offset - self.start()).unwrap_or(0);
        let known = &self.history[from..];
        let mut len = known.len().min(buffer.len());
        buffer[..len].copy_from_slice(&known[..len]);
        while len < buffer.len() {
            match self.decode(&mut buffer[len..])? {
                0 => return Ok((len, true)),
                more => len += more,
            }
        }
        Ok((len, false))
    }

    fn decode(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = loop {
            match self.decoder.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.end += len as u64;
        let new = &buffer[..len];
        let keep = HISTORY.saturating_sub(new.len());
        self.history
            .drain(..self.history.len().saturating_sub(keep));
        self.history
            .extend_from_slice(&new[new.len().saturating_sub(HISTORY)..]);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
