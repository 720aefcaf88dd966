//! One stream of an output: which generations feed it, in which order, and which batches of it
//! are on their way. Only bookkeeping. There can be thousands, most of them with one file and
//! nothing to do: lists have room for what is in them, and none while they are empty.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::room::Place;
use crate::batch::{BatchId, StreamName};
use crate::record::Time;
use crate::span::{GenerationId, Span};

/// So many batches of a stream are on their way at most: one is sent while the next is made.
const MAX_IN_FLIGHT: usize = 2;
/// So many more may be on their way as wait for another record of the stream to be taken.
const MAX_STUCK: usize = 16;

/// What waits for less is of about the same time.
const LONG: Duration = Duration::from_mins(5);

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// What it is called at the destination.
    pub(super) name: Arc<StreamName>,
    /// The time of the last record given to it.
    pub(super) last_time: Time,
    /// How far one file is read ahead of the others where they are read in the order of their times,
    /// in nanoseconds.
    pub(super) ahead: i64,
    /// Whether more may wait than what was written just now.
    pub(super) is_behind: bool,
    /// What feeds it, by path: mostly one.
    feeds: Vec<Feed>,
    /// Paths with something to read, in turn.
    ready: VecDeque<Arc<Path>>,
    /// Bytes seen in the files and not yet read.
    pub(super) pending: u64,
    /// Since when there are some.
    pub(super) pending_since: Option<Instant>,
    /// When the next batch is to be made, as noted in the output's schedule.
    pub(super) due: Option<Instant>,
    in_flight: Vec<InFlight>,
}

/// The generations of one path, oldest first: a younger one waits for the older.
#[derive(Debug)]
struct Feed {
    origin: Arc<Path>,
    generations: VecDeque<GenerationId>,
    /// Whether it waits for its turn.
    is_ready: bool,
}

/// A batch on its way.
#[derive(Debug)]
pub(super) struct InFlight {
    id: BatchId,
    pub(super) spans: Vec<Span>,
    pub(super) body_len: usize,
    pub(super) place: Place,
    is_stuck: bool,
}

impl Stream {
    pub(super) fn new(name: Arc<StreamName>) -> Self {
        Self {
            name,
            last_time: Time::default(),
            ahead: 0,
            is_behind: true,
            feeds: Vec::new(),
            ready: VecDeque::new(),
            pending: 0,
            pending_since: None,
            due: None,
            in_flight: Vec::new(),
        }
    }

    /// Where the feed of a path is, or would be. By bytes: part by part, as paths are compared
    /// else, is most of what a file among thousands costs.
    fn find(&self, origin: &Path) -> Result<usize, usize> {
        let origin = origin.as_os_str();
        self.feeds
            .binary_search_by(|it| it.origin.as_os_str().cmp(origin))
    }

    /// Whether what waits may be of so long that it takes several batches, however little it is: the
    /// files are to be read in the order of their times then.
    pub(super) fn may_be_of_long(&self, now: Instant) -> bool {
        let since = self.pending_since;
        self.is_behind || since.is_some_and(|it| now.duration_since(it) > LONG)
    }

    /// Adds a generation; numbers grow with age, so the order is kept by them.
    pub(super) fn add(&mut self, origin: &Arc<Path>, id: GenerationId) {
        self.is_behind = true;
        let place = self.find(origin).unwrap_or_else(|place| {
            let feed = Feed {
                origin: Arc::clone(origin),
                generations: VecDeque::with_capacity(1),
                is_ready: false,
            };
            if self.feeds.is_empty() {
                self.feeds.reserve_exact(1);
            }
            self.feeds.insert(place, feed);
            place
        });
        let queue = &mut self.feeds[place].generations;
        let at = queue.partition_point(|&other| other < id);
        queue.insert(at, id);
    }

    /// Takes a generation out.
    pub(super) fn remove(&mut self, origin: &Arc<Path>, id: GenerationId) {
        if let Ok(place) = self.find(origin) {
            let queue = &mut self.feeds[place].generations;
            queue.retain(|&other| other != id);
            if queue.is_empty() {
                self.feeds.remove(place);
                self.ready.retain(|path| path != origin);
            }
        }
    }

