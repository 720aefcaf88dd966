//! Single fields of a record: members of its JSON, `key=value` pairs in its text. Looked for one
//! at a time, when somebody asks.

use std::borrow::Cow;

use super::cut::Record;
use super::head::Kind;
use super::json::{self, Value};
use super::logfmt;

/// The value of a field. In JSON a point in the name leads into an object, unless a member has
/// the whole name.
pub(crate) fn value_of<'r>(record: &Record<'r>, name: &str) -> Option<Cow<'r, str>> {
    let text = record.line.bytes;
    if record.head.is_some_and(|head| head.kind == Kind::Json) {
        let value = member(text, name.as_bytes())?;
        let is_escaped = matches!(
            value,
            Value::Text {
                is_escaped: true,
                ..
            }
        );
        return Some(plain(value.raw(), is_escaped));
    }
    let pair = logfmt::pairs(text).find(|pair| pair.key == name.as_bytes())?;
    Some(plain(pair.value, pair.is_escaped))
}

fn member<'r>(text: &'r [u8], name: &[u8]) -> Option<Value<'r>> {
    for (key, value) in json::members(text) {
        if key == name {
            return Some(value);
        }
        if let Value::Object(inner) = value
            && let Some(rest) = name
                .strip_prefix(key)
                .and_then(|rest| rest.strip_prefix(b"."))
            && let Some(found) = member(inner, rest)
        {
            return Some(found);
        }
    }
    None
}

fn plain(raw: &[u8], is_escaped: bool) -> Cow<'_, str> {
    if is_escaped {
        let mut out = Vec::with_capacity(raw.len());
        json::unescape(raw, &mut out);
        return Cow::Owned(String::from_utf8_lossy(&out).into_owned());
    }
    String::from_utf8_lossy(raw)
}
