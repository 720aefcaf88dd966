//! The destinations: what was handed to them, what they store and what they refuse. Plays the
//! courier of each stream: one request after the other, and none before the agent has noted what
//! followed from the last. An answer that asks to come again later is no act: nothing follows
//! from it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::acts::Outcome;
use super::records;
use crate::batch::opened::Opened;
use crate::batch::parts::{Fate, Parts};
use crate::batch::{Batch, BatchId, StreamId};
use crate::dead_letters::{Letter, Written};
use crate::deliver::{Acknowledgement, Refused, Report};
use crate::journal::State;
use crate::record::Time;

mod given_up;

/// One destination.
#[derive(Debug, Default)]
pub(super) struct Backend {
    /// What this run of the agent handed over and is not done with.
    waiting: BTreeMap<StreamId, Queue>,
    /// Every batch that was ever handed over.
    handed: HashMap<BatchId, Handed>,
    /// The lines that are in batches, each as often as it is there.
    pub(super) sealed: HashMap<String, usize>,
    /// Lines that were dealt with in batches that were given up since: they come again.
    pub(super) come_again: HashMap<String, usize>,
    /// Lines that were in batches which were given up before they were stored.
    pub(super) taken_back: HashSet<String>,
    /// Refused records go to the dead letters although nothing of their stream is taken.
    pub(super) writes_all: bool,
    /// Batches that the agent is to know of.
    unheard: BTreeSet<BatchId>,
    /// Those of them of which it was told that they are done.
    told: BTreeSet<BatchId>,
    given_up: HashSet<BatchId>,
    store: Store,
}

/// What a destination holds.
#[derive(Debug, Default)]
struct Store {
    /// In the order of its arrival.
    records: Vec<Stored>,
    known: HashSet<(BatchId, u32)>,
}

/// A stored record.
#[derive(Debug)]
pub(super) struct Stored {
    batch: BatchId,
    pub(super) stream: String,
    pub(super) time: i64,
    pub(super) line: String,
}

/// A batch that was handed over.
#[derive(Debug)]
struct Handed {
    body: Bytes,
    records: Records,
}

/// The times and the lines of a batch.
type Records = Rc<[(Time, String)]>;

/// The batches of one stream, in their order.
#[derive(Debug, Default)]
struct Queue {
    batches: VecDeque<Carried>,
    /// It took a record: what is refused alone is bad.
    is_proven: bool,
}

/// A batch on its way.
#[derive(Debug)]
struct Carried {
    batch: Batch,
    records: Records,
    parts: Parts,
    /// Records that were refused alone.
    suspects: BTreeSet<u32>,
    /// Records that an answer named.
    named: BTreeSet<u32>,
    is_stuck: bool,
    asked: Option<Asked>,
}

/// What the agent was told and must note before anything more is sent.
#[derive(Debug)]
enum Asked {
    Cut(oneshot::Receiver<()>),
    Bury(u32, oneshot::Receiver<Written>),
}

/// Whether the output of this index refuses a line.
pub(super) fn refuses(output: usize, line: &str) -> bool {
    let mask = line.split_once(" bad ").map(|(_, mask)| mask.parse::<u8>());
    mask.is_some_and(|mask| (mask.unwrap() >> output) & 1 == 1)
}

impl Backend {
    /// What is stored, in the order of its arrival.
    pub(super) fn stored(&self) -> &[Stored] {
        &self.store.records
    }

    /// The same without what comes again.
    pub(super) fn stored_for_good(&self) -> impl Iterator<Item = &Stored> {
        let stored = self.store.records.iter();
        stored.filter(|it| !self.given_up.contains(&it.batch))
    }

    /// The agent hands over a batch.
    pub(super) fn take(&mut self, batch: Batch) {
        let body = &batch.sealed.body;
        let handed = self.handed.entry(batch.id);
        let is_known = matches!(handed, Entry::Occupied(_));
        let handed = handed.or_insert_with(|| Handed {
            body: body.clone(),
            records: opened(&batch),
        });
        assert_eq!(handed.body, body, "a sealed batch has changed");
        assert_eq!(is_known, batch.is_replay, "only what was sent is replayed");
        if !is_known {
            for (_, line) in &*handed.records {
                *self.sealed.entry(line.clone()).or_default() += 1;
            }
        }
        self.unheard.insert(batch.id);
        let carried = Carried::new(batch, Rc::clone(&handed.records));
        let queue = self.waiting.entry(carried.batch.stream_id).or_default();
        queue.batches.push_back(carried);
    }

