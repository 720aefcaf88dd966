//! Decides whether a name is a rotation of another, and which known generation a file is. Pure
//! decisions over values; whoever asks has read the bytes.

use std::cmp::Reverse;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::journal::Identity;
use crate::record::Time;
use crate::span::{GenerationId, PROOF_ENOUGH};

/// What is known of a file that is to be recognised.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    /// Its name.
    pub(crate) name: &'a Lineage<'a>,
    /// Its inode.
    pub(crate) inode: u64,
    /// When it was made.
    pub(crate) birth: Time,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Its first bytes, up to [`HEAD_BYTES`](crate::span::HEAD_BYTES).
    pub(crate) head: &'a [u8],
}

/// What compressors put behind a name.
pub(in crate::source) const COMPRESSED: [&[u8]; 4] = [b".gz", b".zst", b".xz", b".bz2"];

/// How strongly a known generation is suggested before its content was looked at; smaller is
/// stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hint {
    SameInode,
    SamePath,
    Rotated,
    Compressed,
}

/// The known generations that the file can be, the most likely first. Each must still prove
/// that the bytes before its cursors and sealed batches are there; `furthest_of` tells the last of
/// these positions, `proof_of` up to where the file is known to hold what was seen of it.
pub(crate) fn suggestions<'a>(
    file: &Candidate<'_>,
    known: impl Iterator<Item = (GenerationId, &'a Identity)>,
    furthest_of: impl Fn(GenerationId) -> u64,
    proof_of: impl Fn(GenerationId, &Identity) -> u64,
) -> Vec<GenerationId> {
    let known: Vec<_> = known.collect();
    let is_itself = |it: &Identity| (it.inode, it.birth) == (file.inode, file.birth);
    // A copy seldom overwrites the file of another log.
    let is_other = known.iter().any(|(_, identity)| is_itself(identity));
    let mut found: Vec<_> = known
        .into_iter()
        .filter_map(|(id, identity)| {
            let has_file = !identity.is_gone;
            let hint = if has_file && identity.inode == file.inode {
                Hint::SameInode
            } else if has_file && identity.path.as_os_str() == file.name.path.as_os_str() {
                Hint::SamePath
            } else if file.name.is_rotation_of(&identity.path) {
                Hint::Rotated
            } else if file.name.is_compressed_later(&identity.path) {
                Hint::Compressed
            } else {
                return None;
            };
            let furthest = furthest_of(id);
            let is_possible = identity.head.matches(file.head) && furthest <= file.size;
            // Another file than the one that was known: rather twice than not at all.
            let is_another = !is_itself(identity);
            let lacks_end = || {
                let end = identity.end;
                end.is_some_and(|end| proof_of(id, identity) < end.offset)
            };
            let is_doubtful = || match hint {
                // The very file may have been emptied, and filled again.
                Hint::SameInode | Hint::SamePath => is_another || lacks_end(),
                // A copy of what was emptied holds also what was seen and not read.
                Hint::Rotated => {
                    // What is gone was no longer than what was seen of it.
                    let is_longer = identity.is_gone && proof_of(id, identity) < file.size;
                    lacks_end() || is_longer || (is_other && is_another)
                }
                Hint::Compressed => furthest != file.size,
            };
            // Nothing is known of an empty head: only the inode speaks for it.
            let says_something = identity.head.len > 0 || hint == Hint::SameInode;
            let is_sure = || !is_doubtful() || proof_of(id, identity) >= PROOF_ENOUGH;
            let is_suggested = is_possible && says_something && is_sure();
            is_suggested.then(|| {
                let proof = proof_of(id, identity);
                // One that proves little may be another with the same banner.
                let is_weak = hint == Hint::Rotated && proof < PROOF_ENOUGH;
                let hint = if is_weak { Hint::Compressed } else { hint };
                (hint, Reverse(proof), Reverse(furthest), id)
            })
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(.., id)| id).collect()
}

/// Whether `rotated` is a name that rotation gives to what was `original`, in the same folder:
/// `app.log` becomes `app.log.1`, `app.log-20261122`, `app-2026-11-22.log`, each also compressed, or
/// `app.log.gz`.
pub(crate) fn is_rotation(original: &Path, rotated: &Path) -> bool {
    Lineage::of(rotated).is_rotation_of(original)
}

/// What a name tells of where its file comes from.
#[derive(Debug)]
pub(crate) struct Lineage<'a> {
    path: &'a Path,
    originals: Vec<PathBuf>,
    is_gzip: bool,
    is_apart: bool,
}

