//! A gzip: its content from any place on, decoded by readers that keep some places in it. One file
//! can hold several, one behind the other.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use flate2::bufread::GzDecoder;

use super::plain::text_len;
use crate::span::{ANCHOR_BYTES, Anchor, Position};

/// What every gzip begins with.
const MAGIC: [u8; 2] = [0x1F, 0x8B];
/// So many bytes before the place up to which a gzip is decoded can be read again without
/// decoding it anew.
const HISTORY: usize = 64 * 1024;
/// So many readers of a gzip have a place of their own in it.
const MAX_PLACES: usize = 4;

/// Whether a file that is named as a gzip is one. One of which that cannot be told yet is an error.
pub(crate) fn is_gzip(file: &File) -> io::Result<bool> {
    let mut magic = [0; 2];
    match file.read_at(&mut magic, 0)? {
        0 | 1 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(magic == MAGIC),
    }
}

/// A complete gzip.
#[derive(Debug)]
pub(crate) struct Gzip {
    /// The open file.
    pub(super) file: Arc<File>,
    /// Where its content ends.
    pub(super) end: Position,
    places: RefCell<Vec<Place>>,
}

impl Gzip {
    /// Decodes all of a file once. One that is not complete is an error of the kind
    /// [`io::ErrorKind::UnexpectedEof`].
    pub(super) fn new(file: File) -> io::Result<Self> {
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

    /// Fills `buffer` from `offset` on. Returns how much there was, and whether the content
    /// ended.
    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<(usize, bool)> {
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
        let len = place.read_at(buffer, offset)?;
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
pub(super) struct Decoder(Option<GzDecoder<BufReader<FromBeginning>>>);

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

/// Decodes a file from its beginning.
pub(super) fn decoder_of(file: &Arc<File>) -> Decoder {
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

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut skipped = [0; 8192];
        while self.end < offset {
            let want = usize::try_from(offset - self.end)
                .map_or(skipped.len(), |it| it.min(skipped.len()));
            if self.decode(&mut skipped[..want])? == 0 {
                return Ok(0);
            }
        }
        let from = usize::try_from(offset - self.start()).unwrap_or(0);
        let known = &self.history[from..];
        let mut len = known.len().min(buffer.len());
        buffer[..len].copy_from_slice(&known[..len]);
        while len < buffer.len() {
            match self.decode(&mut buffer[len..])? {
                0 => break,
                more => len += more,
            }
        }
        Ok(len)
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
