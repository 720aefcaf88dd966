//! Which files are lives of one log, by their names: the date or number that rotation, or the
//! application itself, puts into them. Decides which of them are past, and which of those may be
//! deleted. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::record::Time;
use crate::source::identity::rotation::COMPRESSED;

/// What a name says of the log that a file is a life of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kin {
    /// The name without a date, a number and a compressor's ending.
    pub(crate) base: PathBuf,
    /// The digits of its date.
    date: Option<Vec<u8>>,
    /// How many rotations ago it was written.
    number: u32,
    is_compressed: bool,
}

impl Kin {
    /// Reads a path.
    pub(crate) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().as_bytes();
        let plain = COMPRESSED.iter().find_map(|end| name.strip_suffix(*end));
        let is_compressed = plain.is_some();
        let (name, date) = without_date(plain.unwrap_or(name));
        let (name, number) = without_number(&name);
        Self {
            base: path.with_file_name(OsStr::from_bytes(name)),
            date,
            number,
            is_compressed,
        }
    }

    /// Reads the path of a file that was first seen at another: it is a life of that log, whatever
    /// it is called by now.
    pub(crate) fn of_first_seen_at(path: &Path, origin: &Path) -> Self {
        Self {
            base: Self::of(origin).base,
            ..Self::of(path)
        }
    }

    /// From the oldest to the youngest, of those written at the same time.
    fn age(&self) -> (Option<&[u8]>, Reverse<u32>) {
        (self.date.as_deref(), Reverse(self.number))
    }
}

/// Takes out the first date, with a separator before it (or behind it, where it leads).
fn without_date(name: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let found = (0..name.len())
        .filter(|at| *at == 0 || !name[at - 1].is_ascii_digit())
        .find_map(|at| date_len(&name[at..]).map(|len| (at, at + len)));
    let Some((start, end)) = found else {
        return (name.to_vec(), None);
    };
    let digits = name[start..end].iter().copied();
    let digits = digits.filter(u8::is_ascii_digit).collect();
    let is_separator = |at: usize| name.get(at).is_some_and(|byte| b"._-".contains(byte));
    let (before, behind) = match start.checked_sub(1) {
        Some(before) if is_separator(before) => (before, end),
        None if is_separator(end) => (start, end + 1),
        _ => (start, end),
    };
    ([&name[..before], &name[behind..]].concat(), Some(digits))
}

/// How long the date is that `text` begins with: year, month and day, with the time of day behind
/// them where that has minutes or a `T`, or with the seconds since 1970.
fn date_len(text: &[u8]) -> Option<usize> {
    let number = |at: usize, len: usize| -> Option<u32> {
        let digits = text.get(at..at + len)?;
        let is_number = digits.iter().all(u8::is_ascii_digit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
        digits.parse().ok()
    };
    let separator = |at: usize| usize::from(text.get(at).is_some_and(|it| b"-_.".contains(it)));
    let year = number(0, 4)?;
    let gap = separator(4);
    let month = number(4 + gap, 2)?;
    if separator(6 + gap) != gap {
        return None;
    }
    let day = number(6 + 2 * gap, 2)?;
    let is_date = (1990..=2100).contains(&year) && (1..=12).contains(&month);
    let mut len = 8 + 2 * gap;
    if !is_date || !(1..=31).contains(&day) {
        return None;
    }
    let has_t = text.get(len) == Some(&b'T');
    let rest = len + usize::from(has_t).max(separator(len));
    let digits_from = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        rest.iter().take_while(|it| it.is_ascii_digit()).count()
    };
    match digits_from(rest) {
        4 | 6 | 10 => len = rest + digits_from(rest),
        2 => {
            let mut end = rest + 2;
            let mut parts = 1;
            while parts < 3
                && text.get(end).is_some_and(|it| b":-_.".contains(it))
                && digits_from(end + 1) == 2
            {
                end += 3;
                parts += 1;
            }
            if has_t || parts > 1 {
                len = end;
            }
        }
        _ => {}
    }
    if text.get(len) == Some(&b'Z') {
        len += 1;
    }
    (digits_from(len) == 0).then_some(len)
}

