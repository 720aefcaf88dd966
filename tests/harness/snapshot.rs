//! What the program prints, kept beside its input: `UPDATE=1` writes it again.

use std::fs;
use std::path::Path;

/// The file holds `actual`; with `UPDATE` it is made to.
pub(crate) fn matches_snapshot(file: &Path, actual: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(file, actual).unwrap();
        return;
    }
    let committed = fs::read_to_string(file).unwrap_or_default();
    assert_eq!(
        committed,
        actual,
        "{} is not what the program says; UPDATE=1 rewrites it",
        file.display()
    );
}
