//! Label sets as text: `{a="b", c="d"}`, with Go's quoting. Checks the syntax; how many and how
//! long they may be is checked elsewhere.

use std::fmt::Write;

/// Labels sorted by name. Names may repeat: that is for the limits to refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labels(pub(super) Vec<(String, String)>);

impl Labels {
    /// Reads a label set, or says in a few words what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        rest = rest
            .strip_prefix('{')
            .ok_or("syntax error: unexpected start, expecting {")?
            .trim_start();
        let mut labels = Vec::new();
        while !rest.starts_with('}') {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                return Err("syntax error: expecting a label name".to_owned());
            }
            let after = after
                .trim_start()
                .strip_prefix('=')
                .ok_or_else(|| format!("syntax error: expecting = after {name}"))?;
            let (value, after) = unquote(after.trim_start())
                .ok_or_else(|| format!("syntax error: expecting a quoted value of {name}"))?;
            labels.push((name.to_owned(), value));
            rest = after.trim_start();
            if let Some(after) = rest.strip_prefix(',') {
                rest = after.trim_start();
            } else if !rest.starts_with('}') {
                return Err("syntax error: expecting , or }".to_owned());
            }
        }
        if rest.len() > 1 {
            return Err("syntax error: unexpected text after }".to_owned());
        }
        labels.sort();
        Ok(Self(labels))
    }
}

impl std::fmt::Display for Labels {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_char('{')?;
        for (position, (name, value)) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(formatter, "{comma}{name}={}", quote(value))?;
        }
        formatter.write_char('}')
    }
}

/// A value between quotes, escaped as Go does.
pub(super) fn quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('"');
    for c in value.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // Writing to a String cannot fail.
            c if c.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A quoted value at the start, and what comes after it.
fn unquote(text: &str) -> Option<(String, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let end = raw.find('`')?;
        return Some((raw[..end].to_owned(), &raw[end + 1..]));
    }
    let inner = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((position, c)) = chars.next() {
        match c {
            '"' => return Some((value, &inner[position + 1..])),
            '\n' => return None,
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'a' => '\x07',
                'b' => '\x08',
                'f' => '\x0C',
                'v' => '\x0B',
                '"' => '"',
                '\\' => '\\',
                'x' => hexadecimal(&mut chars, 2)?,
                'u' => hexadecimal(&mut chars, 4)?,
                'U' => hexadecimal(&mut chars, 8)?,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}

fn hexadecimal(chars: &mut std::str::CharIndices<'_>, digits: usize) -> Option<char> {
    let mut value = 0_u32;
    for _ in 0..digits {
        value = (value << 4) | chars.next()?.1.to_digit(16)?;
    }
    char::from_u32(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn label_sets_are_sorted_and_written_one_way() {
        for (text, expected) in [
            ("{}", "{}"),
            ("{a=\"b\"}", "{a=\"b\"}"),
            (" { b = \"2\" ,a=`1\\` } ", "{a=\"1\\\\\", b=\"2\"}"),
            ("{a=\"x\\\"y\\n\\u00e9\",}", "{a=\"x\\\"y\\né\"}"),
        ] {
            assert_eq!(
                Labels::parse(text).map(|labels| labels.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_label_set_is_refused() {
        for text in [
            "",
            "a=\"b\"",
            "{a=b}",
            "{a=\"b\"",
            "{1a=\"b\"}",
            "{a-b=\"c\"}",
            "{=\"b\"}",
            "{a=\"b\" c=\"d\"}",
            "{a=\"b\"} x",
            "{a=\"\\q\"}",
            "{a=\"b}",
        ] {
            assert!(Labels::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            pairs in proptest::collection::vec(("[a-zA-Z_][a-zA-Z0-9_]{0,8}", any::<String>()), 0..5)
        ) {
            let mut labels = Labels(pairs);
            labels.0.sort();
            prop_assert_eq!(Labels::parse(&labels.to_string()), Ok(labels));
        }
    }
}
