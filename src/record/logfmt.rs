//! `key=value` pairs in a line. Hands out slices of the line; copies nothing, never fails.

use super::frame::behind_mark;

/// The pairs of a line, in order. What is not a pair is passed over.
pub(crate) struct Pairs<'a> {
    rest: &'a [u8],
}

/// A value: quoted or not, without its quotes; escapes stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Whether the value holds escapes.
    pub(crate) is_escaped: bool,
}

/// The pairs of a line.
pub(crate) fn pairs(line: &[u8]) -> Pairs<'_> {
    Pairs {
        rest: behind_mark(line),
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        loop {
            let blanks = self.rest.iter().take_while(|byte| is_blank(**byte)).count();
            self.rest = &self.rest[blanks..];
            if self.rest.is_empty() {
                return None;
            }
            let key_len = self.rest.iter().take_while(|byte| is_key(**byte)).count();
            if key_len > 0 && self.rest.get(key_len) == Some(&b'=') {
                let key = &self.rest[..key_len];
                let (value, is_escaped) = self.value(key_len + 1);
                return Some(Pair {
                    key,
                    value,
                    is_escaped,
                });
            }
            let word = self
                .rest
                .iter()
                .take_while(|byte| !is_blank(**byte))
                .count();
            self.rest = &self.rest[word..];
        }
    }
}

impl<'a> Pairs<'a> {
    fn value(&mut self, from: usize) -> (&'a [u8], bool) {
        let text = &self.rest[from..];
        if let Some(quoted) = text.strip_prefix(b"\"") {
            let mut at = 0;
            let mut is_escaped = false;
            while let Some(found) = memchr::memchr2(b'"', b'\\', &quoted[at..]) {
                at += found;
                if quoted[at] == b'"' {
                    self.rest = &quoted[at + 1..];
                    return (&quoted[..at], is_escaped);
                }
                is_escaped = true;
                at = (at + 2).min(quoted.len());
            }
        }
        let len = text.iter().take_while(|byte| !is_blank(**byte)).count();
        self.rest = &text[len..];
        (&text[..len], false)
    }
}

/// Whether a line is made of pairs: it begins with one, and says when or how grave it is.
pub(crate) fn is_line(line: &[u8]) -> bool {
    let key = line.iter().take_while(|byte| is_key(**byte)).count();
    if key == 0 || line.get(key) != Some(&b'=') {
        return false;
    }
    let mut count = 0;
    let mut is_telling = false;
    for pair in pairs(line).take(8) {
        count += 1;
        is_telling |= matches!(
            pair.key,
            b"time"
                | b"ts"
                | b"t"
                | b"timestamp"
                | b"level"
                | b"lvl"
                | b"severity"
                | b"at"
                | b"msg"
        );
    }
    count >= 2 && is_telling
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_found_and_the_rest_is_passed_over() {
        let line =
            br#"ts=2026-11-22T22:08:23Z level=info msg="it \"works\" now" word n=5 open="no end"#;
        let found: Vec<_> = pairs(line)
            .map(|pair| {
                (
                    std::str::from_utf8(pair.key).unwrap(),
                    std::str::from_utf8(pair.value).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("ts", "2026-11-22T22:08:23Z"),
                ("level", "info"),
                ("msg", r#"it \"works\" now"#),
                ("n", "5"),
                ("open", "\"no"),
            ]
        );
    }

    #[test]
    fn a_line_of_pairs_is_told_from_one_that_holds_some() {
        for (line, is_one) in [
            ("ts=1 level=info", true),
            ("level=info msg=started", true),
            ("a=1 b=2", false),
            ("level=info", false),
            ("started level=info ts=1", false),
            ("", false),
        ] {
            assert_eq!(is_line(line.as_bytes()), is_one, "{line}");
        }
    }
}
