//! The file of the records that a destination does not take: one line of JSON for each. Owns the
//! file's bound and that each record is in it once. Decides nothing about records.
//!
//! A letter is on the device before the journal settles its record. A crash between the two has
//! the record refused once more: then it is found in the file, by batch, place, time and text.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::batch::BatchId;
use crate::observe::snapshot::{bytes, utc, utc_of};
use crate::record::Time;

/// The name of the file in the state directory.
pub(crate) const NAME: &str = "dead-letters.ndjson";

/// The dead letters of one agent.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    path: PathBuf,
    max_bytes: u64,
    drops_when_full: bool,
    /// What is in the file must be looked for: an earlier run may have left half a line, or a
    /// write failed in its middle.
    is_unsure: bool,
}

/// What the letters of one batch have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occasion {
    /// The batch.
    pub(crate) batch: BatchId,
    /// Name of the output.
    pub(crate) output: String,
    /// The stream at the destination.
    pub(crate) stream: String,
    /// Why, in a word.
    pub(crate) reason: &'static str,
    /// What the destination answered.
    pub(crate) answer: String,
    /// Whether the destination may have stored it all the same.
    pub(crate) may_be_stored: bool,
    /// The bytes that the batch was made of.
    pub(crate) spans: Vec<Bytes>,
    /// Whether the batch is of an earlier run, which may have written letters of it.
    pub(crate) is_replay: bool,
}

/// Bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Bytes {
    /// Where the file was first seen.
    pub(crate) path: String,
    /// Its generation.
    pub(crate) generation: u64,
    /// Offset of the first byte.
    pub(crate) start: u64,
    /// Offset behind the last byte.
    pub(crate) end: u64,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Its place in the batch, counted from 0.
    pub(crate) record: u32,
    /// The time that it was sent with.
    pub(crate) time: Time,
    /// Its text as it was sent: what was not UTF-8 is replaced.
    pub(crate) text: String,
    /// Its structured metadata.
    pub(crate) metadata: Vec<(String, String)>,
}

/// What came of writing letters.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// So many of the first ones are done with: in the file, or dropped.
    pub(crate) done: usize,
    /// So many of these were dropped.
    pub(crate) dropped: usize,
    /// Why no more of them are done with.
    pub(crate) trouble: Option<String>,
}

/// A line of the file. Its beginning is how a letter is looked for.
#[derive(Serialize)]
struct Line<'a> {
    batch: BatchId,
    record: u32,
    output: &'a str,
    stream: &'a str,
    reason: &'a str,
    answer: &'a str,
    may_be_stored: bool,
    time: String,
    time_ns: i64,
    text: &'a str,
    metadata: serde_json::Map<String, serde_json::Value>,
    spans: &'a [Bytes],
    refused_at: String,
}

/// What of a line tells which record it holds.
#[derive(Deserialize, PartialEq, Eq, Hash)]
struct Known {
    record: u32,
    output: String,
    time_ns: i64,
    text: String,
}

impl DeadLetters {
    /// The dead letters in a state directory. Opens nothing.
    pub(crate) fn new(state_dir: &Path, max_bytes: u64, drops_when_full: bool) -> Self {
        Self {
            path: state_dir.join(NAME),
            max_bytes,
            drops_when_full,
            is_unsure: true,
        }
    }

    /// Where they are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How large the file is.
    pub(crate) fn len(&self) -> u64 {
        self.path.metadata().map_or(0, |it| it.len())
    }

    /// What is in the file, for whoever looks; nothing when it is empty.
    pub(crate) fn sentence(&self) -> Option<String> {
        let len = self.len();
        (len > 0).then(|| {
            format!(
                "dead letters: {} of refused records in {}",
                bytes(len),
                self.path.display()
            )
        })
    }

    /// Writes letters, and returns when they are on the device.
    pub(crate) fn write(&mut self, occasion: &Occasion, letters: &[Letter]) -> Written {
        match self.try_write(occasion, letters) {
            Ok(written) => written,
            Err(error) => {
                self.is_unsure = true;
                Written {
                    trouble: Some(format!(
                        "cannot write the dead letters {}: {error}; refused records wait until that is mended",
                        self.path.display()
                    )),
                    ..Written::default()
                }
            }
        }
    }