impl<'a> Lineage<'a> {
    /// What this name tells.
    pub(crate) fn of(path: &'a Path) -> Self {
        Self {
            path,
            originals: originals(path),
            is_gzip: path.extension().is_some_and(|it| it == "gz"),
            is_apart: false,
        }
    }

    /// What it tells where it can come from these, which it does not say itself.
    pub(in crate::source) fn apart(path: &'a Path, originals: Vec<PathBuf>) -> Self {
        Self {
            originals,
            is_apart: true,
            ..Self::of(path)
        }
    }

    /// The name.
    pub(in crate::source) fn path(&self) -> &'a Path {
        self.path
    }

    /// Whether the name does not say itself where its file comes from: then contents that are alike
    /// may be those of two logs.
    pub(in crate::source) fn is_apart(&self) -> bool {
        self.is_apart
    }

    /// Adds names under which a file of one of the originals is read too.
    pub(in crate::source) fn add_originals(&mut self, names: Vec<PathBuf>) {
        self.originals.extend(names);
    }

    /// The names to which rotation can have given this one.
    pub(in crate::source) fn originals(&self) -> impl Iterator<Item = &Path> {
        self.originals.iter().map(PathBuf::as_path)
    }

    /// The names that what lies here can have had before; nothing where there is no list of them,
    /// since a compressed file can have had any name of the same rotation.
    pub(crate) fn earlier_names(&self) -> Option<impl Iterator<Item = &Path>> {
        (!self.is_gzip).then(|| self.originals())
    }

    /// The name of what was compressed into the file, where its compressor leaves it.
    pub(crate) fn compressed_from(&self) -> Option<PathBuf> {
        self.is_gzip.then(|| self.path.with_extension(""))
    }

    /// Whether rotation gave the name to what was `original`.
    pub(crate) fn is_rotation_of(&self, original: &Path) -> bool {
        let original = original.as_os_str();
        self.originals.iter().any(|it| it.as_os_str() == original)
    }

    /// Whether the file can hold what was first seen as `original`: rotated, compressed, or both,
    /// and renamed again by the next rotations.
    pub(crate) fn can_come_from(&self, original: &Path) -> bool {
        self.is_rotation_of(original) || self.is_compressed_later(original)
    }

    /// Whether a log is there to which rotation can have given this name. What is being compressed
    /// where it lies is none: it may have been moved there.
    pub(in crate::source) fn is_beside_its_log(&self) -> bool {
        let plain = self.compressed_from();
        let mut logs = self.originals().filter(|it| Some(*it) != plain.as_deref());
        logs.any(Path::exists)
    }

    /// Whether the file is compressed and a rotation of the same name as `plain`.
    fn is_compressed_later(&self, plain: &Path) -> bool {
        self.is_gzip
            && originals(plain)
                .iter()
                .any(|it| self.originals.contains(it))
    }
}

/// Whether a name says that its file is compressed in a way that is not read.
pub(in crate::source) fn is_sealed_up(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_bytes();
    let mut ends = COMPRESSED.iter().filter(|end| **end != b".gz");
    ends.any(|end| name.ends_with(end))
}

/// The names to which rotation can have given this one, the shortest first.
pub(crate) fn originals(rotated: &Path) -> Vec<PathBuf> {
    let whole = rotated.file_name().unwrap_or_default().as_bytes();
    let mut name = whole;
    for compressed in COMPRESSED {
        name = name.strip_suffix(compressed).unwrap_or(name);
    }
    let (stem, extension) = name.split_at(memchr::memrchr(b'.', name).unwrap_or(name.len()));
    // The mark stands at the end, or in front of the extension.
    let ends = [(name, &b""[..]), (stem, extension)];
    let mut found = Vec::new();
    for (marked, extension) in ends {
        for at in memchr::memchr3_iter(b'.', b'-', b'_', marked) {
            if is_rotation_mark(&marked[at..]) {
                let original = [&marked[..at], extension].concat();
                // A mark alone is no rotation of anything.
                if !original.is_empty() {
                    found.push(rotated.with_file_name(OsStr::from_bytes(&original)));
                }
            }
        }
    }
    if tai_label(name).is_some() {
        found.push(rotated.with_file_name("current"));
    }
    // Compressors leave their file where the other one lay.
    if name.len() < whole.len() && !name.is_empty() {
        found.push(rotated.with_file_name(OsStr::from_bytes(name)));
    }
    found.sort_by_key(|it| it.as_os_str().len());
    found
}

