//! Where rotation has a folder of its own that is not below that of the log (`olddir`), a rotated
//! name does not tell where the log lies: each log of the same name can be the one. Finds those that
//! begin as the file does; whether one of them is its original is told by content alone, and less
//! than 4 KiB tell nothing.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::copies::may_be_in_the_making;
use super::opened::Opened;
use super::recognise::Identified;
use super::rotation::Lineage;
use crate::journal::Journal;
use crate::source::generation::Generation;
use crate::source::generation::reader;
use crate::source::system::file::birth_of;
use crate::source::{Moment, Source};
use crate::span::PROOF_ENOUGH;

/// Where more logs than these begin alike, none of them is compared any further.
const MOST_ALIKE: usize = 16;

impl Source {
    /// Finds out which content a file holds that is of no log in its folder nor in that above.
    pub(in crate::source) fn identify_apart(
        &mut self,
        (input, path): (usize, &Path),
        opened: &Opened,
        journal: &Journal,
        at: Moment,
    ) -> Identified {
        let Some(here) = self.absent_from_here(path) else {
            return Identified::New;
        };
        let names: BTreeSet<_> = here.originals().filter_map(Path::file_name).collect();
        let names = Names(names.into_iter().map(OsStr::to_owned).collect());
        if opened.len() < PROOF_ENOUGH {
            return if self.may_become_copy_from_apart(input, &names, opened, at) {
                Identified::Later
            } else {
                Identified::New
            };
        }
        let found = self.logs_that_begin_like(opened, (input, &names), &here, journal);
        if found.is_empty() || found.len() > MOST_ALIKE {
            return Identified::New;
        }
        let found = found.into_iter().map(Path::to_owned).collect();
        let lineage = Lineage::apart(path, found);
        self.identify_by(&lineage, input, opened, journal, at)
    }

    /// What a rotated name tells, if none of the logs is there from which its file can come.
    fn absent_from_here<'a>(&self, path: &'a Path) -> Option<Lineage<'a>> {
        let here = self.links.lineage_of(path);
        let is_rotated = here.originals().next().is_some();
        let is_absent = is_rotated && !here.is_beside_its_log();
        is_absent.then_some(here)
    }

    /// Whether a file that was written just now may be the beginning of a copy of such a log.
    fn may_become_copy_from_apart(
        &self,
        input: usize,
        names: &Names,
        opened: &Opened,
        at: Moment,
    ) -> bool {
        let birth = birth_of(&opened.metadata);
        let mut logs = self.generations.values().filter(|it| {
            it.input == input
                && it.is_at_home()
                && names.have(&it.origin)
                && !self.clock.is_older(birth, it.begun)
        });
        may_be_in_the_making(opened, at) && logs.any(|it| begins_as(it, opened))
    }

    /// Where the known logs were that have such a name and begin as the file does.
    fn logs_that_begin_like<'a>(
        &self,
        opened: &Opened,
        (input, names): (usize, &Names),
        here: &Lineage<'_>,
        journal: &'a Journal,
    ) -> BTreeSet<&'a Path> {
        let input = &self.inputs[input].name;
        let known = journal.state().generations.values();
        let alike = known.map(|it| &it.identity).filter(|it| {
            names.have(&it.path)
                && it.input == *input
                && !here.is_rotation_of(&it.path)
                && it.head.len > 0
                && it.head.matches(&opened.head)
        });
        alike.map(|it| it.path.as_path()).collect()
    }
}

/// Whether a generation begins with all of the beginning of a file.
fn begins_as(generation: &Generation, opened: &Opened) -> bool {
    let is_empty = opened.head.is_empty();
    is_empty || reader::read_head(&generation.content).is_ok_and(|it| it.starts_with(&opened.head))
}

/// Names of logs, without their folders.
struct Names(Vec<OsString>);

impl Names {
    /// Whether a log has one of them.
    fn have(&self, path: &Path) -> bool {
        let path = path.as_os_str().as_bytes();
        self.0.iter().any(|name| {
            let folder = path.strip_suffix(name.as_bytes());
            folder.is_some_and(|it| it.ends_with(b"/"))
        })
    }
}
