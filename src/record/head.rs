//! Heads: what the first line of a record begins with. Tells a line that begins a record from one
//! that continues it, and finds the timestamp and the level on the way. Pure; copies nothing.

use super::frame::behind_mark;
use super::level::Level;
use super::stamp::{self, Found, Shape, Stamp, custom};
use super::{json, logfmt};

mod programs;

/// A level is looked for in so many bytes behind the timestamp.
const LEVEL_WITHIN: usize = 160;
/// And in so many words.
const LEVEL_WORDS: usize = 10;
/// The timestamp of an access log stands within so many bytes.
const ACCESS_WITHIN: usize = 256;

/// What kind of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A timestamp with a date, or something as telling. Lines without one continue the record.
    Text,
    /// A level or a time of day alone: telling only when there are several.
    Weak,
    /// A line of an access log, or of what stands above one: a record by itself.
    Access,
    /// An object of JSON: a record by itself.
    Json,
    /// `key=value` pairs: a record by itself.
    Logfmt,
}

impl Kind {
    /// The kind in a word, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Weak => "text without a date",
            Self::Access => "access log",
            Self::Json => "json",
            Self::Logfmt => "logfmt",
        }
    }

    /// Whether no other line belongs to the record.
    pub(crate) fn is_whole(self) -> bool {
        matches!(self, Self::Access | Self::Json | Self::Logfmt)
    }
}

/// What a line begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) stamp: Option<(Stamp, Shape)>,
    pub(crate) level: Option<Level>,
    /// Where the timestamp ends, or what stands for it.
    pub(crate) len: usize,
}

impl Head {
    fn text(found: Found, before: usize, line: &[u8]) -> Self {
        let len = before + found.len;
        let kind = match found.stamp {
            Stamp::NoDate { .. } => Kind::Weak,
            _ => Kind::Text,
        };
        Self {
            kind,
            stamp: Some((found.stamp, found.shape)),
            level: level_in(&line[len..]),
            len,
        }
    }

    /// Whether it is a level, or something as little telling, and no timestamp.
    pub(super) fn is_level_alone(self) -> bool {
        self.kind == Kind::Weak && self.stamp.is_none()
    }

    fn with_level(self, level: Option<Level>) -> Self {
        Self {
            level: level.or(self.level),
            ..self
        }
    }
}

/// The head of a line, if it has one. A format of the configuration is looked for first.
pub(crate) fn of(line: &[u8], format: Option<&custom::Format>) -> Option<Head> {
    let start = skip_colours(line, line.len() - behind_mark(line).len());
    let text = &line[start..];
    let first = *text.first()?;
    if let Some(format) = format {
        let bracket = usize::from(first == b'[');
        if let Some(found) = format.at_start(&text[bracket..]) {
            return Some(Head::text(found, start + bracket, line));
        }
    }
    match first {
        b'0'..=b'9' => stamp::at_start(text)
            .map(|found| Head::text(found, start, line))
            .or_else(|| programs::redis(line, start))
            .or_else(|| access(line)),
        b'{' => object(line),
        b'[' => bracket(line, start),
        b'<' => syslog(line, start),
        b'=' => programs::report(line, start).or_else(|| access(line)),
        b'#' => programs::directive(text).or_else(|| access(line)),
        b'A'..=b'Z' | b'a'..=b'z' => word(line, start),
        b' ' | b'\t' => None,
        _ => access(line),
    }
}

/// Where the escapes that colour text end.
fn skip_colours(line: &[u8], mut at: usize) -> usize {
    while line.get(at) == Some(&0x1B) && line.get(at + 1) == Some(&b'[') {
        let rest = &line[at + 2..];
        match rest.iter().take(12).position(u8::is_ascii_alphabetic) {
            Some(end) => at += 3 + end,
            None => break,
        }
    }
    at
}

fn object(line: &[u8]) -> Option<Head> {
    json::is_object(line).then_some(Head {
        kind: Kind::Json,
        stamp: None,
        level: None,
        len: 0,
    })
}

/// `[2026-11-22 22:08:23] …`, `[INFO] …`, `[   12.345678] …`.
fn bracket(line: &[u8], start: usize) -> Option<Head> {
    let inner = skip_colours(line, start + 1);
    let text = &line[inner..];
    if let Some(found) = stamp::at_start(text) {
        return Some(Head::text(found, inner, line));
    }
    if let Some(len) = uptime(text) {
        return Some(Head {
            kind: Kind::Weak,
            stamp: None,
            level: level_in(&line[inner + len..]),
            len: inner + len,
        });
    }
    level_first(line, inner).or_else(|| access(line))
}

