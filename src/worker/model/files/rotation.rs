//! What a rotator does, or somebody by hand: renames, copies, links, empties, deletes and compresses
//! the logs.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::super::acts::Act;
use super::super::stage::Stage;
use super::{Content, Files, Lies, Place, stamp};
use crate::source::system::denied;

impl Files {
    /// Gives every rotated name the next number.
    fn shift(&mut self, stage: &Stage, log: usize) {
        for number in (1..=self.rotations(log)).rev() {
            for end in ["", ".gz"] {
                let (from, to) = (
                    self.rotated(log, number, end),
                    self.rotated(log, number + 1, end),
                );
                if let Some(place) = self.places.remove(&from) {
                    fs::rename(stage.path(&from), stage.path(&to)).unwrap();
                    self.places.insert(to, place);
                }
            }
        }
    }

    fn rotated(&self, log: usize, number: usize, end: &str) -> String {
        format!("{}.{number}{end}", self.name(log))
    }

    fn rotations(&self, log: usize) -> usize {
        let is_there = |number: &usize| {
            let mut names = ["", ".gz"]
                .map(|end| self.rotated(log, *number, end))
                .into_iter();
            names.any(|name| self.places.contains_key(&name))
        };
        (1..40).filter(is_there).max().unwrap_or(0)
    }

    pub(in super::super) fn rename(&mut self, stage: &mut Stage, log: usize) {
        let name = self.name(log);
        if !self.places.contains_key(&name) {
            return;
        }
        stage.blink();
        self.shift(stage, log);
        let to = self.rotated(log, 1, "");
        fs::rename(stage.path(&name), stage.path(&to)).unwrap();
        let mut place = self.places.remove(&name).unwrap();
        // Of one that was emptied while nobody looked, nothing tells that it is not history.
        place.was_renamed = place.len > 0 || stage.holds(place.inode);
        self.places.insert(to, place);
    }

    /// Gives a log a rotated name besides its own.
    pub(in super::super) fn link(&mut self, stage: &mut Stage, log: usize) {
        let name = self.name(log);
        let Some(place) = self.places.get(&name).copied() else {
            return;
        };
        stage.blink();
        self.shift(stage, log);
        let to = self.rotated(log, 1, "");
        fs::hard_link(stage.path(&name), stage.path(&to)).unwrap();
        self.places.insert(to, place);
    }

    /// Returns the line or record without its end that now lies in a copy, if there is one.
    pub(in super::super) fn copy(&mut self, stage: &mut Stage, log: usize) -> Option<String> {
        let name = self.name(log);
        let place = *self.places.get(&name)?;
        let content = &mut self.contents[place.content];
        if std::mem::replace(&mut content.is_copied, true) {
            return None;
        }
        // Who can open nothing but the copy has no more of the last record than is in it.
        content.may_be_divided();
        stage.blink();
        self.shift(stage, log);
        let to = self.rotated(log, 1, "");
        fs::copy(stage.path(&name), stage.path(&to)).unwrap();
        let inode = stamp(stage, &File::open(stage.path(&to)).unwrap(), true);
        self.places.insert(to, Place { inode, ..place });
        self.contents[place.content].begun()
    }

    /// Empties a log.
    pub(in super::super) fn truncate(&mut self, stage: &mut Stage, log: usize) {
        let name = self.name(log);
        let Some(old) = self.places.get(&name).copied() else {
            return;
        };
        stage.blink();
        let file = OpenOptions::new()
            .write(true)
            .open(stage.path(&name))
            .unwrap();
        file.set_len(0).unwrap();
        stamp(stage, &file, false);
        let content = self.contents.len();
        for place in self.names_of(old.inode) {
            (place.content, place.len) = (content, 0);
        }
        self.contents.push(Content::of(&name));
    }

    /// Empties a log, and fills it at once further than it was.
    pub(in super::super) fn refill(&mut self, stage: &mut Stage, log: usize) {
        const WIDTH: usize = 900;
        let Some(len) = self.places.get(&self.name(log)).map(|it| it.len) else {
            return;
        };
        self.truncate(stage, log);
        self.begin(stage, log);
        self.add_lines(stage, &self.name(log), len / WIDTH + 1, WIDTH);
    }

    pub(in super::super) fn delete(&mut self, stage: &mut Stage, log: usize) {
        self.unlink(stage, &self.name(log));
    }

    /// What is in the oldest of a log's rotated files.
    pub(in super::super) fn lies_in_oldest(&self, log: usize) -> Option<Lies> {
        let mut names = self.oldest(log).into_iter();
        names.find_map(|name| self.places.get(&name).copied().map(Lies::of))
    }

