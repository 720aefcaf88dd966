//! Delivers the batches of one stream, one after the other. A batch that is refused goes out in
//! parts; what `refusals` finds to be bad goes to the dead letters. Nothing of a part is sent
//! before the journal knows of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::oneshot;

use super::attempts::{Attempts, Doubt, Outcome};
use super::refusals::{MOST_IN_A_ROW, Refusal, Refusals, Step};
use super::retry::Backoff;
use super::tray::Tray;
use super::{Acknowledgement, Ahead, Answer, Class, Refused, Report};
use crate::batch::parts::Fate;
use crate::batch::{Batch, BatchId, StreamId};
use crate::dead_letters::Written;
use crate::record::Time;
use carried::Carried;
use waiting::Lent;

mod carried;
mod waiting;

/// Dead letters that could not be written are tried again after this.
const WRITE_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Carries the batches of one stream.
pub(super) struct Courier {
    attempts: Arc<Attempts>,
    stream: StreamId,
    tray: Arc<Tray>,
    batches: BTreeMap<BatchId, Box<Carried>>,
    /// The body that came back for what is being done.
    lent: Option<Lent>,
    refusals: Refusals,
    waits: Backoff,
    is_held: bool,
    /// The last batch when it was told that all are ahead of our clock.
    ahead_told: Option<BatchId>,
}

impl Courier {
    pub(super) fn new(attempts: Arc<Attempts>, stream: StreamId, tray: Arc<Tray>) -> Self {
        let refusals = Refusals::new(
            attempts.is_proven(stream),
            attempts.delivery.writes_all_refused,
        );
        Self {
            attempts,
            stream,
            tray,
            batches: BTreeMap::new(),
            lent: None,
            refusals,
            waits: Backoff::slow(),
            is_held: false,
            ahead_told: None,
        }
    }

    /// Delivers until there is nothing more to deliver.
    pub(super) async fn run(mut self: Box<Self>) -> StreamId {
        loop {
            for batch in self.tray.take() {
                self.take_up(batch);
            }
            match self.refusals.next() {
                Step::Nothing if self.tray.close() => break,
                Step::Nothing => {}
                Step::Done(id) => self.done(id),
                Step::Send(id, records) => self.send(id, records).await,
                Step::Condemn(id, records, refusal) => self.condemn(id, records, &refusal).await,
                Step::Wait(refusal) => self.wait(&refusal).await,
            }
            self.give_back();
        }
        self.attempts
            .note_proven(self.stream, self.refusals.is_proven());
        self.stream
    }

    fn take_up(&mut self, batch: Batch) {
        if batch.is_replay {
            let attempts = &self.attempts;
            attempts.teller.count_replayed();
        }
        let records = batch.sealed.records;
        self.refusals.add(batch.id, records, batch.parts.clone());
        self.batches.insert(batch.id, Box::new(Carried::new(batch)));
    }

    fn done(&mut self, id: BatchId) {
        self.refusals.remove(id);
        if let Some(carried) = self.batches.remove(&id) {
            self.attempts.teller.count_done(&carried.batch);
        }
        self.report(Report::Done(self.name(id)));
    }

    fn name(&self, batch: BatchId) -> Acknowledgement {
        Acknowledgement {
            output: self.attempts.delivery.output,
            stream: self.stream,
            batch,
        }
    }

    fn report(&self, report: Report) {
        (self.attempts.delivery.report)(report);
    }

    /// Sends a batch, or a part of one, until it is known what that comes to.
    async fn send(&mut self, id: BatchId, records: Range<u32>) {
        if !self.fetch(id).await {
            return self.cannot_fetch(id).await;
        }
        let attempts = Arc::clone(&self.attempts);
        let Some(carried) = self.batches.get_mut(&id) else {
            return self.refusals.remove(id);
        };
        let oldest = attempts.delivery.buried.map_or(Time(i64::MIN), within_age);
        match carried.older_than(oldest, &records) {
            Ok(old) if old.is_empty() => {}
            Ok(old) => {
                let answer = "older than max_age: it was not sent".to_owned();
                let refusal = Refusal {
                    reason: "too_old",
                    may_be_stored: carried.is_unsure,
                    answer,
                };
                return self.condemn(id, old, &refusal).await;
            }
            Err(error) => return self.cannot_open(id, &records, &error).await,
        }
        let cutting = if carried.is_request(&records) {
            None
        } else {
            // The semaphore is never closed.
            Some(attempts.cutting.acquire().await)
        };
        let part = match carried.part(&records) {
            Ok(part) => part,
            Err(error) => return self.cannot_open(id, &records, &error).await,
        };
        let is_in_doubt = carried.in_doubt.remove(&records.start);
        // An earlier run may have sent it until right before this one began.
        let since = attempts.started + carried.batch.deadline;
        let doubt = is_in_doubt.then(|| Doubt::since(since));
        let (refusals, whole) = (&self.refusals, &*carried);
        let beside = || whole.beside(&records, refusals.delivered_of(id));
        let (outcome, is_unsure) = attempts.attempt(&part, &beside, doubt).await;
        carried.is_unsure |= is_unsure;
        let uncompressed = part.sealed.uncompressed;
        drop((part, cutting));
        match outcome {
            Outcome::Taken => {
                self.delivered(id, records);
                attempts.teller.count_bytes(uncompressed);
            }
            Outcome::Missing(missing) => {
                let missing = missing.into_iter().map(|it| within(&records, &it));
                self.delivered_but(id, &records, missing);
                attempts.teller.count_bytes(uncompressed);
            }
            Outcome::TakenBut(answer) => {
                self.taken_but(id, records, answer).await;
                attempts.teller.count_bytes(uncompressed);
            }
            Outcome::Refused(answer) => self.refused(id, records, answer).await,
        }
    }