    fn try_write(&mut self, occasion: &Occasion, letters: &[Letter]) -> io::Result<Written> {
        let is_new = !self.path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        let known = if occasion.is_replay || self.is_unsure {
            let (known, whole) = known(&file, occasion.batch)?;
            // What a kill left of a line is no letter: its record is still owed.
            file.set_len(whole)?;
            known
        } else {
            HashSet::new()
        };
        let mut room = self.max_bytes.saturating_sub(file.metadata()?.len());
        let mut written = Written::default();
        let mut lines = Vec::new();
        for letter in letters {
            let is_known = !known.is_empty()
                && known.contains(&Known {
                    record: letter.record,
                    output: occasion.output.clone(),
                    time_ns: letter.time.0,
                    text: letter.text.clone(),
                });
            if !is_known {
                let before = lines.len();
                line(&mut lines, occasion, letter)?;
                let len = (lines.len() - before) as u64;
                if len > room {
                    lines.truncate(before);
                    if !self.drops_when_full {
                        written.trouble = Some(self.full());
                        break;
                    }
                    written.dropped += 1;
                } else {
                    room -= len;
                }
            }
            written.done += 1;
        }
        if !lines.is_empty() {
            file.write_all(&lines)?;
            file.sync_data()?;
        }
        if is_new {
            // The name must be as durable as the content.
            File::open(self.path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
        }
        self.is_unsure = false;
        Ok(written)
    }

    fn full(&self) -> String {
        format!(
            "the dead letters {} have reached dead_letters.max_bytes ({} bytes): move the file away, or raise it; refused records wait until there is room",
            self.path.display(),
            self.max_bytes
        )
    }
}

fn line(out: &mut Vec<u8>, occasion: &Occasion, letter: &Letter) -> io::Result<()> {
    let metadata = letter.metadata.iter();
    let line = Line {
        batch: occasion.batch,
        record: letter.record,
        output: &occasion.output,
        stream: &occasion.stream,
        reason: occasion.reason,
        answer: &occasion.answer,
        may_be_stored: occasion.may_be_stored,
        time: utc(letter.time),
        time_ns: letter.time.0,
        text: &letter.text,
        metadata: metadata
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect(),
        spans: &occasion.spans,
        refused_at: utc_of(SystemTime::now()),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.push(b'\n');
    Ok(())
}

/// The letters of a batch that are in the file, and up to where its lines are whole.
fn known(file: &File, batch: BatchId) -> io::Result<(HashSet<Known>, u64)> {
    let begin = format!("{{\"batch\":{},", batch.0).into_bytes();
    let mut reader = BufReader::new(file);
    let mut known = HashSet::new();
    let mut whole = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let len = reader.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Ok((known, whole));
        }
        whole += len as u64;
        if line.starts_with(&begin)
            && let Ok(letter) = serde_json::from_slice(&line)
        {
            known.insert(letter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::os::unix::fs::PermissionsExt as _;

    fn occasion(batch: u64, is_replay: bool) -> Occasion {
        Occasion {
            batch: BatchId(batch),
            output: "loki".into(),
            stream: "{app=\"a\"}".into(),
            reason: "refused",
            answer: "400: no".into(),
            may_be_stored: false,
            spans: vec![Bytes {
                path: "/var/log/a.log".into(),
                generation: 3,
                start: 10,
                end: 90,
            }],
            is_replay,
        }
    }

    fn letters(records: std::ops::Range<u32>) -> Vec<Letter> {
        let letter = |record| Letter {
            record,
            time: Time(i64::from(record) + 1000),
            text: format!("bad \"{record}\"\n\u{FFFD}"),
            metadata: vec![("pod".into(), "p-1".into())],
        };
        records.map(letter).collect()
    }

    fn read(dir: &Path) -> Vec<Value> {
        let text = std::fs::read_to_string(dir.join(NAME)).unwrap();
        let lines = text.lines();
        lines.map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    fn done(count: usize) -> Written {
        Written {
            done: count,
            ..Written::default()
        }
    }

    #[test]
    fn a_letter_tells_all_that_is_known_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut dead = DeadLetters::new(dir.path(), 1 << 20, false);
        assert_eq!(dead.write(&occasion(5, false), &letters(2..3)), done(1));
        let mut line = read(dir.path()).remove(0);
        let refused_at = line.as_object_mut().unwrap().remove("refused_at");
        assert!(refused_at.unwrap().as_str().unwrap().ends_with('Z'));
        let expected = serde_json::json!({
            "batch": 5, "record": 2, "output": "loki", "stream": "{app=\"a\"}",
            "reason": "refused", "answer": "400: no", "may_be_stored": false,
            "time": "1970-01-01T00:00:00.000Z", "time_ns": 1002,
            "text": "bad \"2\"\n\u{FFFD}", "metadata": { "pod": "p-1" },
            "spans": [{ "path": "/var/log/a.log", "generation": 3, "start": 10, "end": 90 }],
        });
        assert_eq!(line, expected);
        let mode = dead.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn what_an_earlier_run_wrote_is_not_written_twice_and_a_torn_line_is_no_letter() {
        let dir = tempfile::tempdir().unwrap();
        let mut dead = DeadLetters::new(dir.path(), 1 << 20, false);
        dead.write(&occasion(5, false), &letters(0..2));
        dead.write(&occasion(6, false), &letters(2..3));
        let path = dead.path().to_owned();
        let whole = std::fs::read(&path).unwrap();
        for torn in [1, 50, 200] {
            std::fs::write(&path, [&whole[..], &whole[..torn]].concat()).unwrap();
            let mut dead = DeadLetters::new(dir.path(), 1 << 20, false);
            assert_eq!(dead.write(&occasion(5, true), &letters(0..4)), done(4));
            let records: Vec<_> = read(dir.path())
                .iter()
                .map(|it| {
                    (
                        it["batch"].as_u64().unwrap(),
                        it["record"].as_u64().unwrap(),
                    )
                })
                .collect();
            assert_eq!(records[..5], [(5, 0), (5, 1), (6, 2), (5, 2), (5, 3)][..]);
        }
        // The same numbers in another life of the state directory are other records.
        let mut other = letters(0..1);
        other[0].text = "another".into();
        let before = read(dir.path()).len();
        assert_eq!(dead.write(&occasion(5, true), &other), done(1));
        assert_eq!(read(dir.path()).len(), before + 1);
    }

    #[test]
    fn a_line_that_an_earlier_run_left_torn_swallows_no_letter_of_a_new_batch() {
        let dir = tempfile::tempdir().unwrap();
        let mut dead = DeadLetters::new(dir.path(), 1 << 20, false);
        dead.write(&occasion(5, false), &letters(0..2));
        let path = dead.path().to_owned();
        let torn = path.metadata().unwrap().len() - 30;
        OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(torn))
            .unwrap();
        let mut dead = DeadLetters::new(dir.path(), 1 << 20, false);
        assert_eq!(dead.write(&occasion(6, false), &letters(0..1)), done(1));
        let batches: Vec<_> = read(dir.path())
            .iter()
            .map(|it| it["batch"].as_u64())
            .collect();
        assert_eq!(batches, [Some(5), Some(6)]);
    }

    #[test]
    fn a_full_file_holds_or_drops_and_takes_more_when_it_is_moved_away() {
        let dir = tempfile::tempdir().unwrap();
        let one_line = {
            let mut out = Vec::new();
            line(&mut out, &occasion(1, false), &letters(0..1)[0]).unwrap();
            out.len() as u64
        };
        let mut dead = DeadLetters::new(dir.path(), 2 * one_line, false);
        let held = dead.write(&occasion(1, false), &letters(0..3));
        assert_eq!((held.done, held.dropped), (2, 0));
        assert!(held.trouble.unwrap().contains("dead_letters.max_bytes"));
        assert_eq!(dead.len(), 2 * one_line);
        let mut dropping = DeadLetters::new(dir.path(), 2 * one_line, true);
        let dropped = dropping.write(&occasion(1, false), &letters(2..5));
        assert_eq!(
            (dropped.done, dropped.dropped, dropped.trouble),
            (3, 3, None)
        );
        std::fs::rename(dead.path(), dir.path().join("moved")).unwrap();
        assert_eq!(dead.write(&occasion(1, false), &letters(2..4)), done(2));
        assert_eq!(read(dir.path()).len(), 2);
    }

    #[test]
    fn what_cannot_be_written_is_said_and_written_later() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join("state");
        let mut dead = DeadLetters::new(&state_dir, 1 << 20, false);
        let failed = dead.write(&occasion(1, false), &letters(0..1));
        assert_eq!(failed.done, 0);
        assert!(failed.trouble.unwrap().contains("cannot write"));
        std::fs::create_dir(&state_dir).unwrap();
        assert_eq!(dead.write(&occasion(1, false), &letters(0..1)), done(1));
        assert_eq!(read(&state_dir).len(), 1);
    }
}
