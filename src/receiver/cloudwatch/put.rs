//! `PutLogEvents`: the limits of a batch and of its events, and what is stored of it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::groups::{Event, Stream};
use super::{Failure, malformed, rules};
use crate::receiver::ledger::{Arrival, Ledger};
use crate::receiver::moment;
use crate::receiver::options::{Backend, CloudwatchLimits};
use crate::receiver::reply::{Asked, Tally};
use crate::receiver::state::{Shared, State};

/// What AWS adds to the bytes of each message.
const OVERHEAD: usize = 26;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "these are the names on the wire")]
struct Input<'a> {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
    #[serde(borrow)]
    log_events: Option<Vec<InputEvent<'a>>>,
}

#[derive(Debug, Deserialize)]
struct InputEvent<'a> {
    timestamp: Option<i64>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// One event as it was sent, checked to be whole.
#[derive(Debug, Clone, Copy)]
struct Sent<'a> {
    timestamp_ms: i64,
    message: &'a str,
}

/// Which of the events are refused one by one.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rejected {
    /// The first of the too new.
    too_new_start: Option<usize>,
    /// Behind the last of the too old.
    too_old_end: Option<usize>,
    /// Behind the last that the group's retention has expired.
    expired_end: Option<usize>,
}

pub(super) fn put_log_events(
    shared: &Shared,
    asked: &Asked<'_>,
    body: &[u8],
    tally: &mut Tally,
) -> Result<Value, Failure> {
    let input: Input<'_> = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
    let group = rules::group_name(input.log_group_name.as_deref())?;
    let name = rules::stream_name(input.log_stream_name.as_deref())?;
    let limits = &shared.options.cloudwatch;
    let events = check_shape(limits, input.log_events.as_deref())?;
    shared.change(|state| {
        let faults = &state.faults(Backend::Cloudwatch).faults;
        if faults
            .above_bytes
            .is_some_and(|most| body.len() as u64 > most)
        {
            return Err(Failure::new(
                "RequestEntityTooLarge",
                "Request size exceeded the limit.",
            ));
        }
        let poison = faults.poison.clone();
        let State {
            ledgers,
            cloudwatch,
            ..
        } = state;
        let ledger = &mut ledgers[Backend::Cloudwatch.index()];
        let retention = cloudwatch
            .groups
            .get(group)
            .and_then(|group| group.retention_days);
        let stream = cloudwatch.stream(group, name)?;
        if !stream.puts.take(limits.stream_puts, 1, asked.now_ns) {
            return Err(Failure::throttled());
        }
        if let Some(poison) = poison
            && events.iter().any(|event| event.message.contains(&poison))
        {
            return Err(Failure::new(
                "InvalidParameterException",
                "Log event is not acceptable.",
            ));
        }
        if !events.is_sorted_by_key(|event| event.timestamp_ms) {
            return Err(Failure::parameter(
                "Log events in a single PutLogEvents request must be in chronological order.",
            ));
        }
        let mut rejected = windows(limits, retention, &events, asked.now_ns / 1_000_000);
        let valid = rejected.valid(events.len());
        note_rejected(ledger, asked, &rejected, events.len());
        if let [first, .., last] = &events[valid.clone()] {
            let span = last.timestamp_ms.saturating_sub(first.timestamp_ms);
            if i128::from(span) >= i128::try_from(limits.max_span.as_millis()).unwrap_or(i128::MAX)
            {
                return Err(Failure::parameter(
                    "The batch of log events in a single PutLogEvents request cannot span more \
                     than 24 hours.",
                ));
            }
        }
        let struck = asked.refused(valid.len());
        if struck > 0 {
            ledger.reject("too_old", struck as u64);
            rejected.too_old_end = Some(valid.start + struck);
        }
        let valid = rejected.valid(events.len());
        store(ledger, stream, asked, &events[valid.clone()]);
        tally.stored = valid.len() as u64;
        tally.rejected = (events.len() - valid.len()) as u64;
        Ok(rejected.answer())
    })
}

impl Rejected {
    /// The events that are stored.
    fn valid(&self, count: usize) -> std::ops::Range<usize> {
        let end = self.too_new_start.unwrap_or(count);
        let old = self.too_old_end.max(self.expired_end).unwrap_or(0);
        old.min(end)..end
    }

    fn answer(&self) -> Value {
        let mut info = serde_json::Map::new();
        for (name, index) in [
            ("tooNewLogEventStartIndex", self.too_new_start),
            ("tooOldLogEventEndIndex", self.too_old_end),
            ("expiredLogEventEndIndex", self.expired_end),
        ] {
            if let Some(index) = index {
                info.insert(name.to_owned(), json!(index));
            }
        }
        let mut answer = json!({ "nextSequenceToken": "1" });
        if !info.is_empty() {
            answer["rejectedLogEventsInfo"] = Value::Object(info);
        }
        answer
    }
}

