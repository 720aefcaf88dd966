//! What Loki keeps of a push and what it refuses. Two steps, as there: the distributor looks at
//! each entry by itself, then the ingester at its place in the stream.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use super::labels::Labels;
use super::limits::{Refused, check_entry, check_labels, metadata_bytes, too_old};
use super::{Entry, Push, refusal};
use crate::receiver::bucket::Bucket;
use crate::receiver::ledger::{Arrival, Ledger};
use crate::receiver::moment;
use crate::receiver::options::{Backend, LokiLimits};
use crate::receiver::reply::{Asked, Reply, Tally};
use crate::receiver::server::text;
use crate::receiver::state::{Shared, State};

/// The streams there are, by tenant and labels.
#[derive(Debug, Default)]
pub(in crate::receiver) struct Streams {
    streams: HashMap<(String, String), Known>,
    tenants: HashMap<String, Bucket>,
}

/// A stream as the ingester knows it.
#[derive(Debug)]
struct Known {
    number: usize,
    newest_ns: i64,
    last_ns: i64,
    bucket: Bucket,
}

/// What the ingester says of one stream.
#[derive(Debug, Default)]
struct Outcome {
    tally: Tally,
    failure: Option<Failure>,
}

#[derive(Debug)]
struct Failure {
    status: u16,
    reason: &'static str,
    sentence: String,
}

/// Carries out a push.
pub(super) fn store(
    shared: &Shared,
    asked: &Asked<'_>,
    tenant: &str,
    push: &Push<'_>,
    decoded_bytes: usize,
) -> Reply {
    let mut labels = Vec::with_capacity(push.streams.len());
    for stream in &push.streams {
        match Labels::parse(&stream.labels) {
            Ok(parsed) => labels.push(parsed),
            Err(error) => {
                let sentence = format!(
                    "couldn't parse labels: Error parsing labels '{}' with error: {error}",
                    stream.labels
                );
                return refusal(shared, asked, 400, "invalid_labels", &sentence);
            }
        }
    }
    if push.streams.is_empty() {
        let sentence = "error at least one valid stream is required for ingestion";
        return refusal(shared, asked, 422, "missing_streams", sentence);
    }
    let mut reply = shared.change(|state| ingest(shared, state, asked, tenant, push, &labels));
    reply.tally.decoded_bytes = decoded_bytes as u64;
    reply
}

