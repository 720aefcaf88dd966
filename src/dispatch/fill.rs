//! Moves bytes from a file into a batch: read, cut, give a time, encode. The hot path: nothing
//! is allocated for a line.

use std::io;
use std::time::Instant;

use super::admission::{Merged, Streams};
use super::placing::Placing;
use super::reading::{Reading, Tally, put_own_metadata};
use super::seen::Times;
use super::varying::Varying;
use crate::batch::{Encoder, Push};
use crate::record::cut::{Behind, CONTINUED_MARK, Cut, Learned};
use crate::record::rules::Rules;
use crate::record::skew::Skew;
use crate::record::zone::Zone;
use crate::record::{Time, filter, head};
use crate::source::generation::reader::{CHUNK, Read, Reader};
use crate::source::{Generation, Moment};
use crate::span::Position;

/// For lines before the first timestamp of a file so many lines are looked at.
const LOOK_AHEAD: usize = 64;

/// So much is read at once, in bytes, while files of one stream take turns: what lies beyond a turn
/// is read again in the next, and so far back a gzip is not decoded anew.
const CHUNK_OF_A_TURN: usize = 16 << 10;

/// So many bytes are read at once when no record of them is kept.
const MOST_AT_ONCE: u64 = 8 << 20;

/// So many NULs in the midst of a file are a hole: a page of which nothing was written. Fewer belong to
/// their line.
const HOLE: usize = 4096;

/// Why filling ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The batch takes no more.
    Full,
    /// The next record is of this time, which is later than asked for.
    Later(Time),
    /// It is of this time, which is too late for the batch.
    TooLate(Time),
    /// There is no further complete record. `is_held` says that there is one which may go on.
    Drained { is_held: bool },
    /// The file does not hold the content that the position was taken in.
    OtherContent,
}

/// What was put into the batch.
#[derive(Debug)]
pub(super) struct Filled {
    /// Up to where.
    pub(super) end: Position,
    /// What was learned up to there.
    pub(super) learned: Learned,
    /// Why not further.
    pub(super) ended: Ended,
    /// How many bytes of holes were skipped.
    pub(super) hole: u64,
}

/// What is needed besides the file.
#[derive(Debug)]
pub(super) struct Filler<'a> {
    pub(super) encoder: &'a mut Encoder,
    pub(super) reader: &'a mut Reader,
    pub(super) reading: &'a mut Reading,
    /// Goes with every record.
    pub(super) metadata: &'a [u8],
    /// What of labels and metadata differs by record.
    pub(super) varying: Option<&'a Varying>,
    /// How many streams there may be, where that is counted.
    pub(super) streams: Option<&'a mut Streams>,
    /// Gives each record its time in the stream.
    pub(super) placing: &'a mut Placing,
    /// Whether the lines are read in a wrong zone.
    pub(super) skew: &'a mut Skew,
    /// The time of the last record of the file; moves on.
    pub(super) last_time: &'a mut Time,
    /// Records that are later than this are left.
    pub(super) until: Time,
    /// Where no time is known for a byte.
    pub(super) at: Moment,
}

