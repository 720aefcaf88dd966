//! Writes lines that say which they are, as an application would. Knows nothing of the agent.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use pinnace::receiver::Digest;

/// A series of lines: each begins with the series' name and its number.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    /// Tells the series apart.
    pub(crate) name: String,
    /// The number of the next line.
    pub(crate) next: u64,
    /// Bytes of each line, at least, without its line end.
    pub(crate) width: usize,
}

impl Numbered {
    /// A series of short lines.
    pub(crate) fn new(name: &str) -> Self {
        Self::wide(name, 0)
    }

    /// A series of lines of `width` bytes.
    pub(crate) fn wide(name: &str, width: usize) -> Self {
        Self {
            name: name.to_owned(),
            next: 0,
            width,
        }
    }

    /// The line of that number.
    pub(crate) fn line(&self, number: u64) -> String {
        let mut line = format!("{} {number:08} ", self.name);
        write_padding(&mut line, self.width);
        line
    }

    /// The next line, with its line end.
    pub(crate) fn next_line(&mut self) -> String {
        let line = self.line(self.next) + "\n";
        self.next += 1;
        line
    }

    /// The next `count` lines, in one text.
    pub(crate) fn take(&mut self, count: u64) -> String {
        (0..count).map(|_| self.next_line()).collect()
    }

    /// Appends the next `count` lines to a file, which is made when it is missing.
    pub(crate) fn append_to(&mut self, path: &Path, count: u64) {
        let mut file = BufWriter::with_capacity(1 << 16, open_to_append(path));
        for _ in 0..count {
            file.write_all(self.next_line().as_bytes()).unwrap();
        }
        file.flush().unwrap();
    }

    /// All lines so far.
    pub(crate) fn all(&self) -> Vec<String> {
        (0..self.next).map(|number| self.line(number)).collect()
    }
}

fn write_padding(line: &mut String, width: usize) {
    let mut step = 0;
    while line.len() < width {
        write!(line, "{:x}", step * 7 % 16).unwrap();
        step += 1;
    }
}

/// The digest of the lines 0 to `count` of a series.
pub(crate) fn expected_digest(series: &Numbered, count: u64) -> Digest {
    let mut digest = Digest::default();
    for number in 0..count {
        digest.add(series.line(number).as_bytes());
    }
    digest
}

/// Appends bytes to a file, which is made when it is missing.
pub(crate) fn append(path: &Path, bytes: impl AsRef<[u8]>) {
    open_to_append(path).write_all(bytes.as_ref()).unwrap();
}

fn open_to_append(path: &Path) -> File {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .unwrap()
}
