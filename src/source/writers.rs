//! Who has files open for writing, as far as the system lets us see: the processes of this
//! container or host that this user may look at. Only looks.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::file::FileKey;

/// Which of these files, each with its path, some process has open for writing.
pub(super) fn open_for_writing(files: &[(FileKey, &Path)]) -> BTreeSet<FileKey> {
    // What leads to a file of another name is not followed: it may lie on a server that is away.
    let names: BTreeSet<OsString> = files
        .iter()
        .filter_map(|(_, path)| Some(path.file_name()?.to_owned()))
        .collect();
    let wanted: BTreeSet<FileKey> = files.iter().map(|(key, _)| *key).collect();
    let mut open = BTreeSet::new();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_process = |name: &OsString| name.as_bytes().iter().all(u8::is_ascii_digit);
    for process in processes.filter(|it| is_process(&it.file_name())) {
        let process = process.path();
        // It may be another user's, or have ended.
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten();
        for descriptor in descriptors.flatten() {
            let link = descriptor.path();
            let leads_to = fs::read_link(&link).unwrap_or_default();
            if !leads_to.file_name().is_some_and(|it| names.contains(it)) {
                continue;
            }
            let Ok(metadata) = fs::metadata(&link) else {
                continue;
            };
            let key = FileKey::of(&metadata);
            let info = process.join("fdinfo").join(descriptor.file_name());
            if wanted.contains(&key) && is_writable(&fs::read_to_string(info).unwrap_or_default()) {
                open.insert(key);
            }
        }
    }
    open
}

/// Reads the text of `/proc/<pid>/fdinfo/<fd>`; in doubt it is.
fn is_writable(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_none_or(|flags| flags & 0o3 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_while_somebody_has_it_open_for_writing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        fs::write(&path, "x").unwrap();
        let key = FileKey::of(&fs::metadata(&path).unwrap());
        let files = [(key, path.as_path())];
        let reader = fs::File::open(&path).unwrap();
        assert_eq!(open_for_writing(&files), BTreeSet::new());
        let writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
        assert_eq!(open_for_writing(&files), BTreeSet::from([key]));
        drop((reader, writer));
        assert_eq!(open_for_writing(&files), BTreeSet::new());
    }
}