/// The length of `   12.345678]` or `0.005s]`.
fn uptime(text: &[u8]) -> Option<usize> {
    let blanks = text.iter().take_while(|byte| **byte == b' ').count();
    let rest = &text[blanks..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || rest.get(digits) != Some(&b'.') {
        return None;
    }
    let fraction = rest[digits + 1..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let mut at = digits + 1 + fraction;
    at += usize::from(rest.get(at) == Some(&b's'));
    (fraction > 0 && rest.get(at) == Some(&b']')).then_some(blanks + at + 1)
}

/// `<34>1 2026-11-22T22:08:23Z host …`, `<34>Nov 22 22:08:23 host …`.
fn syslog(line: &[u8], start: usize) -> Option<Head> {
    let mut cursor = stamp::Cursor::new(&line[start + 1..]);
    let priority = cursor.some_digits(1, 3)?;
    if !cursor.take(b'>') || priority > 191 {
        return None;
    }
    let before = cursor;
    if cursor.some_digits(1, 2).is_none() || !cursor.take(b' ') {
        cursor = before;
    }
    let at = start + 1 + cursor.at();
    let level = Some(Level::of_syslog(priority % 8));
    match stamp::at_start(cursor.rest()) {
        Some(found) => Some(Head::text(found, at, line).with_level(level)),
        None => Some(Head {
            kind: Kind::Weak,
            stamp: None,
            level,
            len: at,
        }),
    }
}

/// A line that begins with a word: of syslog, klog, Ruby, logfmt, or a level.
fn word(line: &[u8], start: usize) -> Option<Head> {
    let text = &line[start..];
    if let Some(found) = stamp::at_start(text) {
        return Some(Head::text(found, start, line));
    }
    if let [letter, second, ..] = *text {
        if second.is_ascii_digit()
            && matches!(letter, b'I' | b'W' | b'E' | b'F' | b'D' | b'C')
            && let Some(found) = stamp::klog(&text[1..])
        {
            let head = Head::text(found, start + 1, line);
            return Some(head.with_level(Level::of_letter(letter)));
        }
        if second == b','
            && let Some(rest) = text[2..].strip_prefix(b" [")
            && let Some(found) = stamp::at_start(rest)
        {
            let head = Head::text(found, start + 4, line);
            return Some(head.with_level(Level::of_letter(letter)));
        }
    }
    if logfmt::is_line(text) {
        return Some(Head {
            kind: Kind::Logfmt,
            stamp: None,
            level: None,
            len: 0,
        });
    }
    level_first(line, start)
        .or_else(|| named(line, start))
        .or_else(|| access(line))
}

/// `web_1  | 2026-11-22 22:08:23 …`, as several programs in one file are told apart.
fn named(line: &[u8], start: usize) -> Option<Head> {
    let text = &line[start..];
    let name = text.iter().take(64).position(|byte| *byte == b' ')?;
    let bar = name
        + text[name..]
            .iter()
            .take_while(|byte| **byte == b' ')
            .count();
    if text.get(bar..bar + 2) != Some(b"| ") {
        return None;
    }
    let found = stamp::at_start(&text[bar + 2..])?;
    Some(Head::text(found, start + bar + 2, line))
}

/// A level at the beginning, perhaps with a timestamp behind it.
fn level_first(line: &[u8], at: usize) -> Option<Head> {
    let text = &line[at..];
    let len = text
        .iter()
        .take(14)
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    let word = &text[..len];
    let (level, is_a_word_too) = Level::told_by(word)?;
    let end = skip_colours(line, at + len);
    let is_upper = word.iter().all(|byte| !byte.is_ascii_lowercase());
    let is_told = match line.get(end) {
        // `fail:` is what .NET writes; `panic:` and `note:` begin other things.
        // And `Error:` is the name of an exception.
        Some(b':' | b']' | b'|') => {
            is_upper || word == b"fail" || word != b"Error" && !is_a_word_too
        }
        Some(b' ') => is_upper && !is_a_word_too,
        _ => false,
    };
    if !is_told {
        return None;
    }
    // `INFO  [main] 2026-11-22 22:08:23,702 …`
    let mut before = b' ';
    for (offset, &byte) in line[end..].iter().enumerate().take(48) {
        if byte.is_ascii_digit()
            && !before.is_ascii_alphanumeric()
            && let Some(found) = stamp::at_start(&line[end + offset..])
        {
            return Some(Head::text(found, end + offset, line).with_level(Some(level)));
        }
        before = byte;
    }
    Some(Head {
        kind: Kind::Weak,
        stamp: None,
        level: Some(level),
        len: end,
    })
}

/// `10.0.0.1 - - [22/Nov/2026:22:08:23 +0000] "GET / HTTP/1.1" 200 5`.
fn access(line: &[u8]) -> Option<Head> {
    let window = &line[..line.len().min(ACCESS_WITHIN)];
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'[', &window[from..]) {
        from += at + 1;
        if let Some(found) = stamp::at_start(&line[from..])
            && found.shape == Shape::AccessLog
        {
            return Some(Head {
                kind: Kind::Access,
                stamp: Some((found.stamp, found.shape)),
                level: None,
                len: from + found.len,
            });
        }
    }
    None
}

/// The level in ` - name - LEVEL - message`, as Python's loggers write it: it stands there, whatever
/// word the name is. A name in capitals that is a level is one, as in ` - LEVEL - message`.
fn level_behind_name(text: &[u8]) -> Option<Level> {
    let text = &text[..text.len().min(LEVEL_WITHIN)];
    let [b' ', b'-', b' ', rest @ ..] = text else {
        return None;
    };
    let (name, rest) = rest.split_at(memchr::memchr(b' ', rest)?);
    let [b' ', b'-', b' ', rest @ ..] = rest else {
        return None;
    };
    let len = rest.iter().position(|byte| !byte.is_ascii_uppercase())?;
    let (word, behind) = rest.split_at(len);
    let is_apart = matches!(behind.trim_ascii_start(), [b'-', b' ', ..]);
    if !is_apart || behind[0] != b' ' || is_level_in_capitals(name) {
        return None;
    }
    Level::of_word(word)
}

fn is_level_in_capitals(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_uppercase) && Level::of_word(word).is_some()
}

