//! Which batches wait for which: those of one stream, and those with bytes of one generation.

use std::collections::BTreeSet;

use super::entry::Seal;
use crate::batch::StreamName;
use crate::span::GenerationId;

/// Streams and generations of one output's batches: what comes behind those in either waits for
/// them.
#[derive(Default)]
pub(super) struct Bound<'a> {
    streams: BTreeSet<&'a StreamName>,
    generations: BTreeSet<GenerationId>,
}

impl<'a> Bound<'a> {
    /// One more batch that is waited for.
    pub(super) fn add(&mut self, seal: &'a Seal) {
        self.streams.insert(&seal.stream);
        self.generations
            .extend(seal.spans.iter().map(|span| span.generation));
    }

    /// Whether a batch waits for these.
    pub(super) fn holds(&self, seal: &Seal) -> bool {
        let mut spans = seal.spans.iter();
        self.streams.contains(&seal.stream)
            || spans.any(|span| self.generations.contains(&span.generation))
    }
}
