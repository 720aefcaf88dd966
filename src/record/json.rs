//! The members of a JSON object, one after the other, without building it. Hands out slices of
//! the line; copies nothing, never fails: what is no JSON ends the walk.

use super::frame::behind_mark;

/// How deep objects and lists may be nested.
const DEEPEST: usize = 64;

/// A value as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// What stands between the quotes.
    Text {
        raw: &'a [u8],
        /// Whether it holds escapes.
        is_escaped: bool,
    },
    /// An object, with its braces.
    Object(&'a [u8]),
    /// A number, `true`, `false`, `null`, or a list with its brackets.
    Other(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The text that stands for the value.
    pub(crate) fn raw(self) -> &'a [u8] {
        match self {
            Self::Text { raw, .. } | Self::Object(raw) | Self::Other(raw) => raw,
        }
    }
}

/// Whether a line looks like one object: cheap, and certain enough.
pub(crate) fn is_object(line: &[u8]) -> bool {
    let line = behind_mark(line).trim_ascii();
    let is_enclosed = line.len() >= 2 && line[0] == b'{' && line[line.len() - 1] == b'}';
    is_enclosed && matches!(line[1..].trim_ascii_start().first(), Some(b'"' | b'}'))
}

/// Whether an object says when it was written or how grave it is, or is of AWS's embedded metric
/// format, which must stand by itself.
pub(crate) fn is_record(line: &[u8]) -> bool {
    members(line).any(|(key, _)| is_time_key(key) || is_level_key(key) || key == b"_aws")
}

/// Whether a member of this name says when.
pub(crate) fn is_time_key(key: &[u8]) -> bool {
    matches!(
        key,
        b"time"
            | b"timestamp"
            | b"ts"
            | b"t"
            | b"@timestamp"
            | b"@t"
            | b"asctime"
            | b"datetime"
            | b"date"
            | b"Timestamp"
            | b"eventTime"
            | b"log_time"
            | b"time_iso8601"
            | b"instant"
    )
}

/// Whether a member of this name says how grave.
pub(crate) fn is_level_key(key: &[u8]) -> bool {
    matches!(
        key,
        b"level"
            | b"lvl"
            | b"severity"
            | b"levelname"
            | b"log.level"
            | b"loglevel"
            | b"log_level"
            | b"LogLevel"
            | b"Level"
            | b"@l"
            | b"level_name"
            | b"severity_text"
            | b"s"
            | b"levelName"
    )
}

/// The members of an object.
pub(crate) fn members(text: &[u8]) -> Members<'_> {
    let text = behind_mark(text).trim_ascii();
    let rest = text.strip_prefix(b"{").unwrap_or_default();
    Members { rest }
}

/// Walks through the members of an object.
pub(crate) struct Members<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.trim_ascii_start();
        let rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
        let (key, _, rest) = string(rest)?;
        let rest = rest
            .trim_ascii_start()
            .strip_prefix(b":")?
            .trim_ascii_start();
        let (value, rest) = value(rest)?;
        self.rest = rest;
        Some((key, value))
    }
}

/// A string at the beginning: what is between its quotes, whether it holds escapes, what follows.
fn string(text: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let mut at = 0;
    let mut is_escaped = false;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some((&text[..at], is_escaped, &text[at + 1..]));
        }
        is_escaped = true;
        at += 2;
    }
}

fn value(text: &[u8]) -> Option<(Value<'_>, &[u8])> {
    match text.first()? {
        b'"' => string(text).map(|(raw, is_escaped, rest)| (Value::Text { raw, is_escaped }, rest)),
        open @ (b'{' | b'[') => {
            let len = nested(text)?;
            let (raw, rest) = text.split_at(len);
            let value = if *open == b'{' {
                Value::Object(raw)
            } else {
                Value::Other(raw)
            };
            Some((value, rest))
        }
        _ => {
            let len = text
                .iter()
                .take_while(|byte| !matches!(byte, b',' | b'}' | b']' | b' '))
                .count();
            let (raw, rest) = text.split_at(len);
            (len > 0).then_some((Value::Other(raw), rest))
        }
    }
}