    /// The agent ends, and with it what it was told.
    pub(super) fn forget_waiting(&mut self) {
        self.waiting.clear();
    }

    /// Another agent begins, which knows what is in the journal.
    pub(super) fn begin(&mut self, state: &State) {
        self.forget_waiting();
        self.told.clear();
        let handed = self.handed.keys().copied();
        self.unheard = handed.filter(|id| state.seal_of(*id).is_some()).collect();
    }

    /// The streams with something on its way.
    pub(super) fn streams(&self) -> Vec<StreamId> {
        self.waiting.keys().copied().collect()
    }

    /// The next request of a stream gets its answer. Returns what the agent is told of it; nothing
    /// when there is no request. The output has a number here and one of the agent's.
    pub(super) fn answer(
        &mut self,
        (output, index): (usize, usize),
        stream: StreamId,
        outcome: Outcome,
    ) -> Option<Vec<Report>> {
        let queue = self.waiting.get_mut(&stream)?;
        if !queue.has_heard() {
            return None;
        }
        let name = |batch| Acknowledgement {
            output: index,
            stream,
            batch,
        };
        let mut reports = if let Some((place, record)) = queue.condemned(self.writes_all) {
            vec![queue.batches[place].condemn(record)]
        } else if let Some((place, part)) = queue.next_part() {
            queue.request(output, place, &part, outcome, &mut self.store)
        } else {
            let stuck = queue.newly_stuck().into_iter();
            let told: Vec<_> = stuck.map(|id| Report::Stuck(name(id))).collect();
            if told.is_empty() {
                return None;
            }
            told
        };
        for id in queue.done() {
            self.told.insert(id);
            reports.push(Report::Done(name(id)));
        }
        if queue.batches.is_empty() {
            self.waiting.remove(&stream);
        }
        Some(reports)
    }
}

impl Store {
    /// What is there already is a replay, and stays as it is.
    fn put(&mut self, carried: &Carried, numbers: impl Iterator<Item = u32>) {
        for number in numbers {
            if self.known.insert((carried.batch.id, number)) {
                let (time, line) = carried.record(number).clone();
                self.records.push(Stored {
                    batch: carried.batch.id,
                    stream: carried.batch.stream.to_string(),
                    time: time.0,
                    line,
                });
            }
        }
    }
}

impl Queue {
    /// Whether the agent has noted all that it was told.
    fn has_heard(&mut self) -> bool {
        self.batches.iter_mut().all(Carried::has_heard)
    }

    /// The next record that goes to the dead letters.
    fn condemned(&self, writes_all: bool) -> Option<(usize, u32)> {
        let condemns = self.is_proven || writes_all;
        (0..).zip(&self.batches).find_map(|(place, carried)| {
            let suspects = carried.suspects.iter().filter(|_| condemns);
            let record = carried.named.iter().chain(suspects).next()?;
            Some((place, *record))
        })
    }

    /// What goes out next.
    fn next_part(&self) -> Option<(usize, Range<u32>)> {
        (0..).zip(&self.batches).find_map(|(place, carried)| {
            let owed = carried.parts.owed(carried.batch.sealed.records);
            let mut owed = owed.into_iter();
            let part = owed.find(|part| !carried.suspects.contains(&part.start))?;
            Some((place, part))
        })
    }

    /// A part of a batch goes out. Returns what is told of it.
    fn request(
        &mut self,
        output: usize,
        place: usize,
        part: &Range<u32>,
        outcome: Outcome,
        store: &mut Store,
    ) -> Vec<Report> {
        let carried = &mut self.batches[place];
        let is_bad = |record: &u32| refuses(output, &carried.record(*record).1);
        let (bad, good): (Vec<_>, Vec<_>) = part.clone().partition(is_bad);
        let is_alone = part.len() == 1;
        let is_too_large = outcome == Outcome::TooLarge && !is_alone;
        let is_taken = !is_too_large && (bad.is_empty() || outcome == Outcome::Partial);
        if is_taken {
            store.put(carried, good.iter().copied());
        }
        if outcome == Outcome::Open {
            return Vec::new();
        }
        if is_taken {
            self.is_proven |= !good.is_empty();
            return carried.taken_but(part, bad);
        }
        if is_alone {
            carried.suspects.insert(part.start);
            return Vec::new();
        }
        vec![carried.cut(part)]
    }