/// Takes off what rotation puts behind a name.
fn without_number(name: &[u8]) -> (&[u8], u32) {
    for word in ["old", "bak", "prev", "backup"] {
        if let Some(base) = name.strip_suffix(word.as_bytes())
            && let Some(base) = base.strip_suffix(b".").filter(|base| !base.is_empty())
        {
            return (base, 1);
        }
    }
    let digits = name.iter().rev().take_while(|it| it.is_ascii_digit());
    let (base, digits) = name.split_at(name.len() - digits.count());
    match (base.strip_suffix(b"."), std::str::from_utf8(digits)) {
        (Some(base), Ok(digits)) if !base.is_empty() && (1..=4).contains(&digits.len()) => {
            (base, digits.parse().unwrap_or(0))
        }
        _ => (name, 0),
    }
}

/// A file, as far as it matters for its family.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Which log it is a life of.
    pub(crate) kin: Kin,
    /// When it was last written.
    pub(crate) modified: Time,
    /// What it takes on the volume.
    pub(crate) bytes: u64,
    /// Every output that takes it has all of it.
    pub(crate) is_delivered: bool,
    /// Somebody has it open for writing.
    pub(crate) is_written: bool,
}

/// The members that are past, oldest first in each family: not the one at the family's own name
/// (or, where there is none, that of the youngest date), and not the one that was written last.
/// In a family without either all may be alive.
pub(in crate::source) fn past(members: &[Member]) -> Vec<Vec<&Member>> {
    let mut families: BTreeMap<&Path, Vec<&Member>> = BTreeMap::new();
    for member in members {
        families.entry(&member.kin.base).or_default().push(member);
    }
    let mut all = Vec::new();
    for (base, family) in families {
        let youngest = family.iter().filter_map(|it| it.kin.date.as_ref()).max();
        let has_own_name = family.iter().any(|it| it.path == base);
        let is_live = |it: &&Member| {
            if has_own_name {
                it.path == base
            } else {
                it.kin.date.as_ref() == youngest
            }
        };
        let has_live = has_own_name || youngest.is_some();
        let last_written = family.iter().map(|it| it.modified).max();
        let is_past = |it: &&Member| has_live && !is_live(it) && Some(it.modified) != last_written;
        let mut past: Vec<_> = family.iter().copied().filter(is_past).collect();
        past.sort_by_key(|it| (it.modified, it.kin.age()));
        all.push(past);
    }
    all
}

/// Which files may be deleted, since they are past and delivered: all but the `keep` youngest of
/// each family, none that was written less than `still_for` ago, and none that is written.
pub(crate) fn may_delete(
    members: &[Member],
    keep: usize,
    still_for: Duration,
    now: Time,
) -> Vec<&Path> {
    let still_for = i64::try_from(still_for.as_nanos()).unwrap_or(i64::MAX);
    past(members)
        .iter()
        .flat_map(|past| &past[..past.len().saturating_sub(keep)])
        .filter(|it| it.is_delivered && !it.is_written)
        .filter(|it| now.nanos_since(it.modified) >= still_for)
        .map(|it| it.path.as_path())
        .collect()
}

/// Which files are to be deleted so that all of them take no more than `most` bytes: those that
/// are delivered first, each from the oldest on; never one that is not past, or that is written.
pub(crate) fn to_drop(members: &[Member], most: u64) -> Vec<&Path> {
    let mut total: u64 = members.iter().map(|it| it.bytes).sum();
    let mut past: Vec<_> = past(members).concat();
    past.retain(|it| !it.is_written);
    past.sort_by_key(|it| (!it.is_delivered, it.modified, it.kin.age()));
    let mut drop = Vec::new();
    for member in past {
        if total <= most {
            break;
        }
        total -= member.bytes;
        drop.push(member.path.as_path());
    }
    drop
}

#[cfg(test)]
mod tests;
