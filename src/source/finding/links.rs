//! The symbolic links on the way to what is meant: which names tell that a meant one leads
//! elsewhere by now, where the links to files end, and which rotated files lie there. Follows links;
//! opens no file.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Access, access};

use crate::source::identity::rotation::Lineage;

/// How many symbolic links are followed from one name.
const MAX_LINKS: usize = 16;

/// The links that a walk met.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// Whatever becomes of one of these, only a walk tells what is there by now.
    ways: BTreeSet<PathBuf>,
    /// Where links to files end, each with the name that is meant.
    ends: BTreeSet<(PathBuf, PathBuf)>,
}

impl Links {
    /// Whether there are none.
    pub(in crate::source) fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    /// Whether something is reached through this link.
    pub(in crate::source) fn is_way(&self, path: &Path) -> bool {
        self.ways.contains(path)
    }

    /// The meant names whose links end at this file.
    pub(in crate::source) fn names_of(&self, end: &Path) -> impl Iterator<Item = &Path> {
        let from = (end.to_owned(), PathBuf::new());
        let ends = self.ends.range(from..);
        ends.take_while(move |(at, _)| at == end)
            .map(|(_, name)| name.as_path())
    }

    /// The folders in which links to files end.
    pub(in crate::source) fn end_folders(&self) -> BTreeSet<PathBuf> {
        let folders = self.ends.iter().filter_map(|(end, _)| end.parent());
        folders.map(Path::to_owned).collect()
    }

    /// What a name tells of where its file comes from. What was rotated beside the end of a link
    /// can come from the link.
    pub(in crate::source) fn lineage_of<'a>(&self, path: &'a Path) -> Lineage<'a> {
        let mut lineage = Lineage::of(path);
        let names = lineage.originals().flat_map(|it| self.names_of(it));
        let names: Vec<_> = names.map(Path::to_owned).collect();
        lineage.add_originals(names);
        lineage
    }

    /// The same of a name in whose folder the log itself is not: rotation may have moved it there
    /// from the folder above, as it does with `olddir`.
    pub(in crate::source) fn lineage_from_above<'a>(&self, path: &'a Path) -> Lineage<'a> {
        let mut lineage = self.lineage_of(path);
        let above = path.parent().and_then(Path::parent);
        if let Some(above) = above.filter(|_| !lineage.is_beside_its_log()) {
            let names = lineage.originals().filter_map(Path::file_name);
            let names: Vec<_> = names.map(|it| above.join(it)).collect();
            lineage.add_originals(names);
        }
        lineage
    }

    /// The folders in which a name is rotated: its own, and that in which its links end.
    pub(in crate::source) fn folders_beside(&self, name: &Path) -> BTreeSet<PathBuf> {
        let mut folders: BTreeSet<_> = name.parent().map(Path::to_owned).into_iter().collect();
        if self.is_way(name) {
            let end = Self::default().follow(name, &mut BTreeSet::new());
            folders.extend(end.as_deref().and_then(Path::parent).map(Path::to_owned));
        }
        folders
    }

    /// Takes in what another walk met.
    pub(in crate::source) fn extend(&mut self, others: Self) {
        self.ways.extend(others.ways);
        self.ends.extend(others.ends);
    }

    /// Follows a meant name that is a link. Adds the folders in which a change can matter.
    pub(in crate::source) fn follow_to_file(
        &mut self,
        name: &Path,
        folders: &mut BTreeSet<PathBuf>,
    ) {
        if let Some(end) = self.follow(name, folders) {
            folders.extend(end.parent().map(Path::to_owned));
            self.ends.insert((end, name.to_owned()));
        }
    }

    /// The same for a link to a folder.
    pub(in crate::source) fn follow_to_folder(
        &mut self,
        name: &Path,
        folders: &mut BTreeSet<PathBuf>,
    ) {
        self.follow(name, folders);
    }

    /// The same for the links within the path of a folder. What lies in folders that cannot be
    /// read, such as those of another user, is only seen by a walk.
    pub(in crate::source) fn follow_path(
        &mut self,
        folder: &Path,
        folders: &mut BTreeSet<PathBuf>,
    ) {
        let mut met = BTreeSet::new();
        self.lead(PathBuf::from("/"), parts(folder), &mut met);
        met.retain(|it| access(it, Access::READ_OK).is_ok());
        folders.append(&mut met);
    }

    fn follow(&mut self, name: &Path, folders: &mut BTreeSet<PathBuf>) -> Option<PathBuf> {
        let target = std::fs::read_link(name).ok()?;
        self.ways.insert(name.to_owned());
        let at = if target.is_absolute() {
            PathBuf::from("/")
        } else {
            name.parent()?.canonicalize().ok()?
        };
        self.lead(at, parts(&target), folders)
    }

    /// Goes from a folder without links in its path, part by part, and returns where that ends:
    /// nothing for links in a circle.
    fn lead(
        &mut self,
        mut at: PathBuf,
        mut parts: Vec<OsString>,
        folders: &mut BTreeSet<PathBuf>,
    ) -> Option<PathBuf> {
        let mut links = 0;
        while let Some(part) = parts.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            let next = at.join(part);
            let Ok(target) = std::fs::read_link(&next) else {
                at = next;
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            self.ways.insert(next);
            if target.is_absolute() {
                folders.insert(std::mem::replace(&mut at, PathBuf::from("/")));
            } else {
                folders.insert(at.clone());
            }
            parts.extend(self::parts(&target));
        }
        Some(at)
    }
}