/// The seconds and nanoseconds of a label of `multilog`, `s6-log` and `svlogd`, which rotate
/// `current` to such names: `@`, 24 digits, and how the file ended.
fn tai_label(name: &[u8]) -> Option<[u64; 2]> {
    let label = name.strip_prefix(b"@")?;
    let (label, end) = label.split_at_checked(24)?;
    let is_known = [&b""[..], b".s", b".u"].contains(&end);
    let (seconds, nanoseconds) = str::from_utf8(label).ok()?.split_at_checked(16)?;
    let parse = |digits| u64::from_str_radix(digits, 16).ok().filter(|_| is_known);
    Some([parse(seconds)?, parse(nanoseconds)?])
}

/// How old a name says that its file is, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Age(Vec<Mark>);

/// What the numbers that stand together in a name say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Mark {
    /// A higher number is an older rotation.
    Numbered(Reverse<u64>),
    /// A later date is a younger one. What has a number behind it is older than what has none.
    Dated(Vec<u64>),
    /// A usual word.
    Word,
    /// What is not rotated any further is the youngest.
    End,
}

/// What rotation puts behind a name beside numbers.
const WORDS: [&[u8]; 4] = [b"old", b"bak", b"prev", b"backup"];

impl Age {
    /// What a name says.
    pub(in crate::source) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().as_bytes();
        if let Some(label) = tai_label(name) {
            return Self(vec![Mark::Dated(label.to_vec())]);
        }
        let mut marks = Vec::new();
        let mut numbers = Vec::new();
        // Behind the last part are no numbers.
        for part in name
            .split(|byte| b".-_:TZ".contains(byte))
            .chain([&b""[..]])
        {
            if let Some(number) = number_of(part) {
                numbers.push(number);
                continue;
            }
            marks.extend(mark_of(std::mem::take(&mut numbers)));
            marks.extend(WORDS.contains(&part).then_some(Mark::Word));
        }
        marks.push(Mark::End);
        Self(marks)
    }

    /// Whether rotation gave this name later than the other one, both by numbers or both by dates.
    pub(in crate::source) fn is_of_later_rotation_than(&self, other: &Self) -> bool {
        let mut pairs = self.0.iter().zip(&other.0);
        match pairs.find(|(own, other)| own != other) {
            Some((Mark::Numbered(own), Mark::Numbered(other))) => own > other,
            // One with a number behind it is a rotation of the other.
            Some((Mark::Dated(own), Mark::Dated(other))) => own.len() == other.len() && own > other,
            _ => false,
        }
    }
}

fn number_of(part: &[u8]) -> Option<u64> {
    let is_number = !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(part).ok().filter(|_| is_number);
    text?.parse().ok()
}

/// What numbers that stand together say.
fn mark_of(mut numbers: Vec<u64>) -> Option<Mark> {
    match *numbers {
        [] => None,
        [number] if number < 10_000 => Some(Mark::Numbered(Reverse(number))),
        _ => {
            numbers.push(u64::MAX);
            Some(Mark::Dated(numbers))
        }
    }
}

/// Whether rotation gave the one name later than the other, and not to a file that had the other.
pub(in crate::source) fn is_of_later_rotation(path: &Path, other: &Path) -> bool {
    Age::of(path).is_of_later_rotation_than(&Age::of(other)) && !is_rotation(other, path)
}

