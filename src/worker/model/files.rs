//! The application's side: writes its logs, and remembers which bytes lie where.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant, SystemTime};

use super::records::{self, Divided};
use super::stage::Stage;
use crate::source::system::births;

mod alike;
mod rotation;

/// All that was ever written.
#[derive(Debug)]
pub(super) struct Files {
    /// What every content begins with.
    banner: Vec<String>,
    own_lines: usize,
    /// One life of a log's content after the other.
    pub(super) contents: Vec<Content>,
    /// What lies at which name.
    places: BTreeMap<String, Place>,
    day: u32,
    pub(super) divided: Divided,
}

/// One life of a log's content.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// The log that it was written to.
    log: String,
    len: usize,
    /// The records, most of one line, each with where it ends.
    pub(super) lines: Vec<(String, usize)>,
    /// The line without an end.
    partial: Option<String>,
    /// The last record lacks its last line: since when.
    lacking: Option<Instant>,
    /// The longest of its files that have no name any more, and that the agent held when they lost
    /// the last one.
    held: Option<Lies>,
    /// The agent has opened it.
    is_seen: bool,
    /// A rotator has copied it: it will be emptied, not copied again.
    is_copied: bool,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    content: usize,
    /// So much of the content lies here.
    len: usize,
    inode: u64,
    is_gzip: bool,
    /// Its writer may still have it open.
    was_renamed: bool,
}

/// What lies in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lies {
    pub(super) content: usize,
    pub(super) inode: u64,
    pub(super) len: usize,
}

impl Lies {
    fn of(place: Place) -> Self {
        Self {
            content: place.content,
            inode: place.inode,
            len: place.len,
        }
    }

    /// Whether a line is of this content alone.
    pub(super) fn is_of(self, line: &str) -> bool {
        line.starts_with(&own_begin(self.content))
    }
}

/// How the lines of a content begin that are its own.
pub(super) fn own_begin(content: usize) -> String {
    format!("c{content} ")
}

/// Bytes of padding in lines of a content's own, so that twelve of them are more than proves it.
const OWN_WIDTH: usize = 400;

impl Content {
    fn of(log: &str) -> Self {
        Self {
            log: log.to_owned(),
            ..Self::default()
        }
    }

    /// Whether neither its last line nor its last record lacks anything.
    fn is_whole(&self) -> bool {
        self.partial.is_none() && self.lacking.is_none()
    }

    /// What its last record lacks may come when nobody waits for it any more.
    fn may_be_divided(&mut self) {
        let before = |since: Instant| since.checked_sub(records::WAIT).unwrap_or(since);
        self.lacking = self.lacking.map(before);
    }

    /// How many bytes its line without an end has.
    pub(super) fn begun_len(&self) -> u64 {
        self.partial.as_ref().map_or(0, |it| it.len() as u64)
    }

    /// What its last line or record is so far, if that lacks anything.
    fn begun(&self) -> Option<String> {
        let lacking = || self.lacking.and(self.lines.last());
        let lacking = || lacking().map(|(text, _)| text.clone());
        self.partial.clone().or_else(lacking)
    }
}

impl Files {
    pub(super) fn new(banner_lines: usize, own_lines: usize) -> Self {
        let line = |number| format!("# {number:03} {:=<120}", "");
        Self {
            banner: (0..banner_lines).map(line).collect(),
            own_lines,
            contents: Vec::new(),
            places: BTreeMap::new(),
            day: 1,
            divided: Divided::default(),
        }
    }

    fn name(&self, log: usize) -> String {
        match log {
            0 => "app.log".to_owned(),
            _ => format!("report_202611{:02}.log", self.day),
        }
    }

    /// The log of the next day has another name.
    pub(super) fn new_day(&mut self) {
        self.day += 1;
    }

    pub(super) fn append(&mut self, stage: &mut Stage, log: usize, lines: usize, width: usize) {
        let is_new = self.begin(stage, log);
        // Some begin with their banner alone.
        let lines = if is_new && lines.is_multiple_of(3) {
            0
        } else {
            lines
        };
        self.add_lines(stage, &self.name(log), lines, width);
    }

    pub(super) fn append_same(&mut self, stage: &mut Stage, log: usize, lines: usize) {
        self.begin(stage, log);
        let texts = vec![stage.same_line().to_owned(); lines];
        self.add(stage, &self.name(log), texts);
    }

    /// Lines that some outputs refuse.
    pub(super) fn append_bad(&mut self, stage: &mut Stage, log: usize, lines: usize, mask: u8) {
        self.begin(stage, log);
        let name = self.name(log);
        let place = self.places[&name];
        let from = self.contents[place.content].lines.len();
        let text = |number: usize| format!("c{} {number:04} bad {mask}", place.content);
        self.add(stage, &name, (from..from + lines).map(text).collect());
    }