/// The parts of a path, the last first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    parts
        .filter(|it| matches!(it, Component::Normal(_) | Component::ParentDir))
        .map(|it| it.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn each_link_of_a_chain_and_its_end_are_known() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        std::fs::create_dir_all(at("mount/..1")).unwrap();
        std::fs::write(at("mount/..1/a.log"), "x").unwrap();
        symlink("..1", at("mount/..data")).unwrap();
        symlink("..data/a.log", at("mount/a.log")).unwrap();
        symlink(at("mount"), at("here")).unwrap();
        symlink("../here/a.log", at("mount/b.log")).unwrap();
        symlink("circle", at("circle")).unwrap();
        let mut links = Links::default();
        let mut folders = BTreeSet::new();
        links.follow_to_file(&at("mount/a.log"), &mut folders);
        assert_eq!(folders, [at("mount"), at("mount/..1")].into());
        links.follow_to_file(&at("mount/b.log"), &mut folders);
        links.follow_to_file(&at("circle"), &mut folders);
        links.follow_path(&at("here/..data"), &mut folders);
        assert_eq!(folders, [root.clone(), at("mount"), at("mount/..1")].into());
        let ways = [
            "circle",
            "here",
            "mount/..data",
            "mount/a.log",
            "mount/b.log",
        ];
        assert_eq!(links.ways, ways.map(at).into());
        assert!(links.is_way(&at("here")) && !links.is_way(&at("mount/..1")));
        let names: Vec<_> = links.names_of(&at("mount/..1/a.log")).collect();
        assert_eq!(names, [at("mount/a.log"), at("mount/b.log")]);
        assert_eq!(links.names_of(&at("mount")).count(), 0);
        let folders_of = |name: &str| links.folders_beside(&at(name));
        assert_eq!(
            folders_of("mount/b.log"),
            [at("mount"), at("mount/..1")].into()
        );
        assert_eq!(folders_of("mount/..1/a.log"), [at("mount/..1")].into());
        assert_eq!(folders_of("circle"), [root.clone()].into());
        let rotated = at("mount/..1/a.log.2.gz");
        let lineage = links.lineage_of(&rotated);
        let originals = [
            "mount/..1/a.log",
            "mount/..1/a.log.2",
            "mount/a.log",
            "mount/b.log",
        ];
        assert!(lineage.originals().eq(originals.map(at)));
        assert!(lineage.can_come_from(&at("mount/b.log")));
        assert!(!lineage.can_come_from(&at("circle")));
    }
}