/// Checks what can be said of the batch without the stream.
fn check_shape<'a>(
    limits: &CloudwatchLimits,
    events: Option<&'a [InputEvent<'a>]>,
) -> Result<Vec<Sent<'a>>, Failure> {
    let null = |field: &str| {
        rules::constraint(
            &format!("Value null at '{field}'"),
            "Member must not be null",
        )
    };
    let events = events.ok_or_else(|| null("logEvents"))?;
    if events.is_empty() || events.len() > limits.max_batch_events {
        let rule = if events.is_empty() {
            "Member must have length greater than or equal to 1".to_owned()
        } else {
            format!(
                "Member must have length less than or equal to {}",
                limits.max_batch_events
            )
        };
        return Err(rules::constraint("Value at 'logEvents'", &rule));
    }
    let mut bytes = 0;
    let mut sent = Vec::with_capacity(events.len());
    for (position, event) in events.iter().enumerate() {
        let field = |name| format!("logEvents.{}.member.{name}", position + 1);
        let message = event
            .message
            .as_deref()
            .ok_or_else(|| null(&field("message")))?;
        let timestamp_ms = event.timestamp.ok_or_else(|| null(&field("timestamp")))?;
        if message.is_empty() {
            return Err(rules::constraint(
                &format!("Value '' at '{}'", field("message")),
                "Member must have length greater than or equal to 1",
            ));
        }
        if timestamp_ms < 0 {
            return Err(rules::constraint(
                &format!("Value '{timestamp_ms}' at '{}'", field("timestamp")),
                "Member must have value greater than or equal to 0",
            ));
        }
        let size = message.len() + OVERHEAD;
        if size > limits.max_event_bytes {
            return Err(Failure::parameter(format!(
                "Log event too large: {size} bytes exceeds limit of {}",
                limits.max_event_bytes
            )));
        }
        bytes += size;
        sent.push(Sent {
            timestamp_ms,
            message,
        });
    }
    if bytes > limits.max_batch_bytes {
        return Err(Failure::parameter(format!(
            "Upload too large: {bytes} bytes exceeds limit of {}",
            limits.max_batch_bytes
        )));
    }
    Ok(sent)
}

/// Finds the events that are too old, expired or too new. They are sorted, so the refused ones
/// stand at the ends.
fn windows(
    limits: &CloudwatchLimits,
    retention_days: Option<i64>,
    events: &[Sent<'_>],
    now_ms: i64,
) -> Rejected {
    let millis = |duration: Duration| moment::nanoseconds(duration) / 1_000_000;
    let before = |oldest: i64| {
        let end = events.partition_point(|event| event.timestamp_ms < oldest);
        (end > 0).then_some(end)
    };
    let newest = limits
        .too_new
        .map(|ahead| now_ms.saturating_add(millis(ahead)));
    Rejected {
        too_new_start: newest
            .map(|newest| events.partition_point(|event| event.timestamp_ms <= newest))
            .filter(|start| *start < events.len()),
        too_old_end: limits.too_old.and_then(|age| before(now_ms - millis(age))),
        expired_end: retention_days.and_then(|days| before(now_ms - days * 86_400_000)),
    }
}

fn note_rejected(ledger: &mut Ledger, asked: &Asked<'_>, rejected: &Rejected, events: usize) {
    let too_new = rejected.too_new_start.map_or(0, |start| events - start);
    let too_old = rejected.too_old_end.unwrap_or(0);
    // What is too old for everyone is counted there, also when it has expired besides.
    let expired = rejected.expired_end.unwrap_or(0).saturating_sub(too_old);
    for (reason, count, sentence) in [
        ("too_old", too_old, "older than 14 days"),
        ("expired", expired, "older than the group's retention"),
        ("too_new", too_new, "more than 2 hours ahead of the clock"),
    ] {
        if count > 0 {
            ledger.reject(reason, count as u64);
            ledger.violation(asked.number, reason, || {
                format!("PutLogEvents: {count} of {events} events are {sentence}")
            });
        }
    }
}

fn store(ledger: &mut Ledger, stream: &mut Stream, asked: &Asked<'_>, events: &[Sent<'_>]) {
    let stored = Instant::now();
    let ingested_ms = asked.now_ns / 1_000_000;
    let mut identities = Vec::with_capacity(events.len());
    for event in events {
        let arrival = Arrival {
            request: asked.number,
            stream: stream.number,
            timestamp_ns: event.timestamp_ms.saturating_mul(1_000_000),
            line: event.message.as_bytes(),
            metadata: &[],
        };
        let line_hash = arrival.line_hash();
        let identity = arrival.identity(line_hash);
        ledger.summary.repeated += u64::from(ledger.knows(&arrival, identity));
        identities.push((arrival, identity));
        let disordered = event.timestamp_ms < stream.last_ms;
        stream.last_ms = event.timestamp_ms;
        let entry = Event {
            timestamp_ms: event.timestamp_ms,
            arrival: ledger.store(arrival, line_hash, disordered),
            stored,
            ingested_ms,
        };
        if ledger.most() > 0 {
            let place = stream
                .events
                .partition_point(|other| other.timestamp_ms <= entry.timestamp_ms);
            stream.events.insert(place, entry);
        }
    }
    // What is no longer kept is forgotten here too, now and then.
    if stream.events.len() > 2 * ledger.most().max(1) {
        stream
            .events
            .retain(|event| ledger.record(event.arrival).is_some());
    }
    // Only now, so that equal events of one request do not count as repeated.
    for (arrival, identity) in identities {
        ledger.learn(&arrival, identity);
    }
    if !events.is_empty() {
        stream.last_ingestion_ms = Some(ingested_ms);
    }
}