    pub(in super::super) fn delete_oldest(&mut self, stage: &mut Stage, log: usize) {
        for name in self.oldest(log) {
            self.unlink(stage, &name);
        }
    }

    fn oldest(&self, log: usize) -> [String; 2] {
        let number = self.rotations(log);
        ["", ".gz"].map(|end| self.rotated(log, number, end))
    }

    fn unlink(&mut self, stage: &mut Stage, name: &str) {
        if let Some(place) = self.places.remove(name) {
            stage.blink();
            if self.links(place.inode) == 0 && stage.holds(place.inode) {
                let held = &mut self.contents[place.content].held;
                if held.is_none_or(|it| it.len <= place.len) {
                    *held = Some(Lies::of(place));
                }
            }
            fs::remove_file(stage.path(name)).unwrap();
        }
    }

    fn may_be_compressed(&self, name: &str) -> bool {
        let place = self.places.get(name);
        // Compressors leave alone what has other names.
        place.is_some_and(|it| !it.is_gzip && it.len > 0 && self.links(it.inode) == 1)
    }

    /// Whether a log has a rotated name too.
    pub(in super::super) fn is_linked(&self, log: usize) -> bool {
        let place = self.places.get(&self.name(log));
        place.is_some_and(|it| self.links(it.inode) > 1)
    }

    /// What was copied is emptied and not renamed: who does both leaves it to chance what is found in
    /// the midst of a look.
    pub(in super::super) fn is_doubtful(&self, act: &Act) -> bool {
        let Act::Rename { log } = *act else {
            return false;
        };
        let place = self.places.get(&self.name(log));
        place.is_some_and(|it| self.contents[it.content].is_copied)
    }

    /// How many names a file has.
    fn links(&self, inode: u64) -> usize {
        let places = self.places.values();
        places.filter(|it| it.inode == inode).count()
    }

    /// Compresses one of the rotated files. Returns what lay there.
    pub(in super::super) fn gzip(
        &mut self,
        stage: &mut Stage,
        log: usize,
        which: usize,
        is_slow: bool,
    ) -> Option<Lies> {
        let plain: Vec<_> = (1..=self.rotations(log))
            .map(|number| self.rotated(log, number, ""))
            .filter(|name| self.may_be_compressed(name))
            .collect();
        let name = plain.get(which % plain.len().max(1))?;
        Some(self.compress(stage, name, is_slow))
    }

    /// Compresses a log under its own name, where nothing else was compressed before. Returns what lay
    /// there.
    pub(in super::super) fn gzip_in_place(
        &mut self,
        stage: &mut Stage,
        log: usize,
    ) -> Option<Lies> {
        let name = self.name(log);
        let is_free = !self.places.contains_key(&format!("{name}.gz"));
        (is_free && self.may_be_compressed(&name)).then(|| self.compress(stage, &name, false))
    }

    fn compress(&mut self, stage: &mut Stage, name: &str, is_slow: bool) -> Lies {
        stage.blink();
        let level = flate2::Compression::fast();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), level);
        gzip.write_all(&fs::read(stage.path(name)).unwrap())
            .unwrap();
        let bytes = gzip.finish().unwrap();
        let to = format!("{name}.gz");
        let mut file = File::create(stage.path(&to)).unwrap();
        let inode = stamp(stage, &file, true);
        let (first, second) = bytes.split_at(bytes.len() / 2);
        for half in [first, second] {
            file.write_all(half).unwrap();
            stamp(stage, &file, false);
            if is_slow {
                stage.pass(Duration::from_millis(30));
            }
        }
        // As a compressor does.
        let plain = fs::metadata(stage.path(name)).unwrap();
        file.set_modified(plain.modified().unwrap()).unwrap();
        let place = self.places[name];
        let compressed = Place {
            inode,
            is_gzip: true,
            was_renamed: false,
            ..place
        };
        self.places.insert(to, compressed);
        self.unlink(stage, name);
        Lies::of(place)
    }

    /// A log cannot be opened any more.
    pub(in super::super) fn deny(&self, stage: &Stage, log: usize) {
        let name = self.name(log);
        if let Some(place) = self.places.get(&name) {
            denied::set(place.inode);
            permit(&stage.path(&name), 0o000);
        }
    }

    /// All logs can be opened.
    pub(in super::super) fn allow_all(&self, stage: &Stage) {
        let denied = self.places.iter().filter(|(_, it)| denied::is(it.inode));
        let denied: Vec<_> = denied.collect();
        denied::clear();
        for (name, _) in denied {
            permit(&stage.path(name), 0o644);
        }
    }
}

/// Of this the system tells those who watch.
fn permit(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
