//! A stream that waits for somebody: that is told, and the bodies of its batches lie in the journal
//! alone, as far as that has them. One of an output at a time comes back, for as long as something
//! is done with it.

use std::ops::Range;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Courier;
use crate::batch::BatchId;
use crate::batch::opened::OpenError;
use crate::deliver::Report;

/// A body that came back.
pub(super) struct Lent {
    batch: BatchId,
    /// The turn of the output, given back with it.
    _turn: OwnedSemaphorePermit,
}

impl Courier {
    pub(super) async fn hold(&mut self, reason: &'static str, sentence: &str) {
        self.is_held = true;
        self.attempts
            .teller
            .tell_held(self.stream, reason, sentence);
        self.put_away().await;
    }

    /// Waits for a while.
    async fn pause(&mut self, reason: &'static str, sentence: &str) {
        self.hold(reason, sentence).await;
        tokio::time::sleep(self.waits.next()).await;
    }

    /// What held the stream for this reason is over.
    pub(super) fn go_on_from(&mut self, reason: &'static str) {
        if self.is_held
            && self
                .attempts
                .delivery
                .health
                .stream_goes_on_from(self.stream, reason)
        {
            self.is_held = false;
        }
    }

    /// A body that was sealed cannot be opened: a fault of this program, to be told.
    pub(super) async fn cannot_open(
        &mut self,
        id: BatchId,
        records: &Range<u32>,
        error: &OpenError,
    ) {
        let sentence = format!(
            "batch {} cannot be divided, since its body cannot be opened: {error}; it waits",
            id.0
        );
        self.pause("refused", &sentence).await;
        tracing::debug!(batch = id.0, from = records.start, "tried again");
    }

    /// Lets go of the bodies that the journal has.
    async fn put_away(&mut self) {
        self.give_back();
        let here = self.batches.iter().filter(|(_, it)| !it.is_away());
        let here: Vec<_> = here.map(|(id, _)| *id).collect();
        for id in here {
            let (answer, is_put_away) = oneshot::channel();
            self.report(Report::Waits {
                batch: self.name(id),
                is_put_away: answer,
            });
            if heard(is_put_away).await
                && let Some(carried) = self.batches.get_mut(&id)
            {
                carried.put_away();
            }
        }
    }

    /// Lets the body of a batch come back, if it is away. Says whether it is here.
    pub(super) async fn fetch(&mut self, id: BatchId) -> bool {
        if !self.batches.get(&id).is_some_and(|it| it.is_away()) {
            return true;
        }
        self.give_back();
        let Ok(turn) = Arc::clone(&self.attempts.lending).acquire_owned().await else {
            return false;
        };
        let (answer, body) = oneshot::channel();
        self.report(Report::Asks {
            batch: id,
            body: answer,
        });
        let body = heard(body).await;
        let (Some(body), Some(carried)) = (body, self.batches.get_mut(&id)) else {
            return false;
        };
        carried.batch.sealed.body = body;
        self.lent = Some(Lent {
            batch: id,
            _turn: turn,
        });
        true
    }

    /// A body that came back goes again.
    pub(super) fn give_back(&mut self) {
        if let Some(lent) = self.lent.take()
            && let Some(carried) = self.batches.get_mut(&lent.batch)
        {
            carried.put_away();
        }
    }

    /// A body that is away does not come back: it is tried again.
    pub(super) async fn cannot_fetch(&mut self, id: BatchId) {
        let sentence = format!(
            "the body of batch {} cannot be read in the state directory; it is tried again. A restart reads its lines again from the file",
            id.0
        );
        self.pause("unreadable", &sentence).await;
    }
}

/// What is answered; nothing is once the agent has ended.
async fn heard<T>(answer: oneshot::Receiver<T>) -> T {
    match answer.await {
        Ok(answer) => answer,
        Err(_) => std::future::pending().await,
    }
}
