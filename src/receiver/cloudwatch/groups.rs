//! Log groups and log streams: what there is, and the operations that create and describe them.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Failure, rules};
use crate::receiver::bucket::Bucket;
use crate::receiver::ledger::Ledger;
use crate::receiver::options::Backend;
use crate::receiver::reply::Asked;
use crate::receiver::state::{Shared, State};

/// Every group by name.
#[derive(Debug, Default)]
pub(in crate::receiver) struct Groups {
    pub(super) groups: BTreeMap<String, Group>,
    /// How full the quota of each operation is.
    pub(super) buckets: BTreeMap<&'static str, Bucket>,
}

#[derive(Debug)]
pub(super) struct Group {
    created_ms: i64,
    pub(super) class: Class,
    pub(super) retention_days: Option<i64>,
    pub(super) streams: BTreeMap<String, Stream>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Class {
    #[default]
    Standard,
    InfrequentAccess,
    Delivery,
}

impl Class {
    const fn name(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::InfrequentAccess => "INFREQUENT_ACCESS",
            Self::Delivery => "DELIVERY",
        }
    }
}

#[derive(Debug)]
pub(super) struct Stream {
    /// Its number in the ledger.
    pub(super) number: usize,
    created_ms: i64,
    pub(super) last_ingestion_ms: Option<i64>,
    /// By timestamp, then by arrival.
    pub(super) events: Vec<Event>,
    /// The timestamp of the event stored last, milliseconds since 1970.
    pub(super) last_ms: i64,
    /// How full its quota of puts is.
    pub(super) puts: Bucket,
}

