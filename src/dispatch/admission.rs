//! How many streams of an output are fed: a label with ever new values makes no more of them than
//! the destination bears.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// A stream that was not begun with again for this long counts no more: Loki forgets an idle one
/// about as soon.
pub(super) const COUNTED_FOR: Duration = Duration::from_hours(1);

/// Which streams were begun with.
#[derive(Debug)]
pub(crate) struct Streams {
    most: usize,
    /// By the hash of their labels: a collision lets one stream too many be fed.
    begun: HashMap<u64, Instant>,
    /// When somebody was last told that there are too many.
    told: Option<Instant>,
    /// Before this none that was begun counts less.
    full_until: Option<Instant>,
    /// Somebody was told that a batch was full of label sets.
    has_told_many: bool,
}

/// Whether lines go to a stream that they share with others because there are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merged {
    /// It has the stream that the templates give.
    No,
    /// For the first time, or for the first time since long.
    News,
    /// As others before it.
    Again,
}

impl Streams {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most: usize::try_from(most).unwrap_or(usize::MAX),
            begun: HashMap::new(),
            told: None,
            full_until: None,
            has_told_many: false,
        }
    }

    /// Says once that records differ in their labels so much that batches are small.
    pub(super) fn tell_many_labels(&mut self, labels: &str) {
        if !std::mem::replace(&mut self.has_told_many, true) {
            tracing::warn!(
                labels,
                "a batch holds records with as many label sets as it may; each is a request of its own, so delivery is slow. Take the label with so many values out of labels, and put it into structured_metadata; this is said once"
            );
        }
    }

    /// Whether a stream may be fed, or must be merged with others.
    pub(super) fn admit(&mut self, labels: &str, now: Instant) -> Merged {
        let labels = xxhash_rust::xxh3::xxh3_64(labels.as_bytes());
        let is_known = self.begun.contains_key(&labels);
        let may_be_fewer = self.full_until.is_none_or(|until| now >= until);
        if !is_known && self.begun.len() >= self.most && may_be_fewer {
            self.begun
                .retain(|_, begun| now.duration_since(*begun) < COUNTED_FOR);
            let oldest = self.begun.values().min();
            self.full_until = oldest.map(|begun| *begun + COUNTED_FOR);
        }
        if is_known || self.begun.len() < self.most {
            self.begun.insert(labels, now);
            return Merged::No;
        }
        let told = self.told.filter(|it| now.duration_since(*it) < COUNTED_FOR);
        self.told = told.or(Some(now));
        if told.is_none() {
            Merged::News
        } else {
            Merged::Again
        }
    }
}