    /// A record of several lines.
    pub(super) fn append_trace(
        &mut self,
        stage: &mut Stage,
        log: usize,
        lines: usize,
        is_whole: bool,
    ) {
        self.begin(stage, log);
        let name = self.name(log);
        let id = self.places[&name].content;
        let number = self.contents[id].lines.len();
        let text = records::trace_begun(id, number, lines);
        if !stage.has_records() {
            let lines = text.lines().map(str::to_owned).collect();
            return self.add(stage, &name, lines);
        }
        self.add(stage, &name, vec![text]);
        self.contents[id].lacking = Some(stage.now());
        if is_whole {
            self.finish(stage, &name);
        }
    }

    pub(super) fn append_part(&mut self, stage: &mut Stage, log: usize) {
        self.begin(stage, log);
        let name = self.name(log);
        let id = self.places[&name].content;
        let content = &mut self.contents[id];
        let text = format!("c{id} {:04} begun", content.lines.len());
        content.partial = Some(text.clone());
        self.write(stage, &name, &text);
    }

    /// The writer of a renamed file has not been told yet.
    pub(super) fn append_to_rotated(&mut self, stage: &mut Stage, log: usize) {
        let name = format!("{}.1", self.name(log));
        let place = self.places.get(&name).copied();
        if let Some(place) = place.filter(|it| it.was_renamed)
            && self.contents[place.content].is_whole()
        {
            self.add_lines(stage, &name, 2, 10);
        }
    }

    /// Makes the log if it is not there, or finishes its last line. Returns whether it is new.
    fn begin(&mut self, stage: &mut Stage, log: usize) -> bool {
        let name = self.name(log);
        let is_empty = self.places.get(&name).is_none_or(|it| it.len == 0);
        if is_empty {
            self.add(stage, &name, self.banner.clone());
            self.add_lines(stage, &name, self.own_lines, OWN_WIDTH);
        }
        self.finish(stage, &name);
        is_empty
    }

    /// What is in a log.
    pub(super) fn lies_in(&self, log: usize) -> Option<Lies> {
        self.places.get(&self.name(log)).copied().map(Lies::of)
    }

    /// Writes the rest of a line or of a record that was begun.
    fn finish(&mut self, stage: &mut Stage, name: &str) {
        let Some(place) = self.places.get(name) else {
            return;
        };
        let id = place.content;
        if let Some(since) = self.contents[id].lacking.take() {
            let number = self.contents[id].lines.len() - 1;
            let rest = records::trace_end(id, number);
            self.write(stage, name, &format!("{rest}\n"));
            let content = &mut self.contents[id];
            let (first, _) = std::mem::take(&mut content.lines[number]);
            let parts = [first, rest];
            content.lines[number] = (parts.join("\n"), content.len);
            if stage.now() - since >= records::WAIT {
                self.divided.note(parts);
            }
        }
        if let Some(text) = self.contents[id].partial.take() {
            let rest = " and done";
            self.write(stage, name, &format!("{rest}\n"));
            let content = &mut self.contents[id];
            content.lines.push((format!("{text}{rest}"), content.len));
            if content.is_copied {
                // Who can open nothing but the copy takes the line for over there.
                self.divided.note_line([text, rest.to_owned()]);
            }
        }
    }

    /// Every log has its last line and its last record ended.
    pub(super) fn finish_all(&mut self, stage: &mut Stage) {
        for log in 0..2 {
            self.finish(stage, &self.name(log));
        }
    }

    fn add_lines(&mut self, stage: &mut Stage, name: &str, count: usize, width: usize) {
        let (id, from) = match self.places.get(name) {
            Some(place) => (place.content, self.contents[place.content].lines.len()),
            None => (self.contents.len(), 0),
        };
        let has_records = stage.has_records();
        let text = |number: usize| {
            let goes_on = has_records && number.is_multiple_of(4);
            let more = if goes_on { "\n  and more of it" } else { "" };
            format!("c{id} {number:04} {:x<width$}{more}", "")
        };
        self.add(stage, name, (from..from + count).map(text).collect());
    }

    fn add(&mut self, stage: &mut Stage, name: &str, lines: Vec<String>) {
        let text: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
        self.write(stage, name, &text);
        let content = &mut self.contents[self.places[name].content];
        let mut end = content.len - text.len();
        for line in lines {
            end += line.len() + 1;
            content.lines.push((line, end));
        }
    }