impl Filler<'_> {
    /// Takes records of `generation` from `from` on, where this was `learned`. `behind` says what
    /// comes at the end of the file.
    pub(super) fn fill(
        &mut self,
        generation: &Generation,
        from: Position,
        learned: Learned,
        behind: Behind,
    ) -> io::Result<Filled> {
        let mut position = from;
        let proofs = (generation.head, generation.known());
        let is_turn = self.until < Time(i64::MAX);
        let usual = if is_turn { CHUNK_OF_A_TURN } else { CHUNK };
        let mut want = usual;
        let mut in_hole = from.offset == 0 || from.is_behind_nuls();
        let mut hole = 0;
        let mut read_in_all = 0;
        self.reading.cutter.begin(learned);
        loop {
            let read = self
                .reader
                .read(&generation.content, position, proofs, want)?;
            let chunk = match read {
                Read::Bytes(chunk) => chunk,
                Read::OtherContent => {
                    return Ok(Filled {
                        end: position,
                        learned: self.reading.cutter.learned(),
                        ended: Ended::OtherContent,
                        hole,
                    });
                }
            };
            let bytes = chunk.bytes();
            // A writer that does not append leaves a hole where the file was emptied under it, and so
            // may power that goes.
            let nuls = hole_len(bytes);
            let begin = if in_hole || nuls >= HOLE { nuls } else { 0 };
            in_hole = begin == bytes.len() && (in_hole || begin > 0);
            hole += begin as u64;
            let text_end = next_hole(bytes, begin);
            let is_last = chunk.is_end && text_end == bytes.len();
            let behind = match (text_end < bytes.len(), chunk.is_end) {
                (true, _) => Behind::Nothing,
                (false, true) => behind,
                (false, false) => Behind::More,
            };
            let bytes = &bytes[..text_end];
            let mut taker = Taker {
                encoder: self.encoder,
                reading: self.reading,
                metadata: self.metadata,
                varying: self.varying.zip(self.streams.as_deref_mut()),
                now: self.at.now,
                placing: self.placing,
                skew: self.skew,
                last_time: self.last_time,
                until: self.until,
                times: Times::new(generation, &chunk, self.at.time),
                bytes,
                known_utf8: match simdutf8::compat::from_utf8(bytes) {
                    Ok(_) => bytes.len(),
                    Err(error) => error.valid_up_to(),
                },
                at: begin,
                tally: Tally::default(),
            };
            let ended = taker.take_records(behind);
            let (at, tally) = (taker.at, taker.tally);
            self.reading.counters.count(&tally);
            position = chunk.position_after(at);
            read_in_all += at as u64;
            if in_hole && let Some(behind) = generation.behind_hole(position) {
                hole += behind.offset - position.offset;
                position = behind;
            }
            // Nothing may have come of all that was read: others have their turn too.
            let is_long = read_in_all >= MOST_AT_ONCE && self.encoder.is_empty();
            let ended = if is_long { Ended::Full } else { ended };
            let is_over = matches!(ended, Ended::Full | Ended::Later(_) | Ended::TooLate(_));
            if is_over || is_last {
                return Ok(Filled {
                    end: position,
                    learned: self.reading.cutter.learned(),
                    ended,
                    hole,
                });
            }
            // A record that is longer than the chunk needs a larger one.
            want = if at == 0 {
                self.reading.cutter.window().max(2 * usual)
            } else {
                usual
            };
        }
    }
}

/// Takes records out of one chunk.
struct Taker<'a> {
    encoder: &'a mut Encoder,
    reading: &'a mut Reading,
    metadata: &'a [u8],
    varying: Option<(&'a Varying, &'a mut Streams)>,
    now: Instant,
    placing: &'a mut Placing,
    skew: &'a mut Skew,
    last_time: &'a mut Time,
    until: Time,
    times: Times<'a>,
    bytes: &'a [u8],
    known_utf8: usize,
    /// Up to here the bytes are taken.
    at: usize,
    tally: Tally,
}

