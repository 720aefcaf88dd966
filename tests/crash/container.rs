//! What a container writes to its two pipes, as its runtime notes it. Each record has a head and one
//! line, so that it is the same by whatever rules it is cut; and one of either pipe is open nearly
//! always.

use super::report::Entry;

/// The keys of an input that takes such a log, and other ones that cut it in another way.
pub(crate) const KEYS: &str = "multiline_wait: 500ms";
pub(crate) const OTHER_KEYS: &str = "multiline: off";

/// A record that is written at this time to one of the pipes.
pub(crate) fn piped(at: &str, is_err: bool, text: String) -> Entry {
    let time = at.replace(' ', "T").replace(',', ".");
    let pipe = if is_err { "stderr" } else { "stdout" };
    Entry {
        written: format!("{time}Z {pipe} F {text}"),
        shipped: Some(text),
    }
}

/// The record of this number, with more text.
pub(crate) fn numbered(at: &str, is_err: bool, number: u64, more: &str) -> Entry {
    piped(
        at,
        is_err,
        format!("{at} - rapport - INFO - {number:010} {more}"),
    )
}
