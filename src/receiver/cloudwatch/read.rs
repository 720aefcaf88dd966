//! `GetLogEvents`: pages over a stream in both directions, with tokens that repeat at the end.
//!
//! A token is `f/…` or `b/…` with a place among the visible events of the asked time range.

use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

use super::groups::Class;
use super::{Failure, rules};
use crate::receiver::options::{Backend, Keep};
use crate::receiver::reply::Asked;
use crate::receiver::state::Shared;

/// AWS ends a page at 10,000 events or at 1 MB.
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Input {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    start_from_head: Option<bool>,
    limit: Option<i64>,
    next_token: Option<String>,
}

/// Where a page begins, and which way it goes. The place is that of an event with this
/// timestamp and arrival number, so that it stays right when events come in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    /// The events after it.
    Forward(i64, u64),
    /// The events before it.
    Backward(i64, u64),
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        let (way, place) = text.split_once('/')?;
        let (timestamp, arrival) = place.split_once('-')?;
        let (timestamp, arrival) = (timestamp.parse().ok()?, arrival.parse().ok()?);
        match way {
            "f" => Some(Self::Forward(timestamp, arrival)),
            "b" => Some(Self::Backward(timestamp, arrival)),
            _ => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Forward(timestamp, arrival) => format!("f/{timestamp:020}-{arrival:020}"),
            Self::Backward(timestamp, arrival) => format!("b/{timestamp:020}-{arrival:020}"),
        }
    }
}

pub(super) fn get_log_events(
    shared: &Shared,
    _asked: &Asked<'_>,
    input: &Input,
) -> Result<Value, Failure> {
    let group_name = rules::group_name(input.log_group_name.as_deref())?;
    let name = rules::stream_name(input.log_stream_name.as_deref())?;
    let limit = rules::page(input.limit, MOST_EVENTS)?;
    let token = input.next_token.as_deref().map(|text| {
        Token::parse(text).ok_or_else(|| Failure::parameter("The specified nextToken is invalid."))
    });
    let token = token.transpose()?;
    let mut state = shared.lock();
    let faults = &state.faults(Backend::Cloudwatch).faults;
    let (delay, mask) = (faults.visibility_delay(), faults.mask);
    let class = state
        .cloudwatch
        .groups
        .get(group_name)
        .map(|group| group.class);
    if class.is_some_and(|class| class != Class::Standard) {
        return Err(Failure::broken(
            "InvalidOperationException",
            "GetLogEvents is not supported for log groups of this class.",
        ));
    }
    let stream = state.cloudwatch.stream(group_name, name)?;
    if shared.options.keep == Keep::Digest {
        return Err(Failure::new(
            "InvalidOperationException",
            "This receiver keeps digests only: no event can be read back.",
        ));
    }
    let now = Instant::now();
    let start = input.start_time.unwrap_or(i64::MIN);
    let end = input.end_time.unwrap_or(i64::MAX);
    let visible: Vec<_> = stream
        .events
        .iter()
        .filter(|event| (start..end).contains(&event.timestamp_ms))
        .filter(|event| now.saturating_duration_since(event.stored) >= delay)
        .copied()
        .collect();
    let place = |timestamp: i64, arrival: u64| {
        visible.partition_point(|event| (event.timestamp_ms, event.arrival) < (timestamp, arrival))
    };
    // A place among the visible events, and whether the page goes on from it or comes up to it.
    let (from, forward) = match token {
        Some(Token::Forward(timestamp, arrival)) => {
            (place(timestamp, arrival.saturating_add(1)), true)
        }
        Some(Token::Backward(timestamp, arrival)) => (place(timestamp, arrival), false),
        None if input.start_from_head.unwrap_or_default() => (0, true),
        None => (visible.len(), false),
    };
    let ledger = state.ledger(Backend::Cloudwatch);
    let mut bytes = 0;
    let mut page = Vec::new();
    let candidates: Box<dyn Iterator<Item = &_>> = if forward {
        Box::new(visible[from..].iter())
    } else {
        Box::new(visible[..from].iter().rev())
    };
    for event in candidates.take(limit) {
        // Records beyond what is kept are gone.
        let Some(record) = ledger.record(event.arrival) else {
            continue;
        };
        bytes += record.line.len() + 26;
        if bytes > MOST_BYTES && !page.is_empty() {
            break;
        }
        page.push((event, &record.line));
    }
    if !forward {
        page.reverse();
    }
    let ends = page.first().zip(page.last());
    let (forward_token, backward_token) = match ends {
        Some(((first, _), (last, _))) => (
            Token::Forward(last.timestamp_ms, last.arrival).text(),
            Token::Backward(first.timestamp_ms, first.arrival).text(),
        ),
        None => empty_page(token, start),
    };
    let events: Vec<_> = page
        .into_iter()
        .map(|(event, message)| {
            let masked = mask.then(|| "*".repeat(message.chars().count()));
            let message = masked.as_ref().unwrap_or(message);
            json!({
                "timestamp": event.timestamp_ms,
                "message": message,
                "ingestionTime": event.ingested_ms,
            })
        })
        .collect();
    Ok(json!({
        "events": events,
        "nextForwardToken": forward_token,
        "nextBackwardToken": backward_token,
    }))
}

/// The tokens of a page without events: the one that was sent comes back, which tells that
/// the end is reached.
fn empty_page(token: Option<Token>, start: i64) -> (String, String) {
    match token {
        Some(Token::Forward(timestamp, arrival) | Token::Backward(timestamp, arrival)) => (
            Token::Forward(timestamp, arrival).text(),
            Token::Backward(timestamp, arrival).text(),
        ),
        None => (
            Token::Forward(start.max(0), 0).text(),
            Token::Backward(start.max(0), 0).text(),
        ),
    }
}