/// A separator, then a number, a date or a usual word.
fn is_rotation_mark(mark: &[u8]) -> bool {
    let Some((b'.' | b'-' | b'_', rest)) = mark.split_first() else {
        return false;
    };
    if WORDS.contains(&rest) {
        return true;
    }
    rest.first().is_some_and(u8::is_ascii_digit)
        && rest
            .iter()
            .all(|byte| byte.is_ascii_digit() || b"-_.:TZ".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_age_of_its_file() {
        let names = [
            "a.log.10",
            "a.log.2.gz",
            "a.1.log.1",
            "a.1.log",
            "a-2026-11-22.log",
            "a-2026-11-23.1.log",
            "a-2026-11-23.2.log",
            "a-2026-11-23.log",
            "a.log.2026-12-01T00:00:00Z",
            "a.log.2026-12-01T00:10:00Z",
            "a.log-20261201.gz",
            "a.log-20261202",
            "a.log.old",
            "a.log",
        ];
        let ages: Vec<_> = names.iter().map(|name| Age::of(Path::new(name))).collect();
        assert!(ages.is_sorted_by(|a, b| a < b), "{ages:?}");
    }

    #[test]
    fn of_two_names_the_one_of_the_later_rotation_is_known() {
        let table = [
            ("a.log.1", "a.log.2", true),
            ("a.log.1.gz", "a.log.2", true),
            ("a.log-20261202", "a.log-20261201.gz", true),
            (
                "@400000006ce4b5e80a1b2c3d.s",
                "@400000006ce4b5e70a1b2c3d.s",
                true,
            ),
            ("a.log.1", "a.log.1.gz", false),
            ("a.log.2", "a.log.1", false),
            ("a.log", "a.log.1", false),
            ("a.log.old", "a.log.1", false),
            ("a.log-20261202", "a.log.1", false),
            // The log's own name ends like that.
            ("a.2026-11-22.1", "a.2026-11-22", false),
            ("a-2026-11-22.1.log", "a-2026-11-22.log", false),
            ("a-7.log.1", "a-7.log", false),
            ("a-12345-20261122.log", "a-12345.log", false),
            ("10.0.0.12.1.gz", "10.0.0.12", false),
        ];
        for (a, b, expected) in table {
            let is_later = is_of_later_rotation(Path::new(a), Path::new(b));
            assert_eq!(is_later, expected, "{a} {b}");
        }
    }

    #[test]
    fn names_that_rotation_gives_are_known() {
        let table = [
            ("app.log", "app.log.1", true),
            ("app.log", "app.log.12", true),
            ("app.log", "app.log.2.gz", true),
            ("app.log", "app.log-20261122", true),
            ("app.log", "app.log.2026-11-22", true),
            ("app.log", "app.log.2026-11-22_10-00-00", true),
            ("app.log", "app.log-20261122-1763800000.gz", true),
            ("app.log", "app-20261122.log", true),
            ("app.log", "app-2026-11-22T10:00:00.log", true),
            ("app.log", "app.1.log", true),
            ("app.log", "app.log.old", true),
            ("app.log", "app.log.gz", true),
            ("app-20261122.log", "app-20261122.log.gz", true),
            ("app.log.1", "app.log.1.gz", true),
            ("app.log.1", "app.log.gz", false),
            ("app.log", "app.log", false),
            ("app.log.gz", "app.log.gz", false),
            ("", ".gz", false),
            ("app.log", "app.logger", false),
            ("app.log", "app.log.swp", false),
            ("app.log", "app-errors.log", false),
            ("app.log", "application.log", false),
            ("report_20261122.log", "report_20261123.log", false),
            ("current", "@400000006ce4b5e70a1b2c3d.s", true),
            ("current", "@400000006ce4b5e70a1b2c3d.u", true),
            ("current", "@400000006ce4b5e70a1b2c3d", true),
            ("current", "@400000006ce4b5e7.s", false),
            ("current", "@400000006ce4b5e70a1b2c3d.state", false),
            ("current", "@400000006ce4b5e70a1b2c3z.s", false),
            ("app.log", "@400000006ce4b5e70a1b2c3d.s", false),
            ("messages", "messages.1", true),
            ("messages", "messages-20261122", true),
        ];
        for (original, rotated, expected) in table {
            let (a, b) = (
                Path::new("/l").join(original),
                Path::new("/l").join(rotated),
            );
            assert_eq!(is_rotation(&a, &b), expected, "{original} → {rotated}");
        }
        assert!(!is_rotation(
            Path::new("/a/app.log"),
            Path::new("/b/app.log.1")
        ));
    }
}