    /// Notes that records are stored.
    fn delivered(&mut self, id: BatchId, records: Range<u32>) {
        let Some(carried) = self.batches.get(&id) else {
            return;
        };
        self.attempts
            .teller
            .count_delivered(records.end - records.start);
        // A batch that goes out whole is told of once.
        if records != (0..carried.batch.sealed.records) {
            self.report(Report::Delivered {
                batch: id,
                records: records.clone(),
            });
        }
        self.refusals.taken(id, records);
        self.attempts.teller.tell_delivered();
        if std::mem::take(&mut self.is_held) {
            self.waits = Backoff::slow();
            self.attempts.delivery.health.stream_goes_on(self.stream);
        }
    }

    /// Notes that records are stored but for some. Returns whether any are.
    fn delivered_but(
        &mut self,
        id: BatchId,
        records: &Range<u32>,
        others: impl Iterator<Item = Range<u32>>,
    ) -> bool {
        let mut from = records.start;
        let mut is_any = false;
        let end = records.end..records.end;
        for other in others.chain(std::iter::once(end)) {
            if from < other.start {
                is_any = true;
                self.delivered(id, from..other.start);
            }
            from = from.max(other.end);
        }
        is_any
    }

    /// The answer names the records that are refused; the others are stored.
    async fn taken_but(&mut self, id: BatchId, records: Range<u32>, answer: Answer) {
        let rejected = answer.rejected.iter();
        let rejected = rejected.map(|it| within(&records, &it.records));
        let is_any_taken = self.delivered_but(id, &records, rejected);
        self.named(id, &records, &answer, is_any_taken).await;
    }

    /// Records that an answer names are bad by the destination's own word.
    async fn named(
        &mut self,
        id: BatchId,
        records: &Range<u32>,
        answer: &Answer,
        is_any_taken: bool,
    ) {
        let mut cuts = Vec::new();
        for rejected in &answer.rejected {
            let bad = within(records, &rejected.records);
            let said = rejected.sentence.unwrap_or(&answer.sentence);
            let refusal = self.refusal(id, rejected.reason, said);
            // What is too new now is not so later; and when all is, it is somebody's clock.
            if refusal.is_of_a_clock() && !is_any_taken {
                cuts.extend(self.refusals.refused_each(id, bad, refusal));
            } else {
                self.condemn(id, bad, &refusal).await;
            }
        }
        self.note_cuts(id, cuts).await;
    }

    fn refusal(&self, id: BatchId, reason: &'static str, answer: &str) -> Refusal {
        let carried = self.batches.get(&id);
        let is_unsure = carried.is_some_and(|it| {
            // What was taken in an earlier request of the batch makes the rest of it late.
            it.is_unsure || (reason == "too_far_behind" && it.was_refused)
        });
        Refusal {
            reason,
            answer: answer.to_owned(),
            may_be_stored: is_unsure,
        }
    }

    /// The answer refuses records without saying which, or says only some.
    async fn refused(&mut self, id: BatchId, records: Range<u32>, answer: Answer) {
        tracing::debug!(
            output = self.attempts.delivery.health.name,
            batch = id.0,
            from = records.start,
            until = records.end,
            answer = answer.sentence,
            "refused"
        );
        if !answer.rejected.is_empty() {
            self.named(id, &records, &answer, false).await;
            self.note_refused(id);
            return;
        }
        let cut = if answer.class == Class::Retry {
            self.refusals.halve(id, records)
        } else {
            let refusal = self.refusal(id, answer.reason, &answer.sentence);
            self.refusals.refused(id, records, refusal)
        };
        self.note_refused(id);
        self.note_cuts(id, cut.into_iter().collect()).await;
    }

