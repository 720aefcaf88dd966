//! Where batches lie until the courier of their stream takes them. There can be hundreds, each with
//! a batch or two: a channel would keep room for 32, and ten times as much memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::batch::Batch;

/// The batches of one stream that its courier has not taken up yet.
#[derive(Debug)]
pub(super) struct Tray {
    /// Nothing once the courier has ended.
    batches: Mutex<Option<Vec<Batch>>>,
    news: Notify,
}

impl Tray {
    /// A tray with the first batch of a courier.
    pub(super) fn with(first: Batch) -> Self {
        Self {
            batches: Mutex::new(Some(vec![first])),
            news: Notify::new(),
        }
    }

    fn batches(&self) -> MutexGuard<'_, Option<Vec<Batch>>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a batch behind the others. Gives it back when the courier has ended.
    pub(super) fn put(&self, batch: Batch) -> Result<(), Box<Batch>> {
        match &mut *self.batches() {
            Some(batches) => batches.push(batch),
            None => return Err(Box::new(batch)),
        }
        self.news.notify_one();
        Ok(())
    }

    /// Takes all that lie here.
    pub(super) fn take(&self) -> Vec<Batch> {
        let mut batches = self.batches();
        batches.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Waits until something lies here.
    pub(super) async fn news(&self) {
        // It may have been told of what was taken since.
        while self.batches().as_ref().is_none_or(Vec::is_empty) {
            self.news.notified().await;
        }
    }

    /// Takes no more from now on, if nothing lies here. Says whether it is so.
    pub(super) fn close(&self) -> bool {
        let mut batches = self.batches();
        if batches.as_ref().is_some_and(Vec::is_empty) {
            *batches = None;
        }
        batches.is_none()
    }

    /// Whether the courier has ended.
    pub(super) fn is_closed(&self) -> bool {
        self.batches().is_none()
    }
}
