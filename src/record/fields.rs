//! Single fields of a record: members of its JSON, `key=value` pairs in its text, named groups of
//! a pattern. Looked for one at a time, when somebody asks.

use std::borrow::Cow;

use regex_lite::CaptureLocations;

use super::head::Kind;
use super::json::{self, Value};
use super::logfmt;

/// A pattern whose named groups are fields.
#[derive(Debug, Clone)]
pub(crate) struct Capture {
    regex: regex_lite::Regex,
    /// The names of its groups, with their numbers.
    groups: Vec<(String, usize)>,
}

/// What a capture found last, in room that is used again.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    locations: CaptureLocations,
    is_match: bool,
}

/// The fields of one text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'r> {
    text: &'r [u8],
    is_json: bool,
    captured: Option<(&'r Capture, &'r Captured)>,
}

/// A value as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raw<'r> {
    pub(crate) bytes: &'r [u8],
    /// Whether it holds escapes.
    pub(crate) is_escaped: bool,
}

impl Capture {
    /// The capture of an expression; what is wrong with it, or that it names no group.
    pub(crate) fn new(regex: regex_lite::Regex) -> Result<Self, &'static str> {
        let groups: Vec<_> = regex
            .capture_names()
            .enumerate()
            .filter_map(|(number, name)| Some((name?.to_owned(), number)))
            .collect();
        if groups.is_empty() {
            return Err("has no named group");
        }
        Ok(Self { regex, groups })
    }

    /// Room for what it finds.
    pub(crate) fn room(&self) -> Captured {
        Captured {
            locations: self.regex.capture_locations(),
            is_match: false,
        }
    }

    /// Looks at a text. One that is not UTF-8 has no groups.
    pub(crate) fn look(&self, text: &[u8], found: &mut Captured) {
        let text = std::str::from_utf8(text).ok();
        let place = text.and_then(|text| self.regex.captures_read(&mut found.locations, text));
        found.is_match = place.is_some();
    }

    fn place(&self, found: &Captured, name: &str) -> Option<(usize, usize)> {
        let (_, number) = self.groups.iter().find(|(group, _)| group == name)?;
        found.locations.get(*number).filter(|_| found.is_match)
    }
}

impl<'r> Fields<'r> {
    /// The fields of a text that begins with a head of this kind, and in which this was captured.
    pub(crate) fn of(
        text: &'r [u8],
        kind: Option<Kind>,
        captured: Option<(&'r Capture, &'r Captured)>,
    ) -> Self {
        Self {
            text,
            is_json: kind == Some(Kind::Json),
            captured,
        }
    }

    /// The value of a field: of a named group, of a member of the JSON, or else of a pair. In JSON
    /// a point in the name leads into an object, unless a member has the whole name.
    pub(crate) fn raw(&self, name: &str) -> Option<Raw<'r>> {
        let group = self
            .captured
            .and_then(|(capture, found)| capture.place(found, name));
        if let Some((from, until)) = group {
            let bytes = self.text.get(from..until)?;
            return Some(Raw {
                bytes,
                is_escaped: false,
            });
        }
        if self.is_json {
            let value = member(self.text, name.as_bytes())?;
            let is_escaped = matches!(
                value,
                Value::Text {
                    is_escaped: true,
                    ..
                }
            );
            return Some(Raw {
                bytes: value.raw(),
                is_escaped,
            });
        }
        let pair = logfmt::pairs(self.text).find(|pair| pair.key == name.as_bytes())?;
        Some(Raw {
            bytes: pair.value,
            is_escaped: pair.is_escaped,
        })
    }

    /// The same, without escapes.
    pub(crate) fn value_of(&self, name: &str) -> Option<Cow<'r, str>> {
        let raw = self.raw(name)?;
        if raw.is_escaped {
            let mut out = Vec::with_capacity(raw.bytes.len());
            json::unescape(raw.bytes, &mut out);
            return Some(Cow::Owned(String::from_utf8_lossy(&out).into_owned()));
        }
        Some(String::from_utf8_lossy(raw.bytes))
    }
}

impl Fields<'_> {
    /// The names of the groups that were found, then of the members that have a value or of the
    /// pairs, each once, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        if let Some((capture, found)) = self.captured {
            let groups = capture.groups.iter().map(|(group, _)| group);
            let is_found = |name: &&String| capture.place(found, name).is_some();
            names.extend(groups.filter(is_found).cloned());
        }
        if self.is_json {
            members_within(self.text, "", &mut names);
        } else {
            for pair in logfmt::pairs(self.text) {
                add_name("", pair.key, &mut names);
            }
        }
        names
    }
}