    fn write(&mut self, stage: &mut Stage, name: &str, text: &str) {
        stage.blink();
        let path = stage.path(name);
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let inode = stamp(stage, &file, !self.places.contains_key(name));
        let contents = &mut self.contents;
        let place = self.places.entry(name.to_owned()).or_insert_with(|| {
            contents.push(Content::of(name));
            Place {
                content: contents.len() - 1,
                len: 0,
                inode,
                is_gzip: false,
                was_renamed: false,
            }
        });
        let content = &mut contents[place.content];
        content.len += text.len();
        let len = content.len;
        for place in self.names_of(inode) {
            place.len = len;
        }
    }

    /// What lies at the names of a file.
    fn names_of(&mut self, inode: u64) -> impl Iterator<Item = &mut Place> {
        let places = self.places.values_mut();
        places.filter(move |it| it.inode == inode)
    }

    /// Whether the agent has opened what is in a log. Of a copy and an original that were never
    /// seen nobody could say which is which once both have other names.
    pub(super) fn is_seen(&self, log: usize) -> bool {
        let place = self.places.get(&self.name(log));
        place.is_some_and(|it| self.contents[it.content].is_seen)
    }

    /// Notes what the agent has opened by now.
    pub(super) fn note_seen(&mut self, stage: &Stage) {
        for place in self.places.values() {
            let content = &mut self.contents[place.content];
            content.is_seen |= place.len > 0 && stage.has_seen(place.inode);
        }
    }

    /// What is written from now on is written at nobody knows which moment of what the agent does.
    pub(super) fn lose_time(&mut self) {
        self.contents.iter_mut().for_each(Content::may_be_divided);
    }

    /// What the agent held is closed.
    pub(super) fn let_go(&mut self) {
        for content in &mut self.contents {
            content.held = None;
        }
    }

    /// The contents of which not every byte can be reached any more, with what of each can. A file
    /// without a name is within reach if it is held, and `is_open` says so.
    pub(super) fn out_of_reach(&self, is_open: impl Fn(u64) -> bool) -> Vec<(usize, usize)> {
        let held = self.contents.iter().map(|it| it.held);
        let held = held.map(|it| it.filter(|it| is_open(it.inode)));
        let mut reach: Vec<_> = held.map(|it| it.map_or(0, |it| it.len)).collect();
        for place in self.places.values() {
            reach[place.content] = reach[place.content].max(place.len);
        }
        (0..)
            .zip(reach)
            .filter(|(id, reach)| *reach < self.contents[*id].len)
            .collect()
    }

    /// The contents of which something is in a file, each with that. Not in a compressed one, which
    /// may be taken for another.
    pub(super) fn of_contents(&self) -> impl Iterator<Item = (usize, u64)> {
        let places = self.places.values().filter(|it| !it.is_gzip);
        let places = places.map(|it| (it.content, it.inode));
        let held = (0..).zip(&self.contents);
        places.chain(held.filter_map(|(id, it)| Some((id, it.held?.inode))))
    }

    /// The contents that lie at no log's own name.
    pub(super) fn not_at_home(&self) -> impl Iterator<Item = usize> {
        let places = self.places.iter();
        let at_home = places.filter(|(name, _)| name.rsplit('.').next() == Some("log"));
        let at_home: BTreeSet<_> = at_home.map(|(_, place)| place.content).collect();
        (0..self.contents.len()).filter(move |id| !at_home.contains(id))
    }

    /// What is in a log that no other file ever held. Nothing where a line or a record lacks its end.
    pub(super) fn lies_alone_in(&self, log: usize) -> Option<Lies> {
        self.lies_in(log).filter(|it| {
            let content = &self.contents[it.content];
            content.is_whole() && !content.is_copied
        })
    }

    /// The lines without an end that nobody will finish.
    pub(super) fn last_words(&self) -> BTreeSet<&String> {
        self.contents
            .iter()
            .filter_map(|it| it.partial.as_ref())
            .collect()
    }

    /// Whether no file is there.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What lies where, for the one who reads of a failure.
    pub(super) fn told(&self) -> String {
        let places = self.places.iter();
        let places: Vec<_> = places
            .map(|(name, it)| format!("{name}: {} bytes of c{}", it.len, it.content))
            .collect();
        places.join("\n")
    }
}

/// Notes when a file was written, and when it is new, made. Returns its inode.
pub(super) fn stamp(stage: &Stage, file: &File, is_new: bool) -> u64 {
    let time = stage.time();
    let since_epoch = Duration::from_nanos(u64::try_from(time.0).unwrap());
    file.set_modified(SystemTime::UNIX_EPOCH + since_epoch)
        .unwrap();
    let inode = file.metadata().unwrap().ino();
    if is_new {
        births::set(inode, time);
    }
    inode
}