    /// Waits until the journal knows where a batch is cut.
    async fn note_cuts(&self, id: BatchId, at: Vec<u32>) {
        if at.is_empty() {
            return;
        }
        let (noted, is_noted) = oneshot::channel();
        self.report(Report::Cut {
            batch: id,
            at,
            noted,
        });
        // Nobody answers once the agent has ended.
        if is_noted.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn note_refused(&mut self, id: BatchId) {
        if let Some(carried) = self.batches.get_mut(&id) {
            carried.was_refused = true;
        }
    }

    /// Puts records into the dead letters, however long that takes.
    async fn condemn(&mut self, id: BatchId, records: Range<u32>, refusal: &Refusal) {
        let mut from = records.start;
        while from < records.end {
            if !self.fetch(id).await {
                return self.cannot_fetch(id).await;
            }
            let Some(carried) = self.batches.get(&id) else {
                return;
            };
            let (stream, letters) = match carried.letters(from..records.end) {
                Ok(letters) => letters,
                Err(error) => return self.cannot_open(id, &records, &error).await,
            };
            let (written, answer) = oneshot::channel();
            self.report(Report::Refused(Refused {
                batch: id,
                is_replay: carried.batch.is_replay,
                stream,
                reason: refusal.reason,
                answer: refusal.answer.clone(),
                may_be_stored: refusal.may_be_stored,
                letters,
                written,
            }));
            let Ok(Written { done, trouble, .. }) = answer.await else {
                return std::future::pending().await;
            };
            let until = from + u32::try_from(done).unwrap_or(0);
            if until > from {
                self.refusals.settled(id, from..until, Fate::Refused);
                from = until;
            }
            match trouble {
                Some(mut sentence) => {
                    if refusal.reason == "too_old" {
                        sentence.push_str(
                            "; these are too old, and too_old: rescue delivers such records with a later time",
                        );
                    }
                    // Those behind it wait with it.
                    for batch in self.tray.take() {
                        self.take_up(batch);
                    }
                    self.hold("dead_letters", &sentence).await;
                    tokio::time::sleep(WRITE_AGAIN_AFTER).await;
                }
                None => self.go_on_from("dead_letters"),
            }
        }
    }

    /// Nothing of the stream is taken: waits until there is more of it, or some time has passed.
    async fn wait(&mut self, refusal: &Refusal) {
        let sentence = if refusal.is_of_a_clock() {
            format!(
                "{}; what is too new now is not so later, so it is not the records: a clock is wrong, that of this machine or of the destination. They wait, and nothing is lost",
                refusal.answer
            )
        } else if self.refusals.in_a_row() < MOST_IN_A_ROW {
            format!(
                "{}; whether it is the record is not known before another record of the stream is taken: it waits for one",
                refusal.answer
            )
        } else {
            format!(
                "{}; no record of the stream is taken, so it is not the records: they wait, and nothing is lost. Look at the labels or names that the output is configured with and at the destination's limits, or set dead_letters.when_all_refused: write",
                refusal.answer
            )
        };
        self.hold("all_refused", &sentence).await;
        self.tell_ahead(refusal);
        let stuck: Vec<_> = self.batches.keys().copied().collect();
        for id in stuck {
            if self.refusals.is_stuck(id)
                && let Some(carried) = self.batches.get_mut(&id)
                && !std::mem::replace(&mut carried.is_stuck, true)
            {
                self.report(Report::Stuck(self.name(id)));
            }
        }
        tokio::select! {
            () = self.tray.news() => {}
            () = tokio::time::sleep(self.waits.next()) => {}
        }
        self.refusals.try_again();
    }

    /// Tells of batches that are refused as too new and were sealed before our clock was set back:
    /// once, until there are others.
    fn tell_ahead(&mut self, refusal: &Refusal) {
        let now = Time::from(SystemTime::now());
        let last = self.batches.keys().next_back().copied();
        let mut batches = self.batches.values();
        let is_news = refusal.reason == "too_new"
            && self.ahead_told < last
            && batches.all(|it| it.batch.sealed.last_time.is_ahead_of(now))
            && self.refusals.is_all_refused_for(refusal.reason);
        if is_news {
            self.ahead_told = last;
            let ahead = self.batches.values().map(|it| Ahead {
                batch: it.batch.id,
                may_be_stored: it.is_unsure,
            });
            self.report(Report::Ahead(ahead.collect()));
        }
    }
}

/// The time of a record that is just so old.
fn within_age(age: Duration) -> Time {
    SystemTime::now()
        .checked_sub(age)
        .map_or(Time(i64::MIN), Time::from)
}

/// Records of a part, counted in the whole batch.
fn within(part: &Range<u32>, records: &Range<u32>) -> Range<u32> {
    let end = part.end.min(part.start.saturating_add(records.end));
    part.start.saturating_add(records.start).min(end)..end
}
