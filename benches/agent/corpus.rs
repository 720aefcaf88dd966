//! What is shipped: lines like those of an application, each different, the same in every run on
//! every machine. Knows nothing of who ships them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;
use pinnace::receiver::Digest;

const WORDS: [&str; 16] = [
    "order",
    "paid",
    "customer",
    "rapport",
    "généré",
    "timeout",
    "retry",
    "fetched",
    "rows",
    "cache",
    "miss",
    "GET",
    "/api/v1/items",
    "200",
    "duration_ms=",
    "user_id=",
];

/// Makes one line after the other.
pub(crate) struct Lines {
    state: u64,
    line: String,
    len: usize,
}

impl Lines {
    /// Lines of `len` bytes, the line end included.
    pub(crate) fn new(len: usize) -> Self {
        Self {
            state: 0x9E37_79B9_7F4A_7C15,
            line: String::new(),
            len,
        }
    }

    /// The next one, with its line end.
    pub(crate) fn next(&mut self) -> &[u8] {
        let Self { state, line, len } = self;
        line.clear();
        line.push_str("2026-11-22 10:00:00,123 - checkout.worker - INFO - ");
        while line.len() < *len - 1 {
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            line.push_str(WORDS[(*state >> 60) as usize]);
            if state.is_multiple_of(3) {
                line.push_str(&(*state >> 40).to_string());
            }
            line.push(' ');
        }
        line.truncate(line.floor_char_boundary(*len - 1));
        line.push('\n');
        line.as_bytes()
    }
}

/// How much, in how many files.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    pub(crate) line_len: usize,
    pub(crate) files: usize,
    /// Bytes in all.
    pub(crate) bytes: usize,
    /// Whether all files but the newest are rotated and compressed.
    pub(crate) is_gzip: bool,
}

impl Shape {
    /// Plain lines of 200 bytes in one file.
    pub(crate) fn of(bytes: usize) -> Self {
        Self {
            line_len: 200,
            files: 1,
            bytes,
            is_gzip: false,
        }
    }
}

/// Files with lines, in a folder of their own.
pub(crate) struct Corpus {
    folder: tempfile::TempDir,
    pub(crate) shape: Shape,
    pub(crate) digest: Digest,
    /// Bytes of content.
    pub(crate) bytes: usize,
}

impl Corpus {
    /// Writes the files; they are in the page cache then.
    pub(crate) fn write(shape: Shape) -> Result<Self> {
        let mut corpus = Self {
            folder: tempfile::tempdir()?,
            shape,
            digest: Digest::default(),
            bytes: 0,
        };
        let mut lines = Lines::new(shape.line_len);
        for number in 0..shape.files {
            let age = shape.files - 1 - number;
            let is_gzip = shape.is_gzip && age > 0;
            let name = if is_gzip {
                format!("app.log.{age}.gz")
            } else if shape.is_gzip {
                "app.log".to_owned()
            } else {
                format!("{number:05}.log")
            };
            let file = File::create(corpus.folder().join(name))?;
            let mut file = BufWriter::with_capacity(1 << 20, file);
            if is_gzip {
                let mut packed = GzEncoder::new(&mut file, Compression::default());
                corpus.fill(&mut lines, &mut packed)?;
                packed.finish()?;
            } else {
                corpus.fill(&mut lines, &mut file)?;
            }
            file.flush()?;
        }
        Ok(corpus)
    }

    /// Writes one file's share.
    fn fill(&mut self, lines: &mut Lines, file: &mut impl Write) -> Result<()> {
        let share = self.shape.bytes / self.shape.files;
        let mut of_file = 0;
        while of_file < share {
            let line = lines.next();
            self.digest.add(&line[..line.len() - 1]);
            file.write_all(line)?;
            of_file += line.len();
        }
        self.bytes += of_file;
        Ok(())
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
