//! Heads that a single program writes: Redis, Erlang, `MySQL`, and servers that log in the extended
//! format of the W3C.

use super::{Head, Kind};
use crate::record::level::Level;
use crate::record::stamp;

/// `=CRASH REPORT==== 22-Nov-2026::22:08:23.702123 ===`, as Erlang writes above what it reports.
pub(super) fn report(line: &[u8], start: usize) -> Option<Head> {
    const BEHIND: &[u8] = b" REPORT==== ";
    let text = &line[start + 1..];
    let len = text
        .iter()
        .take(24)
        .take_while(|byte| byte.is_ascii_uppercase())
        .count();
    let (what, rest) = text.split_at(len);
    let found = stamp::at_start(rest.strip_prefix(BEHIND)?)?;
    let level = match what {
        b"CRASH" | b"SUPERVISOR" => Some(Level::Error),
        b"PROGRESS" => Some(Level::Info),
        _ => Level::of_word(what),
    };
    let head = Head::text(found, start + 1 + len + BEHIND.len(), line);
    Some(head.with_level(level))
}

/// `#Fields: date time …`: what a log in the extended format of the W3C begins with, and goes on
/// with after a restart of its server.
pub(super) fn directive(line: &[u8]) -> Option<Head> {
    let names: [&[u8]; 4] = [b"#Software: ", b"#Version: ", b"#Date: ", b"#Fields: "];
    let is_one = names.iter().any(|name| line.starts_with(name));
    is_one.then_some(Head {
        kind: Kind::Access,
        stamp: None,
        level: None,
        len: 0,
    })
}

/// `12345:M 22 Nov 2026 22:08:23.702 * …`, as Redis writes, and
/// `12345:signal-handler (1795385303) …`.
pub(super) fn redis(line: &[u8], start: usize) -> Option<Head> {
    let mut cursor = stamp::Cursor::new(&line[start..]);
    cursor.some_digits(1, 7)?;
    if !cursor.take(b':') {
        return None;
    }
    if let Some(seconds) = cursor.rest().strip_prefix(b"signal-handler (") {
        let end = seconds.iter().take(11).position(|byte| *byte == b')')?;
        let found = stamp::epoch(&seconds[..end])?;
        let before = line.len() - seconds.len();
        return Some(Head::text(found, before, line));
    }
    cursor.skip(1);
    cursor.blanks()?;
    let found = stamp::at_start(cursor.rest())?;
    let head = Head::text(found, start + cursor.at(), line);
    let level = match line.get(head.len..head.len + 3) {
        Some(b" # ") => Some(Level::Warn),
        Some(b" * ") => Some(Level::Info),
        Some(b" - " | b" . ") => Some(Level::Debug),
        _ => None,
    };
    Some(head.with_level(level))
}

/// `[System] [MY-010931]`: where `MySQL` names how grave it is, `System` is that of starts, stops and
/// the like. The number of the message tells it from a part of another program with that name.
#[inline]
pub(super) fn is_mysql_system(word: &[u8], behind: &[u8]) -> bool {
    word == b"System" && behind.starts_with(b"] [MY-")
}
