//! What was lost: counted by reason, told in the log, and remembered for `pinnace status`. Only
//! notes; decides nothing.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use crate::observe::metrics::{Metrics, Reason};
use crate::observe::snapshot::utc;
use crate::record::Time;

/// So many of the last losses are remembered in words; the counters know all.
const REMEMBERED: usize = 20;

/// Where losses are noted.
#[derive(Debug)]
pub(super) struct Losses {
    metrics: Arc<Metrics>,
    last: VecDeque<String>,
}

impl Losses {
    /// None yet.
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            last: VecDeque::new(),
        }
    }

    /// Bytes of a file can no longer be delivered; `why` says how that came, and what would have
    /// prevented it.
    pub(super) fn note(
        &mut self,
        reason: &'static str,
        path: &Path,
        bytes: u64,
        why: &str,
        at: Time,
    ) {
        let counter = self.metrics.lost_bytes.get_or_create(&Reason { reason });
        counter.inc_by(bytes);
        drop(counter);
        let path = path.display();
        tracing::warn!(%path, reason, lost_bytes = bytes, "bytes were lost: {why}");
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        let sentence = format!("{}: {bytes} bytes of {path} were lost: {why}", utc(at));
        self.last.push_back(sentence);
    }

    /// The last losses in words, oldest first.
    pub(super) fn last(&self) -> impl Iterator<Item = &str> {
        self.last.iter().map(String::as_str)
    }
}