fn members_within(text: &[u8], above: &str, names: &mut Vec<String>) {
    for (key, value) in json::members(text) {
        let name = add_name(above, key, names);
        if let (Value::Object(inner), Some(name)) = (value, name)
            && json::members(inner).next().is_some()
        {
            names.retain(|it| *it != name);
            members_within(inner, &format!("{name}."), names);
        }
    }
}

/// Adds a name, if it can be asked for.
fn add_name(above: &str, key: &[u8], names: &mut Vec<String>) -> Option<String> {
    let key = std::str::from_utf8(key).ok()?;
    let is_sound =
        !key.is_empty() && !key.contains(|c: char| c.is_whitespace() || "={}".contains(c));
    let name = is_sound.then(|| format!("{above}{key}"))?;
    if !names.contains(&name) {
        names.push(name.clone());
    }
    Some(name)
}

fn member<'r>(text: &'r [u8], name: &[u8]) -> Option<Value<'r>> {
    let mut within = None;
    for (key, value) in json::members(text) {
        if key == name {
            return Some(value);
        }
        if within.is_none()
            && let Value::Object(inner) = value
            && let Some(rest) = name
                .strip_prefix(key)
                .and_then(|rest| rest.strip_prefix(b"."))
        {
            within = member(inner, rest);
        }
    }
    within
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_group_a_member_or_a_pair() {
        let json = r#"{"user":{"id":7,"a.b":"x\ty"},"user.id":"whole","none":null,"list":[1,2]}"#;
        let pairs = r#"level=info msg="it \"works\"" user.id=8 open="#;
        let text = "2026-11-22 10:00:00 [worker-3] GET /cart took=12ms id=9";
        let pattern = r"\[(?P<thread>[^\]]+)\] (?P<id>GET|POST)(?: (?P<path>/admin\S*))?";
        for (text, kind, name, value) in [
            (json, Some(Kind::Json), "user.id", Some("whole")),
            (json, Some(Kind::Json), "user.a.b", Some("x\ty")),
            (json, Some(Kind::Json), "list", Some("[1,2]")),
            (json, Some(Kind::Json), "none", Some("null")),
            (json, Some(Kind::Json), "user.name", None),
            (pairs, Some(Kind::Logfmt), "user.id", Some("8")),
            (pairs, Some(Kind::Logfmt), "msg", Some("it \"works\"")),
            (pairs, Some(Kind::Logfmt), "open", Some("")),
            (text, Some(Kind::Text), "thread", Some("worker-3")),
            (text, Some(Kind::Text), "took", Some("12ms")),
            (text, None, "id", Some("GET")),
            (text, None, "path", None),
        ] {
            let regex = regex_lite::Regex::new(pattern).unwrap();
            let capture = Capture::new(regex).unwrap();
            let mut found = capture.room();
            capture.look(text.as_bytes(), &mut found);
            let fields = Fields::of(text.as_bytes(), kind, Some((&capture, &found)));
            assert_eq!(fields.value_of(name).as_deref(), value, "{name} in {text}");
        }
    }

    #[test]
    fn the_names_of_fields_are_those_that_can_be_asked_for() {
        let json =
            r#"{"a":1,"user":{"id":7,"of":{"x":null}},"empty":{},"a b":1,"list":[{"c":1}],"a":2}"#;
        let pairs = "2026-11-22 took=12ms id=9 id=10 x";
        for (text, kind, names) in [
            (
                json,
                Some(Kind::Json),
                &["a", "user.id", "user.of.x", "empty", "list"][..],
            ),
            (pairs, Some(Kind::Text), &["took", "id"]),
            ("", None, &[]),
        ] {
            let fields = Fields::of(text.as_bytes(), kind, None);
            assert_eq!(fields.names(), names, "{text}");
            for name in names {
                assert!(fields.raw(name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn a_text_that_is_not_utf8_has_no_groups_and_a_pattern_needs_one() {
        let capture = Capture::new(regex_lite::Regex::new("(?P<a>.)").unwrap()).unwrap();
        let mut found = capture.room();
        capture.look(b"x", &mut found);
        capture.look(b"\xff", &mut found);
        assert_eq!(
            Fields::of(b"\xff", None, Some((&capture, &found))).raw("a"),
            None
        );
        assert!(Capture::new(regex_lite::Regex::new("(.)").unwrap()).is_err());
    }
}