/// The length of an object or a list at the beginning.
fn nested(text: &[u8]) -> Option<usize> {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'{' | b'[' if depth == DEEPEST => return None,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'"' => {
                let (_, _, rest) = string(&text[at..])?;
                at = text.len() - rest.len();
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Appends a string without its escapes. What is no escape stays as it is.
pub(crate) fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let after = &rest[at + 1..];
        let (plain, len) = match after.first() {
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'r') => ('\r', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'u') => escaped_character(after).unwrap_or(('\\', 0)),
            Some(b'"') => ('"', 1),
            Some(b'/') => ('/', 1),
            Some(b'\\') => ('\\', 1),
            _ => ('\\', 0),
        };
        out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
        rest = &after[len..];
    }
    out.extend_from_slice(rest);
}

/// The character of `u00e9` or of a pair `ud83d\ude80`, and how many bytes it takes.
fn escaped_character(text: &[u8]) -> Option<(char, usize)> {
    let unit = |text: &[u8]| {
        let digits = std::str::from_utf8(text.get(1..5)?).ok()?;
        u32::from_str_radix(digits, 16).ok()
    };
    let first = unit(text)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, 5));
    }
    let low = text
        .get(5..)
        .and_then(|rest| rest.strip_prefix(b"\\"))
        .filter(|rest| rest.first() == Some(&b'u'))
        .and_then(unit);
    let character = match low {
        Some(low) if (0xD800..0xDC00).contains(&first) && (0xDC00..0xE000).contains(&low) => {
            char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00))
        }
        _ => None,
    };
    match character {
        Some(character) => Some((character, 11)),
        None => Some((char::REPLACEMENT_CHARACTER, 5)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members_come_in_order_whatever_is_nested() {
        let line =
            br#" { "a" : "x\"y" ,"b":{"c":[1,"}"],"d":{}}, "e":-1.5e3,"f":null,"g":[{"h":1}] } "#;
        let found: Vec<_> = members(line)
            .map(|(key, value)| {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                (text(key), text(value.raw()))
            })
            .collect();
        let expected = [
            ("a", r#"x\"y"#),
            ("b", r#"{"c":[1,"}"],"d":{}}"#),
            ("e", "-1.5e3"),
            ("f", "null"),
            ("g", r#"[{"h":1}]"#),
        ];
        assert_eq!(
            found,
            expected.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        for (raw, plain) in [
            (r#"a\nb\t\"\\\/"#, "a\nb\t\"\\/"),
            (r"caf\u00e9", "café"),
            (r"\ud83d\ude80!", "\u{1F680}!"),
            (r"\ud83d!", "\u{FFFD}!"),
            (r"\x \u12", r"\x \u12"),
            (r"end\", r"end\"),
        ] {
            let mut out = Vec::new();
            unescape(raw.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), plain, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn any_json_text_reads_back(text in ".{0,60}", number in any::<i64>()) {
            let line = serde_json::json!({"text": text, "n": number, "deep": {"text": [text]}}).to_string();
            prop_assert!(is_object(line.as_bytes()));
            let found: Vec<_> = members(line.as_bytes()).collect();
            prop_assert_eq!(found.len(), 3);
            let value = found.iter().find(|(key, _)| *key == b"text").unwrap().1;
            let mut out = Vec::new();
            unescape(value.raw(), &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), text);
        }

        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b'{'), Just(b'\\'), Just(b':'), Just(b',')], 0..60)) {
            let mut text = b"{\"".to_vec();
            text.extend(bytes);
            prop_assert!(members(&text).count() <= text.len());
            let mut out = Vec::new();
            unescape(&text, &mut out);
        }
    }
}