impl Taker<'_> {
    /// Whether lines are taken as they are: by the rules, and since no records of other rules, some
    /// of whose lines are given out already, lie in each other here.
    fn takes_lines(&self) -> bool {
        self.reading.rules.is_plain() && !self.reading.cutter.learned().has_given()
    }

    /// Each line is a record, and nothing is looked for in it but what no log should hold.
    fn take_lines(&mut self, behind: Behind) -> Ended {
        let oldest = self.oldest();
        let Reading {
            framer,
            redactor,
            cutter,
            counters,
            found,
            metadata: own_metadata,
            ..
        } = &mut *self.reading;
        let mut metadata = self.metadata;
        if let Some((varying, streams)) = &mut self.varying {
            own_metadata.clear();
            own_metadata.extend_from_slice(metadata);
            found.take(None, None);
            let (push, _) = varying.apply(found, self.encoder, streams, own_metadata, self.now);
            if push == Push::Full {
                return Ended::Full;
            }
            metadata = own_metadata;
        }
        let is_over = behind == Behind::Nothing;
        redactor.begin();
        while let Some(framed) = framer.next(
            &self.bytes[self.at..],
            self.known_utf8.saturating_sub(self.at),
            is_over,
        ) {
            let seen = self.times.at(self.at).max(*self.last_time);
            let (seen, is_ahead) = self.times.not_ahead(seen);
            if seen > self.until {
                return Ended::Later(seen);
            }
            let wished = seen.max(oldest);
            let given = self.placing.place(wished);
            if given > self.encoder.latest() {
                return Ended::TooLate(seen);
            }
            let end = self.at + framed.line.bytes.len();
            let mut line = framed.line;
            let mut is_in_key = cutter.learned().is_in_key(None);
            let is_looked_at = is_in_key || redactor.may_be_in(self.bytes, self.at..end);
            if is_looked_at {
                line = redactor.pass(&line, &mut is_in_key, framer.max_line());
            }
            if self.encoder.push(given, &line, metadata) == Push::Full {
                return Ended::Full;
            }
            if is_looked_at {
                counters.count_redacted(redactor);
                cutter.note_key(None, is_in_key);
            }
            if let Some(emf) = &mut counters.emf {
                emf.look_at(framed.line.bytes);
            }
            if seen < oldest {
                counters.too_old.inc();
            }
            if is_ahead {
                counters.ahead.inc();
            }
            *self.last_time = seen;
            self.placing.note(wished, given);
            self.at += framed.consumed;
        }
        Ended::Drained { is_held: false }
    }

    /// Lines are joined, timestamps and levels are read, unless they are taken as they are.
    fn take_records(&mut self, behind: Behind) -> Ended {
        self.reading.cutter.rewind();
        self.reading.redactor.begin();
        // The time of the first record that has one, for those before it.
        let mut ahead = None;
        // What the metadata at hand tell; most records are like the one before them.
        let mut told = None;
        let oldest = self.oldest();
        loop {
            if self.takes_lines() {
                return self.take_lines(behind);
            }
            let Reading {
                rules,
                zone,
                cutter,
                redactor,
                counters,
                text,
                metadata,
                framer,
                own: own_metadata,
                captured,
                found: values,
                ..
            } = &mut *self.reading;
            let learned = cutter.learned();
            let rest = &self.bytes[self.at..];
            let known_utf8 = self.known_utf8.saturating_sub(self.at);
            let record = match cutter.next(rest, known_utf8, behind, rules) {
                Cut::Record(record) => record,
                Cut::None { is_held } => match cutter.pass() {
                    0 => return Ended::Drained { is_held },
                    passed => {
                        self.at += passed;
                        continue;
                    }
                },
            };
            let pipe = record.pipe;
            let mut is_in_key = learned.is_in_key(pipe);
            let found = rules.facts_of(&record);
            if !rules.filters.is_empty() {
                let offset = self.times.start + self.at as u64;
                let fields = rules.fields_of(&record, record.line.bytes, captured);
                let let_go =
                    filter::let_go_by(&rules.filters, &record, fields, found.level, offset);
                if let Some(action) = let_go {
                    is_in_key = redactor.ends_in_key(record.line.bytes, is_in_key);
                    counters.count_filtered(action);
                    self.tally.broken += u64::from(record.broken);
                    cutter.note(pipe, found.level, is_in_key);
                    self.at += cutter.take();
                    continue;
                }
            }
            let seen = self.times.at(self.at);
            let own = zone.time_of(record.time, found.stamp, seen, *self.last_time);
            let time = match own {
                Some(time) => time,
                None if learned.is_timed => *self.last_time,
                None => {
                    let ahead = ahead.get_or_insert_with(|| {
                        rules
                            .is_timed
                            .then(|| first_time(rest, rules, zone, seen))
                            .flatten()
                    });
                    ahead
                        .map_or(seen, |time| time.min(seen))
                        .max(*self.last_time)
                }
            };
            let (time, is_ahead) = self.times.not_ahead(time);
            if time > self.until {
                return Ended::Later(time);
            }
            let wished = time.max(oldest);
            let given = self.placing.place(wished);
            if given > self.encoder.latest() {
                return Ended::TooLate(time);
            }
            let mut line = record.line;
            let has_room = line.bytes.len() + CONTINUED_MARK.len() <= framer.max_line();
            if record.is_continued && has_room {
                text.clear();
                text.extend_from_slice(CONTINUED_MARK.as_bytes());
                text.extend_from_slice(line.bytes);
                line.bytes = text;
            }
            let may_be = if record.pipe.is_none() && !record.is_continued {
                redactor.may_be_in(self.bytes, self.at..self.at + line.bytes.len())
            } else {
                redactor.may_be_alone_in(line.bytes)
            };
            let is_looked_at = is_in_key || may_be;
            if is_looked_at {
                line = redactor.pass(&line, &mut is_in_key, framer.max_line());
            }
            let tells = (
                found.level.filter(|_| own_metadata.level),
                record.pipe.filter(|_| own_metadata.stream),
            );
            if told != Some(tells) {
                told = Some(tells);
                metadata.clear();
                metadata.extend_from_slice(self.metadata);
                put_own_metadata(metadata, tells);
            }
            let mut merged = Merged::No;
            if let Some((varying, streams)) = &mut self.varying {
                told = None;
                let fields =
                    (values.wants_fields()).then(|| rules.fields_of(&record, line.bytes, captured));
                values.take(found.level, fields);
                let push;
                (push, merged) = varying.apply(values, self.encoder, streams, metadata, self.now);
                if push == Push::Full {
                    return Ended::Full;
                }
            }
            if self.encoder.push(given, &line, metadata) == Push::Full {
                return Ended::Full;
            }
            counters.count_merged(merged);
            *self.last_time = time;
            self.placing.note(wished, given);
            self.tally.note_level(found.level);
            if record.is_continued {
                counters.continued.inc();
            }
            if let Some(emf) = &mut counters.emf {
                emf.look_at(record.line.bytes);
            }
            if time < oldest {
                counters.too_old.inc();
            } else if own.is_some() && given.nanos_since(time) >= 1_000_000 {
                counters.behind.inc();
            }
            if own.is_none() && rules.reads_times() {
                self.tally.note_untimed(found.stamp.is_some());
            }
            self.tally.broken += u64::from(record.broken);
            if is_ahead {
                counters.ahead.inc();
            }
            if is_looked_at {
                counters.count_redacted(redactor);
            }
            if let Some((stamp, _)) = found.stamp
                && record.time.is_none()
                && !self.skew.is_settled()
                && let Some(seen) = self.times.live_at(self.at)
                && let Some(said) = zone.nearest(stamp, seen)
                && let Some(quarters) = self.skew.note(said, seen)
            {
                counters.tell_wrong_zone(self.times.generation, quarters, zone, seen);
            }
            if own.is_some() {
                cutter.note_timed();
            }
            cutter.note(pipe, found.level, is_in_key);
            self.at += cutter.take();
        }
    }
}

