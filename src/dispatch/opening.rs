//! How an output begins with a generation, and how it takes up what an earlier run sealed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::naming::Named;
use super::stream::Stream;
use super::{Dispatcher, Lane, Place, Start};
use crate::batch::parts::Parts;
use crate::batch::{Batch, BatchId, Sealed, StreamId, StreamName};
use crate::journal::Seal;
use crate::record::skew::Skew;
use crate::source::Generation;

impl Dispatcher {
    /// Begins with a generation, feeding the stream of this name. What is sealed already goes out
    /// by itself.
    pub(crate) fn open(
        &mut self,
        generation: &Generation,
        start: Start,
        named: Named,
        now: Instant,
    ) {
        let stream_id = self.stream_of(&Arc::new(named.stream));
        if let Some(stream) = self.streams.get_mut(&stream_id) {
            stream.add(&generation.origin, generation.id);
            stream.last_time = stream.last_time.max(start.last_time);
        }
        let lane = Lane {
            stream: stream_id,
            origin: Arc::clone(&generation.origin),
            metadata: named.metadata,
            varying: named.varying,
            skew: Skew::default(),
            read: start.read,
            learned: start.learned,
            last_time: start.last_time,
            next_time: None,
            spanned: start.read.offset,
            held_until: None,
            rested_at: None,
            done: start.done,
            counted: 0,
            unfinished_at: None,
            is_gone: false,
            is_halted: false,
            batches: 0,
            not_before: None,
        };
        // What it has read of an original lies beyond the end of a copy.
        if start.read.offset <= generation.size {
            generation.note_reached(start.read);
        }
        self.lanes.insert(generation.id, Box::new(lane));
        self.grew(generation, now);
    }

    fn stream_of(&mut self, name: &Arc<StreamName>) -> StreamId {
        *self.by_name.entry(Arc::clone(name)).or_insert_with(|| {
            let id = StreamId(self.next_stream);
            self.next_stream += 1;
            let mut stream = Stream::new(Arc::clone(name));
            stream.last_time = self.ended.remove(name).unwrap_or_default();
            self.streams.insert(id, Box::new(stream));
            id
        })
    }

    /// How long a request may still be carried out that goes out now.
    pub(crate) fn deadline(&self) -> Duration {
        self.plan.deadline
    }

    /// Takes up a batch that an earlier run sealed: it goes out again as it is, before anything
    /// new of its stream. A body for which there is no room in memory is left where it lies, if it
    /// lies in the journal.
    pub(crate) fn restore(
        &mut self,
        id: BatchId,
        seal: &Seal,
        parts: Parts,
        body: Bytes,
        is_in_journal: bool,
    ) -> Batch {
        let place = self.room.place_for(body.len(), is_in_journal);
        self.room.add(body.len(), place);
        let stream_id = self.stream_of(&Arc::new(seal.stream.clone()));
        let mut name = Arc::new(seal.stream.clone());
        if let Some(stream) = self.streams.get_mut(&stream_id) {
            name = Arc::clone(&stream.name);
            stream.last_time = stream.last_time.max(seal.last_time);
            stream.sent(id, seal.spans.clone(), body.len(), place);
        }
        Batch {
            id,
            stream_id,
            stream: name,
            sealed: Sealed {
                body: if place == Place::Away {
                    Bytes::new()
                } else {
                    body
                },
                is_gzip: seal.is_gzip,
                records: seal.records,
                uncompressed: seal.uncompressed,
                replaced: seal.replaced,
                cut: seal.cut,
                first_time: seal.first_time,
                last_time: seal.last_time,
                shares: seal.shares.clone(),
            },
            parts,
            is_replay: true,
            deadline: seal.request_timeout.into(),
        }
    }
}
