//! Tries a CloudWatch Logs output: an empty put shows credentials, permission, group and stream,
//! and stores nothing.

use std::path::Path;
use std::time::Instant;

use super::{RECORD, Section, way};
use crate::batch::StreamName;
use crate::config::{CloudWatchLogs, Config, LogClass, Output, VerifyAfterError};
use crate::deliver::cloudwatch::Sender;
use crate::deliver::cloudwatch::probe::Tried;
use crate::deliver::{Answer, Class};
use crate::dispatch::containers::Container;
use crate::dispatch::naming::{Naming, Values};

/// Takes the place of a file in names.
const FILE: &str = "/pinnace-check";

pub(super) async fn look(
    config: &Config,
    output: &Output,
    cloudwatch: &CloudWatchLogs,
    write: bool,
) -> Section {
    let (group, stream) = names(config, output);
    let mut section = Section::new(format!(
        "output {}: CloudWatch Logs, {group}, stream {stream}",
        output.name
    ));
    let sender = Sender::new(cloudwatch, None);
    let uri = match sender.uri().await {
        Ok(uri) => uri,
        Err(answer) => {
            section.fails("settings", answer.sentence);
            return section;
        }
    };
    if !way::look(&mut section, sender.connections(), &uri).await {
        return section;
    }
    let Tried { answer, date } = sender.try_put(&group, &stream).await;
    if let Some(date) = &date {
        way::clock(&mut section, Some(date));
    }
    if !put(&mut section, &answer) {
        return section;
    }
    if date.is_none() {
        section.holds(
            "clock",
            "AWS takes our signatures, so it is within 5 minutes",
        );
    }
    let of_read = read(&mut section, cloudwatch, &sender, &group, &stream).await;
    let missing = [Some(answer), of_read]
        .into_iter()
        .flatten()
        .find(|it| it.reason == "not_found");
    let can_be_there = missing.is_none_or(|it| create(&mut section, cloudwatch, &it.sentence));
    if can_be_there && write {
        match sender.write_once(&group, &stream, RECORD).await {
            Ok(()) => section.holds("write", "one test record is stored"),
            Err(answer) => section.fails("write", answer.sentence),
        }
    }
    section
}

/// Says what the empty put showed, and whether one that is not empty may go through. An empty one
/// is refused for being empty, after credentials and permission were found right.
fn put(section: &mut Section, answer: &Answer) -> bool {
    match (answer.class, answer.reason) {
        (Class::Delivered | Class::Partial | Class::Refused, _) | (_, "not_found") => {
            section.holds(
                "put",
                "the credentials are taken, and logs:PutLogEvents is not refused; nothing was written",
            );
            true
        }
        (Class::Retry, "throttled") => {
            section.note("put", answer.sentence.clone());
            true
        }
        _ => {
            section.fails("put", answer.sentence.clone());
            false
        }
    }
}

/// Says whether what is missing will be created.
fn create(section: &mut Section, cloudwatch: &CloudWatchLogs, sentence: &str) -> bool {
    let create = &cloudwatch.create;
    let is_group = sentence.contains("log group");
    let key = if !create.log_stream {
        "create.log_stream"
    } else if is_group && !create.log_group {
        "create.log_group"
    } else {
        section.note(
            "create",
            format!("{sentence} It will be created; whether that is allowed shows only then, or with --write"),
        );
        return true;
    };
    section.fails(
        "create",
        format!("{sentence} Create it, or set {key}: true"),
    );
    false
}

/// Tries to read back, if that is wanted, and gives the answer.
async fn read(
    section: &mut Section,
    cloudwatch: &CloudWatchLogs,
    sender: &Sender,
    group: &str,
    stream: &str,
) -> Option<Answer> {
    if cloudwatch.verify_after_error == VerifyAfterError::Never
        || cloudwatch.create.class != LogClass::Standard
    {
        return None;
    }
    let Tried { answer, .. } = sender.try_read(group, stream).await;
    let sentence = answer.sentence.clone();
    match (answer.class, answer.reason) {
        (Class::Delivered, _) | (_, "not_found") => {
            section.holds("read back", "logs:GetLogEvents is not refused");
        }
        (Class::Retry, _) => section.note("read back", sentence),
        _ if cloudwatch.verify_after_error == VerifyAfterError::Require => {
            section.fails("read back", sentence);
        }
        _ => section.note(
            "read back",
            format!("{sentence}; or set verify_after_error: never"),
        ),
    }
    Some(answer)
}

/// Group and stream as they are for a file of the first input.
fn names(config: &Config, output: &Output) -> (String, String) {
    let input = output.inputs.first().and_then(|name| config.input(name));
    let hostname = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let name = input.map(|input| {
        let values = Values {
            input: &input.name,
            path: Path::new(FILE),
            container: Some(Container {
                namespace: "namespace",
                pod: "pod",
                name: "container",
            }),
            hostname: &hostname,
            fields: &input.fields,
        };
        Naming::of(&output.kind)
            .name(&values, Instant::now())
            .stream
    });
    match name {
        Some(StreamName::CloudWatch { group, stream }) => (group, stream),
        _ => (String::new(), String::new()),
    }
}