impl Taker<'_> {
    /// Times before this are moved up to it.
    fn oldest(&self) -> Time {
        let age = self.reading.rescued;
        age.map_or(Time(i64::MIN), |age| {
            Time(self.times.now.0.saturating_sub(age))
        })
    }
}

/// The time of the first line that has one, among those that begin the bytes.
fn first_time(bytes: &[u8], rules: &Rules, zone: &mut Zone, seen: Time) -> Option<Time> {
    bytes
        .split(|byte| *byte == b'\n')
        .take(LOOK_AHEAD)
        .find_map(|line| {
            let stamp = head::of(line, rules.timestamp.as_ref())?.stamp?;
            zone.resolve(stamp.0, seen, Time::default())
        })
}

/// How many NUL bytes lead.
fn hole_len(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| **byte == 0).count()
}

/// Where the first hole behind `from` begins, or where the bytes end. No hole lies between two of the
/// bytes that are looked at.
fn next_hole(bytes: &[u8], from: usize) -> usize {
    let mut probe = from;
    while let Some(byte) = bytes.get(probe) {
        if *byte == 0 {
            let begin = bytes[from..probe].iter().rposition(|byte| *byte != 0);
            let begin = begin.map_or(from, |before| from + before + 1);
            let end = probe + hole_len(&bytes[probe..]);
            if end - begin >= HOLE {
                return begin;
            }
            probe = end;
        }
        probe += HOLE;
    }
    bytes.len()
}