fn ingest(
    shared: &Shared,
    state: &mut State,
    asked: &Asked<'_>,
    tenant: &str,
    push: &Push<'_>,
    labels: &[Labels],
) -> Reply {
    let limits = &shared.options.loki;
    let poison = state.faults(Backend::Loki).faults.poison.clone();
    let State { ledgers, loki, .. } = state;
    let ledger = &mut ledgers[Backend::Loki.index()];
    let mut refused = Grouped::default();
    let mut rejected = 0;
    let mut accepted: Vec<(String, Vec<&Entry<'_>>)> = Vec::new();
    for (stream, labels) in push.streams.iter().zip(labels) {
        let name = labels.to_string();
        if let Err(error) = check_labels(limits, &name, labels) {
            let count = stream.entries.len() as u64;
            rejected += count;
            ledger.reject(error.reason, count);
            ledger.violation(asked.number, error.reason, || error.sentence.clone());
            refused.add(error);
            continue;
        }
        let struck = asked.refused(stream.entries.len());
        let mut good = Vec::with_capacity(stream.entries.len());
        for (position, entry) in stream.entries.iter().enumerate() {
            let is_poison = poison.as_ref().is_some_and(|poison| {
                memchr::memmem::find(entry.line, poison.as_bytes()).is_some()
            });
            let by_fault = position < struck || is_poison;
            let check = if is_poison {
                Err(Refused {
                    reason: "poison",
                    sentence: format!("entry for stream '{name}' is not acceptable"),
                })
            } else if by_fault {
                Err(too_old(&name, entry, asked.now_ns))
            } else {
                check_entry(limits, &name, entry, asked.now_ns)
            };
            match check {
                Ok(()) => good.push(entry),
                Err(error) => {
                    rejected += 1;
                    ledger.reject(error.reason, 1);
                    if !by_fault {
                        ledger.violation(asked.number, error.reason, || error.sentence.clone());
                    }
                    refused.add(error);
                }
            }
        }
        if !good.is_empty() {
            accepted.push((name, good));
        }
    }
    let mut tally = Tally {
        rejected,
        ..Tally::default()
    };
    if let Some(failure) = tenant_rate(limits, loki, tenant, &accepted, asked.now_ns) {
        ledger.violation(asked.number, failure.reason, || failure.sentence.clone());
        return failure.reply(tally);
    }
    let mut last = None;
    for (name, entries) in &accepted {
        let stream = loki.stream(ledger, tenant, name);
        let outcome = stream.append(limits, ledger, asked, (tenant, name), entries);
        tally.stored += outcome.tally.stored;
        tally.replayed += outcome.tally.replayed;
        tally.rejected += outcome.tally.rejected;
        // As in Loki, a later stream that goes well hides the failure of an earlier one.
        last = outcome.failure;
    }
    if let Some(failure) = last {
        return failure.reply(tally);
    }
    if let Some((reason, sentence)) = refused.sentence() {
        return Failure {
            status: 400,
            reason,
            sentence,
        }
        .reply(tally);
    }
    Reply {
        status: 204,
        tally,
        ..Reply::default()
    }
}

impl Streams {
    fn stream(&mut self, ledger: &mut Ledger, tenant: &str, name: &str) -> &mut Known {
        self.streams
            .entry((tenant.to_owned(), name.to_owned()))
            .or_insert_with(|| Known {
                number: ledger.add_stream(tenant, name),
                newest_ns: i64::MIN,
                last_ns: i64::MIN,
                bucket: Bucket::default(),
            })
    }
}

impl Known {
    fn append(
        &mut self,
        limits: &LokiLimits,
        ledger: &mut Ledger,
        asked: &Asked<'_>,
        (tenant, name): (&str, &str),
        entries: &[&Entry<'_>],
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut failed = String::new();
        let mut status = 400;
        let mut reason = "";
        for entry in entries {
            let arrival = Arrival {
                request: asked.number,
                stream: self.number,
                timestamp_ns: entry.timestamp_ns,
                line: entry.line,
                metadata: &entry.metadata,
            };
            let refused = self.check(limits, entry, name, asked.now_ns);
            if let Some((refused_status, error)) = refused {
                status = refused_status;
                reason = error.reason;
                outcome.tally.rejected += 1;
                ledger.reject(reason, 1);
                ledger.violation(asked.number, reason, || {
                    format!("{} for stream {name}", error.sentence)
                });
                // Loki lists ten at most.
                if outcome.tally.rejected <= 10 {
                    let time = moment::go_string(entry.timestamp_ns);
                    // Writing to a String cannot fail.
                    let _ = writeln!(
                        failed,
                        "entry with timestamp {time} ignored, reason: '{}',",
                        error.sentence
                    );
                }
                continue;
            }
            let line_hash = arrival.line_hash();
            if !ledger.learn(&arrival, arrival.identity(line_hash)) {
                ledger.summary.replayed += 1;
                outcome.tally.replayed += 1;
                continue;
            }
            if str::from_utf8(entry.line).is_err() {
                ledger.violation(asked.number, "invalid_utf8", || {
                    format!("a line of stream '{name}' is not UTF-8; Loki takes it, readers do not")
                });
            }
            ledger.store(arrival, line_hash, entry.timestamp_ns < self.last_ns);
            outcome.tally.stored += 1;
            self.last_ns = entry.timestamp_ns;
            self.newest_ns = self.newest_ns.max(entry.timestamp_ns);
        }
        if outcome.tally.rejected > 0 {
            outcome.failure = Some(Failure {
                status,
                reason,
                sentence: format!(
                    "{failed}user '{tenant}', total ignored: {} out of {} for stream: {name}",
                    outcome.tally.rejected,
                    entries.len()
                ),
            });
        }
        outcome
    }

    fn check(
        &mut self,
        limits: &LokiLimits,
        entry: &Entry<'_>,
        name: &str,
        now_ns: i64,
    ) -> Option<(u16, Refused)> {
        let bytes = entry.line.len() + metadata_bytes(entry);
        if !self.bucket.take(limits.stream_rate, bytes, now_ns) {
            let rate = limits.stream_rate.map_or(0, |rate| rate.per_second);
            return Some((
                429,
                Refused {
                    reason: "per_stream_rate_limit",
                    sentence: format!(
                        "Per stream rate limit exceeded (limit: {rate}B/sec) while attempting to \
                         ingest for stream '{name}' totaling {bytes}B, consider splitting a stream \
                         via additional labels or contact your Loki administrator to see if the \
                         limit can be increased"
                    ),
                },
            ));
        }
        let cutoff = self
            .newest_ns
            .saturating_sub(moment::nanoseconds(limits.out_of_order?));
        (self.newest_ns != i64::MIN && entry.timestamp_ns < cutoff).then(|| {
            (
                400,
                Refused {
                    reason: "too_far_behind",
                    sentence: format!(
                        "entry too far behind, entry timestamp is: {}, oldest acceptable \
                         timestamp is: {}",
                        moment::rfc3339(entry.timestamp_ns),
                        moment::rfc3339(cutoff)
                    ),
                },
            )
        })
    }
}

impl Failure {
    fn reply(self, tally: Tally) -> Reply {
        Reply {
            error: Some(self.reason.to_owned()),
            tally,
            ..text(self.status, &format!("{}\n", self.sentence))
        }
    }
}

/// Equal sentences are said once, with their number.
#[derive(Debug, Default)]
struct Grouped {
    sentences: BTreeMap<String, u64>,
    reason: Option<&'static str>,
}

impl Grouped {
    fn add(&mut self, error: Refused) {
        self.reason = Some(error.reason);
        *self.sentences.entry(error.sentence).or_default() += 1;
    }

    fn sentence(&self) -> Option<(&'static str, String)> {
        let each: Vec<_> = self
            .sentences
            .iter()
            .map(|(sentence, count)| format!("{count} errors like: {sentence}"))
            .collect();
        Some((self.reason?, each.join("; ")))
    }
}

fn tenant_rate(
    limits: &LokiLimits,
    loki: &mut Streams,
    tenant: &str,
    accepted: &[(String, Vec<&Entry<'_>>)],
    now_ns: i64,
) -> Option<Failure> {
    let rate = limits.tenant_rate?;
    let entries = || accepted.iter().flat_map(|(_, entries)| entries);
    let bytes = entries()
        .map(|entry| entry.line.len() + metadata_bytes(entry))
        .sum();
    let bucket = loki.tenants.entry(tenant.to_owned()).or_default();
    (!bucket.take(Some(rate), bytes, now_ns)).then(|| Failure {
        status: 429,
        reason: "rate_limited",
        sentence: format!(
            "Ingestion rate limit exceeded for user {tenant} (limit: {} bytes/sec) while \
             attempting to ingest '{}' lines totaling '{bytes}' bytes, reduce log volume or \
             contact your Loki administrator to see if the limit can be increased",
            rate.per_second,
            entries().count()
        ),
    })
}
