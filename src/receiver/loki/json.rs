//! Reads the JSON form of a push. Checks the form only, no limit.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;
use serde_json::Value;

use super::{Entry, Push, Stream};

/// The body as JSON: `{"streams": [{"stream": {…}, "values": [["<ns>", "line", {…}]]}]}`.
#[derive(Debug, Deserialize)]
pub(super) struct Document {
    #[serde(default)]
    streams: Vec<JsonStream>,
}

#[derive(Debug, Deserialize)]
struct JsonStream {
    #[serde(default)]
    stream: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<Vec<Value>>,
}

impl Document {
    pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// The push in it, or what is wrong, in a sentence.
    pub(super) fn push(&self) -> Result<Push<'_>, String> {
        let streams = self.streams.iter().map(JsonStream::read);
        Ok(Push {
            streams: streams.collect::<Result<_, _>>()?,
        })
    }
}

impl JsonStream {
    fn read(&self) -> Result<Stream<'_>, String> {
        let mut labels = String::from("{");
        for (position, (name, value)) in self.stream.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(labels, "{comma}{name}={}", super::labels::quote(value));
        }
        labels.push('}');
        Ok(Stream {
            labels: labels.into(),
            entries: self
                .values
                .iter()
                .map(|value| entry(value))
                .collect::<Result<_, _>>()?,
        })
    }
}

fn entry(value: &[Value]) -> Result<Entry<'_>, String> {
    let (time, line, metadata) = match value {
        [Value::String(time), Value::String(line)] => (time, line, None),
        [
            Value::String(time),
            Value::String(line),
            Value::Object(metadata),
        ] => (time, line, Some(metadata)),
        _ => {
            return Err(
                "Value looks like neither [\"<unix epoch in ns>\", \"<line>\"] nor with an object \
                 of structured metadata as its third item"
                    .to_owned(),
            );
        }
    };
    let timestamp_ns = time
        .parse()
        .map_err(|_| format!("strconv.ParseInt: parsing \"{time}\": invalid syntax"))?;
    let metadata = metadata.into_iter().flatten().map(|(name, value)| {
        let value = value
            .as_str()
            .ok_or_else(|| format!("the structured metadata {name} is not a string"))?;
        Ok((name.as_str(), value))
    });
    Ok(Entry {
        timestamp_ns,
        line: line.as_bytes(),
        metadata: metadata.collect::<Result<_, String>>()?,
    })
}
