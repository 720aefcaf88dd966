//! What must hold of any bytes that come from outside, for the fuzz targets in fuzz/ and for
//! tests/fuzz_corpus.rs. Not a part of the program, and no promise to anyone.
//!
//! Each target takes bytes and says what does not hold. To panic or not to end is a failure too.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use hyper::StatusCode;

use crate::config::{Environment, Source, load};
use crate::deliver::loki::rejections::{Pushed, told};
use crate::deliver::{Class, cloudwatch::answers, loki};
use crate::record::Time;
use crate::record::frame::{CUT_MARK, Framer};
use crate::source::finding::globs::Globs;
use crate::source::identity::rotation::is_rotation;

/// What is called with the bytes.
pub type Target = fn(&[u8]) -> Result<(), String>;

/// Every target, by the name of its folder in fuzz/corpus.
pub const TARGETS: [(&str, Target); 6] = [
    ("journal", journal),
    ("framing", framing),
    ("records", records),
    ("answers", answers),
    ("configuration", configuration),
    ("names", names),
];

/// A segment of the journal.
pub fn journal(bytes: &[u8]) -> Result<(), String> {
    crate::journal::fuzzing::check(bytes)
}

/// The lengths at which a segment of the journal holds one entry more, if it holds whatever the
/// length at which it is cut.
pub fn journal_lengths(bytes: &[u8]) -> Result<Vec<usize>, String> {
    crate::journal::fuzzing::lengths_of_entries(bytes)
}

/// Lines: the first byte is the limit of a line, the second the size of the pieces in which the
/// rest arrives.
pub fn framing(bytes: &[u8]) -> Result<(), String> {
    let [limit, piece, text @ ..] = bytes else {
        return Ok(());
    };
    let max_line = usize::from(*limit);
    let framer = Framer::new(max_line);
    let longest = max_line.max(CUT_MARK.len() + 4);
    let at_once = cut(framer, text, text.len());
    if let Some((consumed, shipped)) = at_once.iter().find(|it| it.0 == 0 || it.1 > longest) {
        return Err(format!(
            "a line of {shipped} bytes from {consumed}, with a limit of {longest}"
        ));
    }
    if at_once.iter().map(|it| it.0).sum::<usize>() != text.len() {
        return Err("bytes belong to no line".to_owned());
    }
    if cut(framer, text, usize::from(*piece) + 1) == at_once {
        Ok(())
    } else {
        Err("where lines are cut depends on how they arrive".to_owned())
    }
}

/// The lines of `text`, which arrives in pieces: bytes consumed, bytes to be shipped.
fn cut(framer: Framer, text: &[u8], piece: usize) -> Vec<(usize, usize)> {
    let mut lines = Vec::new();
    let (mut at, mut arrived) = (0, 0);
    loop {
        let is_over = arrived == text.len();
        while let Some(framed) = framer.next(&text[at..arrived], 0, is_over) {
            lines.push((framed.consumed, framed.line.shipped_len()));
            at += framed.consumed;
            if framed.consumed == 0 {
                return lines;
            }
        }
        if is_over {
            return lines;
        }
        arrived = text.len().min(arrived + piece);
    }
}

/// Records: the first byte is the limit of a record, the second the size of the pieces in which
/// the rest arrives, the third says by which rules.
pub fn records(bytes: &[u8]) -> Result<(), String> {
    crate::record::fuzzing::check(bytes)
}

/// Answers: two bytes of status, then the text; for CloudWatch Logs its first line is the code.
pub fn answers(bytes: &[u8]) -> Result<(), String> {
    let [low, high, text @ ..] = bytes else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(text);
    let number = 100 + u16::from_le_bytes([*low, *high]) % 500;
    let status = StatusCode::from_u16(number).map_err(|error| error.to_string())?;
    let answer = loki::classify(status, &text);
    if (answer.class == Class::Delivered) != (number == 204) {
        return Err(format!("Loki's {number} is {answer:?}"));
    }
    named(&text)?;
    let (code, message) = text.split_once('\n').unwrap_or((&text, ""));
    for action in ["PutLogEvents", "CreateLogStream"] {
        let answer = answers::classify_service(Some(code), Some(message), number, action);
        if answer.class == Class::Delivered && code != "DataAlreadyAcceptedException" {
            return Err(format!("{code} of {action} is {answer:?}"));
        }
    }
    let answer = answers::set_up(&text);
    if answer.class == Class::Delivered {
        return Err("what was never sent is delivered".to_owned());
    }
    Ok(())
}

/// What a text says of single records: each is one that was pushed, and none is named twice.
fn named(text: &str) -> Result<(), String> {
    /// 2026-11-22T10:00:00Z.
    const TEN: i64 = 1_795_341_600_000_000_000;
    let pushed: Vec<_> = [0, 1, 1_000_000_000, 1_000_000_001, 3_000_000_000]
        .into_iter()
        .zip([3, 400, 5, 400, 7])
        .map(|(nanos, len)| Pushed {
            time: Time(TEN + nanos),
            len,
        })
        .collect();
    let told = told(text, &pushed);
    let mut end = 0;
    for rejected in &told.rejected {
        let records = &rejected.records;
        if records.start < end || records.is_empty() || records.end > 5 {
            return Err(format!("{told:?} of five records"));
        }
        end = records.end;
    }
    if told.is_all && told.rejected.is_empty() {
        return Err("all are named, and none is".to_owned());
    }
    Ok(())
}

/// The text of a configuration.
pub fn configuration(bytes: &[u8]) -> Result<(), String> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(());
    };
    let environment = Environment::from([("HOSTNAME", "pod-1"), ("EMPTY", "")]);
    match load(&Source::Text(text.to_owned()), &environment) {
        Ok(config) if config.inputs.is_empty() => Err("nothing is read".to_owned()),
        Err(problems) if problems.is_empty() || problems.to_string().is_empty() => {
            Err("it is refused without a word".to_owned())
        }
        _ => Ok(()),
    }
}

/// Names: an absolute glob and two file names, one a line.
pub fn names(bytes: &[u8]) -> Result<(), String> {
    let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
    let glob = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let mut path = || {
        Path::new(std::ffi::OsStr::from_bytes(
            lines.next().unwrap_or_default(),
        ))
    };
    let (first, second) = (path(), path());
    // The configuration takes no others.
    let globs = Globs::new(&[format!("/{}", glob.trim_start_matches('/'))], &[]);
    let _ = (globs.matches(first), globs.matches(second));
    if is_rotation(first, first) {
        return Err(format!("{} is a rotation of itself", first.display()));
    }
    if is_rotation(first, second) && first.parent() != second.parent() {
        return Err("a rotation in another folder".to_owned());
    }
    Ok(())
}