    /// Whether no generation feeds it and nothing is on its way.
    pub(super) fn is_unused(&self) -> bool {
        self.feeds.is_empty() && self.in_flight.is_empty()
    }

    /// Puts a path at the end of the turn, unless it waits already or is none of the stream's.
    pub(super) fn make_ready(&mut self, origin: &Arc<Path>) {
        if let Ok(place) = self.find(origin)
            && !std::mem::replace(&mut self.feeds[place].is_ready, true)
        {
            if self.ready.is_empty() {
                self.ready.reserve_exact(1);
            }
            self.ready.push_back(Arc::clone(origin));
        }
    }

    /// The paths that wait for their turn: they wait no longer.
    pub(super) fn take_ready(&mut self) -> Vec<Arc<Path>> {
        let ready = std::mem::take(&mut self.ready);
        for origin in &ready {
            if let Ok(place) = self.find(origin) {
                self.feeds[place].is_ready = false;
            }
        }
        ready.into()
    }

    /// Whether a path waits for its turn.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The generations of a path, oldest first.
    pub(super) fn generations_of(&self, origin: &Arc<Path>) -> Vec<GenerationId> {
        self.find(origin)
            .map(|place| self.feeds[place].generations.iter().copied().collect())
            .unwrap_or_default()
    }

    /// How many batches are on their way.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether bytes of this generation are on their way.
    pub(super) fn is_in_flight(&self, id: GenerationId) -> bool {
        self.in_flight
            .iter()
            .any(|it| it.spans.iter().any(|span| span.generation == id))
    }

    /// Notes a batch that was handed over.
    pub(super) fn sent(&mut self, id: BatchId, spans: Vec<Span>, body_len: usize, place: Place) {
        self.in_flight.reserve_exact(1);
        self.in_flight.push(InFlight {
            id,
            spans,
            body_len,
            place,
            is_stuck: false,
        });
    }

    /// Notes that what is left of a batch waits for others.
    pub(super) fn note_stuck(&mut self, id: BatchId) {
        if let Some(batch) = self.on_its_way(id) {
            batch.is_stuck = true;
        }
    }

    /// A batch on its way.
    pub(super) fn on_its_way(&mut self, id: BatchId) -> Option<&mut InFlight> {
        self.in_flight.iter_mut().find(|batch| batch.id == id)
    }

    /// Whether one more batch may be on its way.
    pub(super) fn has_room(&self) -> bool {
        let stuck = self.in_flight.iter().filter(|batch| batch.is_stuck).count();
        self.in_flight.len() < MAX_IN_FLIGHT + stuck.min(MAX_STUCK)
    }

    /// Notes a delivered batch.
    pub(super) fn delivered(&mut self, id: BatchId) -> Option<InFlight> {
        let at = self.in_flight.iter().position(|batch| batch.id == id)?;
        let batch = self.in_flight.remove(at);
        if self.in_flight.is_empty() {
            self.in_flight = Vec::new();
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Stream {
        Stream::new(Arc::new(StreamName::Loki {
            labels: "{}".into(),
        }))
    }

    #[test]
    fn paths_take_turns_and_generations_keep_their_order() {
        let mut stream = stream();
        let (a, b): (Arc<Path>, Arc<Path>) = (Path::new("/a").into(), Path::new("/b").into());
        stream.add(&a, GenerationId(5));
        stream.add(&b, GenerationId(2));
        stream.add(&a, GenerationId(3));
        assert_eq!(
            stream.generations_of(&a),
            [GenerationId(3), GenerationId(5)]
        );
        stream.make_ready(&a);
        stream.make_ready(&b);
        stream.make_ready(&a);
        assert_eq!(stream.take_ready(), [Arc::clone(&a), Arc::clone(&b)]);
        assert!(!stream.has_ready());
        stream.make_ready(&b);
        assert_eq!(stream.take_ready(), [b]);
        stream.remove(&a, GenerationId(3));
        stream.remove(&a, GenerationId(5));
        assert!(!stream.is_unused());
    }
}
