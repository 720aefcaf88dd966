//! What is counted of each answer, and what the operator is told: news once, the rest quietly.

use super::attempts::Attempts;
use super::cloudwatch::CREATING;
use super::{Answer, Class, Delivery};
use crate::batch::Batch;
use crate::observe::metrics::{OfOutput, RecordResult, Records, Requests};
use crate::observe::snapshot::utc;

impl Attempts {
    pub(super) fn count(&self, batch: &Batch, answer: &Answer) {
        let Delivery {
            health, metrics, ..
        } = &self.delivery;
        let output = || health.name.clone();
        let requests = Requests {
            output: output(),
            class: answer.class.name(),
        };
        metrics.requests.get_or_create(&requests).inc();
        let of_output = OfOutput { output: output() };
        metrics
            .sent_bytes
            .get_or_create(&of_output)
            .inc_by(batch.sealed.body.len() as u64);
        self.count_records(batch, answer);
    }

    /// Counts the records of a batch whose fate is known.
    pub(super) fn count_records(&self, batch: &Batch, answer: &Answer) {
        let Delivery {
            health, metrics, ..
        } = &self.delivery;
        let output = || health.name.clone();
        let of_output = self.label();
        let rejected = match answer.class {
            Class::Delivered => 0,
            Class::Partial { rejected } => rejected.min(batch.sealed.records),
            _ => return,
        };
        for (result, count) in [
            (RecordResult::delivered, batch.sealed.records - rejected),
            (RecordResult::rejected, rejected),
        ] {
            if count > 0 || result == RecordResult::delivered {
                let records = Records {
                    output: output(),
                    result,
                };
                metrics
                    .records
                    .get_or_create(&records)
                    .inc_by(u64::from(count));
            }
        }
        let uncompressed = batch.sealed.uncompressed as u64;
        metrics
            .delivered_bytes
            .get_or_create(&of_output)
            .inc_by(uncompressed);
        metrics
            .replaced
            .get_or_create(&of_output)
            .inc_by(u64::from(batch.sealed.replaced));
        metrics
            .cut
            .get_or_create(&of_output)
            .inc_by(u64::from(batch.sealed.cut));
    }

    /// Counts a batch that is sent again though it may be stored.
    pub(super) fn count_doubtful(&self, batch: &Batch, why: &str) {
        let Delivery {
            health, metrics, ..
        } = &self.delivery;
        metrics.doubtful.get_or_create(&self.label()).inc();
        tracing::warn!(
            output = health.name,
            stream = %batch.stream,
            records = batch.sealed.records,
            why,
            "sending a batch again that may be stored already: its records may be there twice"
        );
    }

    pub(super) fn tell_delivered(&self, batch: &Batch, answer: &Answer) {
        let health = &self.delivery.health;
        if let Class::Partial { rejected } = answer.class {
            tracing::warn!(
                output = health.name,
                stream = %batch.stream,
                rejected,
                first_time = utc(batch.sealed.first_time),
                last_time = utc(batch.sealed.last_time),
                answer = answer.sentence,
                "the destination refused records of a batch and stored the others"
            );
        }
        if let Some(blocked) = health.delivered() {
            let seconds = blocked.since.elapsed().unwrap_or_default().as_secs();
            tracing::info!(
                output = health.name,
                reason = blocked.reason,
                seconds,
                "delivers again"
            );
        }
    }

    pub(super) fn tell_failed(&self, batch: &Batch, answer: &Answer) {
        let health = &self.delivery.health;
        let is_news = health.failed(answer.reason, &answer.sentence);
        if is_news && answer.reason == CREATING {
            tracing::info!(
                output = health.name,
                stream = %batch.stream,
                answer = answer.sentence,
                "waiting for its turn to create a log group or a log stream"
            );
        } else if is_news {
            tracing::warn!(
                output = health.name,
                reason = answer.reason,
                class = answer.class.name(),
                stream = %batch.stream,
                answer = answer.sentence,
                "not delivered; nothing is lost, it is tried again"
            );
        } else {
            tracing::debug!(
                output = health.name,
                answer = answer.sentence,
                "not delivered yet"
            );
        }
    }
}
