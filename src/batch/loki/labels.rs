//! Labels as Loki writes them, and structured metadata on the wire.

use super::super::push_request::{key, put_varint, varint_len};

/// Loki takes 64 KiB of metadata with a line: what is configured stays below this, in bytes.
const MOST_METADATA: usize = 60_000;

/// The structured metadata that goes with every record of a generation, encoded once; and how many
/// of the pairs are left out, since Loki would take no record with them.
pub(crate) fn encode_metadata<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> (Vec<u8>, usize) {
    let mut out = Vec::new();
    let left_out = pairs
        .filter(|(name, value)| !put_metadata_if_it_fits(&mut out, name, value))
        .count();
    (out, left_out)
}

/// Appends one entry of structured metadata, unless all of it would be more than Loki takes. Says
/// whether it was appended.
pub(crate) fn put_metadata_if_it_fits(out: &mut Vec<u8>, name: &str, value: &str) -> bool {
    let fits = out.len() + name.len() + value.len() <= MOST_METADATA;
    if fits {
        put_metadata(out, name, value);
    }
    fits
}

/// Appends one entry of structured metadata.
pub(crate) fn put_metadata(out: &mut Vec<u8>, name: &str, value: &str) {
    let len = 1
        + varint_len(name.len() as u64)
        + name.len()
        + 1
        + varint_len(value.len() as u64)
        + value.len();
    out.push(key::METADATA);
    put_varint(out, len as u64);
    for (key, text) in [(key::NAME, name), (key::VALUE, value)] {
        out.push(key);
        put_varint(out, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
}

/// A label set as Loki writes it, with the names in their order and the values quoted.
pub(crate) fn label_set<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::from("{");
    for (name, value) in labels {
        put_label(&mut out, name, value);
    }
    out.push('}');
    out
}

/// Appends one label to a set that was begun with `{`.
pub(crate) fn put_label(out: &mut String, name: &str, value: &str) {
    if out.len() > 1 {
        out.push_str(", ");
    }
    out.push_str(name);
    out.push_str("=\"");
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
}
