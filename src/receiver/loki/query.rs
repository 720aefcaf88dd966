//! Reading back: `GET /loki/api/v1/query_range` for a selector of equal labels, as Loki answers it.
//! Pipelines and metric queries are none of it.

use std::collections::BTreeMap;

use hyper::http::request::Parts;
use serde::Serialize;

use super::labels::Labels;
use crate::receiver::moment;
use crate::receiver::options::Backend;
use crate::receiver::reply::Reply;
use crate::receiver::server::text;
use crate::receiver::state::Shared;
use crate::receiver::summary::Record;

/// As many entries as Loki gives at most.
const MOST: usize = 5000;
/// As many as it gives unasked.
const USUAL: usize = 100;
const HOUR_NS: i64 = 3_600_000_000_000;

#[derive(Serialize)]
struct Answer {
    status: &'static str,
    data: Data,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: &'static str,
    result: Vec<Found>,
}

/// Entries of the same labels and the same metadata, which Loki shows as labels.
#[derive(Serialize)]
struct Found {
    stream: BTreeMap<String, String>,
    values: Vec<(String, String)>,
}

/// Answers a query.
pub(in crate::receiver) fn answer(shared: &Shared, parts: &Parts) -> Reply {
    let query = parts.uri.query().unwrap_or_default();
    let asked: BTreeMap<String, String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), unescaped(value)))
        .collect();
    match answer_to(shared, &asked) {
        Ok(answer) => Reply {
            status: 200,
            content_type: "application/json",
            body: serde_json::to_vec(&answer).unwrap_or_default(),
            ..Reply::default()
        },
        Err(sentence) => text(400, &format!("{sentence}\n")),
    }
}

fn answer_to(shared: &Shared, asked: &BTreeMap<String, String>) -> Result<Answer, String> {
    let selector = asked.get("query").map_or("", String::as_str);
    let wanted = Labels::parse(selector).map_err(|why| format!("parse error: {why}"))?;
    if wanted.0.is_empty() {
        return Err("queries require at least one matcher that is not empty".to_owned());
    }
    let number = |name: &str, usual: i64| match asked.get(name) {
        None => Ok(usual),
        Some(value) => value
            .parse()
            .map_err(|_| format!("{name} is not a number of nanoseconds or entries")),
    };
    let now = moment::now_ns();
    let end = number("end", now)?;
    let start = number("start", end.saturating_sub(HOUR_NS))?;
    let limit = usize::try_from(number("limit", 0)?).unwrap_or(0);
    let limit = if limit == 0 { USUAL } else { limit };
    if limit > MOST {
        return Err(format!(
            "max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {MOST})"
        ));
    }
    let is_forward = asked.get("direction").is_some_and(|it| it == "forward");
    let records = shared.lock().ledger(Backend::Loki).records_since(0);
    let mut found: Vec<(BTreeMap<String, String>, Record)> = records
        .into_iter()
        .filter(|record| (start..end).contains(&record.timestamp_ns))
        .filter_map(|mut record| {
            let labels = Labels::parse(&record.stream).ok()?;
            let is_wanted = wanted.0.iter().all(|label| labels.0.contains(label));
            let metadata = std::mem::take(&mut record.metadata);
            let stream = labels.0.into_iter().chain(metadata);
            is_wanted.then(|| (stream.collect(), record))
        })
        .collect();
    found.sort_by_key(|(_, record)| record.timestamp_ns);
    if !is_forward {
        found.reverse();
    }
    found.truncate(limit);
    let mut streams: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (stream, record) in found {
        let value = (record.timestamp_ns.to_string(), record.line);
        streams.entry(stream).or_default().push(value);
    }
    let result = streams.into_iter();
    Ok(Answer {
        status: "success",
        data: Data {
            result_type: "streams",
            result: result
                .map(|(stream, values)| Found { stream, values })
                .collect(),
        },
    })
}

/// Text as it was before it was put into a URL.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|it| std::str::from_utf8(it).ok());
        let escaped = hex.and_then(|it| u8::from_str_radix(it, 16).ok());
        rest = after;
        bytes.push(match (byte, escaped) {
            (b'%', Some(escaped)) => {
                rest = &after[2..];
                escaped
            }
            (b'+', _) => b' ',
            _ => *byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