/// The level that is named behind the timestamp. In capitals it counts wherever it stands among
/// the first words; in small letters only where it stands apart: first, in brackets or bars, or
/// between colons.
pub(crate) fn level_in(text: &[u8]) -> Option<Level> {
    if let Some(level) = level_behind_name(text) {
        return Some(level);
    }
    let mut rest = &text[..text.len().min(LEVEL_WITHIN)];
    let mut before = b' ';
    // `PHP Warning:` counts wherever it stands.
    let mut is_first = true;
    for _ in 0..LEVEL_WORDS {
        let mut gap;
        loop {
            let ends_gap = |byte: &u8| is_in_word(*byte) || *byte == 0x1B;
            (gap, rest) = rest.split_at(rest.iter().position(ends_gap)?);
            if let Some(&byte) = gap.iter().rfind(|byte| **byte != b' ') {
                before = byte;
            }
            if rest[0] != 0x1B {
                break;
            }
            rest = &rest[skip_colours(rest, 0).max(1)..];
        }
        let len = rest.iter().position(|byte| !is_in_word(*byte));
        let (word, behind) = rest.split_at(len.unwrap_or(rest.len()));
        let told = match *word {
            [letter] => Level::of_letter(letter).map(|level| (level, true)),
            _ if programs::is_mysql_system(word, behind) => return Some(Level::Info),
            _ => Level::told_by(word),
        };
        if let Some((level, is_a_word_too)) = told
            && (is_level((word, is_a_word_too), before, behind, is_first)
                || !is_a_word_too && gap.ends_with(b": ") && behind.starts_with(b": "))
        {
            return Some(level);
        }
        is_first = word == b"PHP";
        before = b'a';
        rest = behind;
    }
    None
}

/// Whether it is a letter or a digit.
#[inline]
fn is_in_word(byte: u8) -> bool {
    static IN_WORD: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 128_u8 {
            table[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        table
    };
    IN_WORD[usize::from(byte)]
}

/// Whether a word that may name a level does, between what stands before and behind it.
fn is_level(
    (word, is_a_word_too): (&[u8], bool),
    before: u8,
    behind: &[u8],
    is_first: bool,
) -> bool {
    let after = behind[skip_colours(behind, 0)..]
        .iter()
        .copied()
        .find(|byte| *byte != b' ')
        .unwrap_or(b'\n');
    let is_enclosed = matches!(
        (before, after),
        (b'[' | b':', b']') | (b'<', b'>') | (b'(', b')') | (b'|', b'|')
    );
    if word.len() == 1 {
        return is_enclosed;
    }
    let is_upper = word.iter().all(|byte| !byte.is_ascii_lowercase());
    let is_apart = is_enclosed || after == b':' && (is_first || is_upper);
    let is_told = is_upper || is_first || matches!(before, b'[' | b'|' | b'<' | b'(');
    is_apart || is_told && !is_a_word_too
}

#[cfg(test)]
mod tests;