    /// Batches of which nothing more goes out by itself.
    fn newly_stuck(&mut self) -> Vec<BatchId> {
        let stuck = self.batches.iter_mut().filter(|it| !it.is_stuck);
        let stuck = stuck.map(|it| {
            it.is_stuck = true;
            it.batch.id
        });
        stuck.collect()
    }

    /// Takes out the batches that are settled.
    fn done(&mut self) -> Vec<BatchId> {
        let is_done = |it: &Carried| it.parts.owed(it.batch.sealed.records).is_empty();
        let done = self.batches.iter().filter(|it| is_done(it));
        let done = done.map(|it| it.batch.id).collect();
        self.batches.retain(|it| !is_done(it));
        done
    }
}

impl Carried {
    fn new(batch: Batch, records: Records) -> Self {
        Self {
            parts: batch.parts.clone(),
            batch,
            records,
            suspects: BTreeSet::new(),
            named: BTreeSet::new(),
            is_stuck: false,
            asked: None,
        }
    }

    fn record(&self, number: u32) -> &(Time, String) {
        &self.records[usize::try_from(number).unwrap()]
    }

    fn has_heard(&mut self) -> bool {
        match self.asked.take() {
            None => return true,
            Some(Asked::Cut(mut noted)) => match noted.try_recv() {
                Ok(()) => return true,
                Err(TryRecvError::Empty) => self.asked = Some(Asked::Cut(noted)),
                Err(TryRecvError::Closed) => panic!("a cut was not noted"),
            },
            Some(Asked::Bury(record, mut written)) => match written.try_recv() {
                Ok(written) => {
                    assert_eq!(written.done, 1, "{written:?}");
                    self.suspects.remove(&record);
                    self.named.remove(&record);
                    self.parts.settle(record..record + 1, Fate::Refused);
                    return true;
                }
                Err(TryRecvError::Empty) => self.asked = Some(Asked::Bury(record, written)),
                Err(TryRecvError::Closed) => panic!("a dead letter was not written"),
            },
        }
        false
    }

    /// Divides a part that is refused as it is.
    fn cut(&mut self, part: &Range<u32>) -> Report {
        let middle = part.start + (part.end - part.start) / 2;
        self.parts.cut(middle);
        let (noted, is_noted) = oneshot::channel();
        self.asked = Some(Asked::Cut(is_noted));
        Report::Cut {
            batch: self.batch.id,
            at: vec![middle],
            noted,
        }
    }

    /// A part is stored but for some of its records. Returns what is told of it.
    fn taken_but(&mut self, part: &Range<u32>, bad: Vec<u32>) -> Vec<Report> {
        let mut reports = Vec::new();
        // Of one that is taken as it is, its end is all that is told.
        let is_told = *part != (0..self.batch.sealed.records) || !bad.is_empty();
        let mut from = part.start;
        for &end in bad.iter().chain([&part.end]) {
            if from < end {
                self.parts.settle(from..end, Fate::Delivered);
                reports.extend(is_told.then_some(Report::Delivered {
                    batch: self.batch.id,
                    records: from..end,
                }));
            }
            from = end + 1;
        }
        self.named.extend(bad);
        reports
    }

    /// A record goes to the dead letters.
    fn condemn(&mut self, record: u32) -> Report {
        let (time, text) = self.record(record).clone();
        let letter = Letter {
            record,
            time,
            text,
            metadata: Vec::new(),
        };
        let (written, is_written) = oneshot::channel();
        self.asked = Some(Asked::Bury(record, is_written));
        Report::Refused(Refused {
            batch: self.batch.id,
            is_replay: self.batch.is_replay,
            stream: self.batch.stream.to_string(),
            reason: "refused",
            answer: "it is bad".to_owned(),
            may_be_stored: false,
            letters: vec![letter],
            written,
        })
    }
}

fn opened(batch: &Batch) -> Records {
    let opened = Opened::of(&batch.sealed, &batch.stream).unwrap();
    let all = opened.records();
    all.map(|it| (it.time, records::as_written(&it.text)))
        .collect()
}