/// Where to find one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event {
    pub(super) timestamp_ms: i64,
    pub(super) arrival: u64,
    pub(super) stored: Instant,
    pub(super) ingested_ms: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateGroup {
    log_group_name: Option<String>,
    log_group_class: Option<Class>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateStream {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRetention {
    log_group_name: Option<String>,
    retention_in_days: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Describe {
    log_group_name: Option<String>,
    log_group_name_prefix: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<i64>,
}

impl Groups {
    pub(super) fn stream(&mut self, group: &str, stream: &str) -> Result<&mut Stream, Failure> {
        self.groups
            .get_mut(group)
            .ok_or_else(Failure::group_not_found)?
            .streams
            .get_mut(stream)
            .ok_or_else(Failure::stream_not_found)
    }

    /// Groups and streams with their counts, for scripts.
    pub(in crate::receiver) fn overview(&self) -> Value {
        let groups = self.groups.iter().map(|(name, group)| {
            let streams = group
                .streams
                .iter()
                .map(|(name, stream)| json!({ "name": name, "events": stream.events.len() }));
            json!({
                "name": name,
                "class": group.class.name(),
                "retention_in_days": group.retention_days,
                "streams": streams.collect::<Vec<_>>(),
            })
        });
        groups.collect()
    }
}

pub(super) fn create_group(
    shared: &Shared,
    asked: &Asked<'_>,
    input: &CreateGroup,
) -> Result<(), Failure> {
    let name = rules::group_name(input.log_group_name.as_deref())?;
    if name.starts_with("aws/") {
        return Err(Failure::parameter(
            "Log groups starting with 'aws/' are reserved for AWS.",
        ));
    }
    shared.change(|state| {
        let groups = &mut state.cloudwatch.groups;
        if groups.contains_key(name) {
            return Err(Failure::new(
                "ResourceAlreadyExistsException",
                "The specified log group already exists",
            ));
        }
        let group = Group {
            created_ms: asked.now_ns / 1_000_000,
            class: input.log_group_class.unwrap_or_default(),
            retention_days: None,
            streams: BTreeMap::new(),
        };
        groups.insert(name.to_owned(), group);
        Ok(())
    })
}

pub(super) fn create_stream(
    shared: &Shared,
    asked: &Asked<'_>,
    input: &CreateStream,
) -> Result<(), Failure> {
    let group_name = rules::group_name(input.log_group_name.as_deref())?;
    let name = rules::stream_name(input.log_stream_name.as_deref())?;
    shared.change(|state| {
        let State {
            ledgers,
            cloudwatch,
            ..
        } = state;
        let ledger: &mut Ledger = &mut ledgers[Backend::Cloudwatch.index()];
        let group = cloudwatch
            .groups
            .get_mut(group_name)
            .ok_or_else(Failure::group_not_found)?;
        if group.streams.contains_key(name) {
            return Err(Failure::new(
                "ResourceAlreadyExistsException",
                "The specified log stream already exists",
            ));
        }
        let stream = Stream {
            number: ledger.add_stream("", &format!("{group_name}:{name}")),
            created_ms: asked.now_ns / 1_000_000,
            last_ingestion_ms: None,
            events: Vec::new(),
            last_ms: i64::MIN,
            puts: Bucket::default(),
        };
        group.streams.insert(name.to_owned(), stream);
        Ok(())
    })
}

pub(super) fn put_retention(shared: &Shared, input: &PutRetention) -> Result<(), Failure> {
    let name = rules::group_name(input.log_group_name.as_deref())?;
    let Some(days) = input.retention_in_days else {
        return Err(rules::constraint(
            "Value null at 'retentionInDays'",
            "Member must not be null",
        ));
    };
    if !rules::RETENTION_DAYS.contains(&days) {
        return Err(rules::constraint(
            &format!("Value '{days}' at 'retentionInDays'"),
            &format!(
                "Member must satisfy enum value set: {:?}",
                rules::RETENTION_DAYS
            ),
        ));
    }
    shared.change(|state| {
        let group = state.cloudwatch.groups.get_mut(name);
        let group = group.ok_or_else(Failure::group_not_found)?;
        group.retention_days = Some(days);
        Ok(())
    })
}

pub(super) fn describe_groups(shared: &Shared, input: &Describe) -> Result<Value, Failure> {
    let limit = rules::page(input.limit, 50)?;
    let prefix = input.log_group_name_prefix.as_deref().unwrap_or_default();
    let state = shared.lock();
    let found = state.cloudwatch.groups.iter();
    let found = found.filter(|(name, _)| name.starts_with(prefix));
    let described = found.map(|(name, group)| {
        let arn = format!("arn:aws:logs:us-east-1:000000000000:log-group:{name}:*");
        let mut value = json!({
            "logGroupName": name,
            "logGroupClass": group.class.name(),
            "creationTime": group.created_ms,
            "metricFilterCount": 0,
            "storedBytes": 0,
            "arn": arn,
        });
        if let Some(days) = group.retention_days {
            value["retentionInDays"] = json!(days);
        }
        (name.clone(), value)
    });
    Ok(paged("logGroups", described.collect(), input, limit))
}

pub(super) fn describe_streams(shared: &Shared, input: &Describe) -> Result<Value, Failure> {
    let limit = rules::page(input.limit, 50)?;
    let group_name = rules::group_name(input.log_group_name.as_deref())?;
    let prefix = input.log_stream_name_prefix.as_deref().unwrap_or_default();
    let by_time = match input.order_by.as_deref() {
        None | Some("LogStreamName") => false,
        Some("LastEventTime") => true,
        Some(other) => {
            return Err(rules::constraint(
                &format!("Value '{other}' at 'orderBy'"),
                "Member must satisfy enum value set: [LogStreamName, LastEventTime]",
            ));
        }
    };
    if by_time && !prefix.is_empty() {
        return Err(Failure::parameter(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    let state = shared.lock();
    let group = state.cloudwatch.groups.get(group_name);
    let group = group.ok_or_else(Failure::group_not_found)?;
    let mut found: Vec<_> = group
        .streams
        .iter()
        .filter(|(name, _)| name.starts_with(prefix))
        .collect();
    if by_time {
        found.sort_by_key(|(_, stream)| stream.events.last().map(|event| event.timestamp_ms));
    }
    if input.descending.unwrap_or_default() {
        found.reverse();
    }
    let described = found.into_iter().map(|(name, stream)| {
        let arn =
            format!("arn:aws:logs:us-east-1:000000000000:log-group:{group_name}:log-stream:{name}");
        let mut value = json!({
            "logStreamName": name,
            "creationTime": stream.created_ms,
            "uploadSequenceToken": "1",
            "storedBytes": 0,
            "arn": arn,
        });
        if let (Some(first), Some(last)) = (stream.events.first(), stream.events.last()) {
            value["firstEventTimestamp"] = json!(first.timestamp_ms);
            value["lastEventTimestamp"] = json!(last.timestamp_ms);
        }
        if let Some(ingested) = stream.last_ingestion_ms {
            value["lastIngestionTime"] = json!(ingested);
        }
        (name.clone(), value)
    });
    Ok(paged("logStreams", described.collect(), input, limit))
}

/// One page, which begins behind the name that the token holds.
fn paged(field: &str, all: Vec<(String, Value)>, input: &Describe, limit: usize) -> Value {
    let start = input
        .next_token
        .as_ref()
        .and_then(|token| all.iter().position(|(name, _)| name == token))
        .map_or(0, |position| position + 1);
    let more = all.len() > start + limit;
    let (names, page): (Vec<_>, Vec<_>) = all.into_iter().skip(start).take(limit).unzip();
    let mut value = json!({ field: page });
    if more && let Some(last) = names.last() {
        value["nextToken"] = json!(last);
    }
    value
}
