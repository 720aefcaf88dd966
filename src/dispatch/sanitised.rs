//! Names as CloudWatch Logs takes them: what it refuses in one is replaced, and one that is too
//! long is cut so that it stays apart from others. Pure; the same name always comes to the same.

use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_64;

/// Most characters in the name of a log group or a log stream.
const MOST: usize = 512;
/// Characters that stand for the rest of a name which is too long: `-` and a hash of the whole.
const REST: usize = 1 + 16;
/// What AWS keeps for itself at the beginning of a log group's name, and what takes its place.
const RESERVED: (&str, &str) = ("aws/", "aws_");

/// The name of a log group; `fallback` where nothing is left.
pub(super) fn group(name: &str, fallback: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".-_/#".contains(c);
    let mut name = sanitised(name, fallback, is_allowed);
    if name.starts_with(RESERVED.0) {
        name.replace_range(..RESERVED.0.len(), RESERVED.1);
    }
    name
}

/// The name of a log stream; `fallback` where nothing is left.
pub(super) fn stream(name: &str, fallback: &str) -> String {
    let is_allowed = |c: char| c != ':' && c != '*' && !c.is_control();
    sanitised(name, fallback, is_allowed)
}

fn sanitised(name: &str, fallback: &str, is_allowed: impl Fn(char) -> bool) -> String {
    let name = if name.is_empty() { fallback } else { name };
    let taken = name.chars().map(|c| if is_allowed(c) { c } else { '_' });
    if name.chars().count() <= MOST {
        return taken.collect();
    }
    let mut short: String = taken.take(MOST - REST).collect();
    // Writing to a String cannot fail.
    let _ = write!(short, "-{:016x}", xxh3_64(name.as_bytes()));
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_in_a_name_is_replaced() {
        for (name, of_group, of_stream) in [
            (
                "/apps/check-out_1.2#x",
                "/apps/check-out_1.2#x",
                "/apps/check-out_1.2#x",
            ),
            ("a:b*c é\n", "a_b_c___", "a_b_c é_"),
            ("aws/logs", "aws_logs", "aws/logs"),
            ("/aws/logs", "/aws/logs", "/aws/logs"),
            ("", "app", "app"),
        ] {
            assert_eq!(group(name, "app"), of_group, "{name:?}");
            assert_eq!(stream(name, "app"), of_stream, "{name:?}");
        }
    }

    #[test]
    fn names_that_are_too_long_are_cut_and_stay_apart() {
        let whole = "é".repeat(MOST);
        assert_eq!(stream(&whole, "app"), whole);
        let names = ["a", "b", ":", "*"].map(|end| stream(&format!("{whole}{end}"), "app"));
        for (place, name) in names.iter().enumerate() {
            assert_eq!(name.chars().count(), MOST, "{name}");
            assert!(name.starts_with(&"é".repeat(MOST - REST)), "{name}");
            assert!(!names[..place].contains(name), "{name} is there twice");
        }
    }
}
