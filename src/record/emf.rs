//! AWS's embedded metric format: recognised and looked over, never changed. A record of it must be
//! one JSON object and nothing else, or CloudWatch Logs makes no metrics of it and says nothing.

use serde_json::{Map, Value};

/// Most metrics of one directive.
const MOST_METRICS: usize = 100;
/// Most dimensions of one set.
const MOST_DIMENSIONS: usize = 30;

/// Looks over a record; nothing when it is none of this format. An error says what keeps
/// CloudWatch Logs from making metrics of it.
pub(crate) fn look_over(record: &[u8]) -> Option<Result<(), &'static str>> {
    let is_possible =
        record.first() == Some(&b'{') && memchr::memmem::find(record, b"\"_aws\"").is_some();
    if !is_possible {
        return None;
    }
    match serde_json::from_slice::<Map<String, Value>>(record) {
        Ok(root) => root.get("_aws").map(|aws| check(&root, aws)),
        Err(_) => Some(Err("it is not one whole JSON object")),
    }
}

fn check(root: &Map<String, Value>, aws: &Value) -> Result<(), &'static str> {
    if aws.get("Timestamp").and_then(Value::as_u64).is_none() {
        return Err("_aws.Timestamp is not a number of milliseconds");
    }
    let directives = aws.get("CloudWatchMetrics").and_then(Value::as_array);
    for directive in directives.ok_or("_aws.CloudWatchMetrics is not a list")? {
        let namespace = directive.get("Namespace").and_then(Value::as_str);
        if namespace.is_none_or(str::is_empty) {
            return Err("a directive has no Namespace");
        }
        let sets = directive.get("Dimensions").and_then(Value::as_array);
        for set in sets.ok_or("a directive has no list of Dimensions")? {
            check_dimensions(root, set)?;
        }
        let metrics = directive.get("Metrics").and_then(Value::as_array);
        let metrics = metrics.ok_or("a directive has no list of Metrics")?;
        if metrics.len() > MOST_METRICS {
            return Err("a directive has more than 100 metrics");
        }
        for metric in metrics {
            check_metric(root, metric)?;
        }
    }
    Ok(())
}

fn check_dimensions(root: &Map<String, Value>, set: &Value) -> Result<(), &'static str> {
    let names = set.as_array().ok_or("a set of dimensions is not a list")?;
    if names.len() > MOST_DIMENSIONS {
        return Err("a set has more than 30 dimensions");
    }
    for name in names {
        let name = name.as_str().ok_or("a dimension is not a name")?;
        if !root.get(name).is_some_and(Value::is_string) {
            return Err("a dimension is no text beside _aws");
        }
    }
    Ok(())
}

fn check_metric(root: &Map<String, Value>, metric: &Value) -> Result<(), &'static str> {
    let name = metric.get("Name").and_then(Value::as_str);
    let value = root.get(name.ok_or("a metric has no Name")?);
    let is_numbers = |value: &Value| match value {
        Value::Array(values) => !values.is_empty() && values.iter().all(Value::is_number),
        value => value.is_number(),
    };
    if !value.is_some_and(is_numbers) {
        return Err("a metric is no number beside _aws");
    }
    match metric.get("StorageResolution").map(Value::as_u64) {
        None | Some(Some(1 | 60)) => Ok(()),
        Some(_) => Err("a StorageResolution is neither 1 nor 60"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(directive: &str, rest: &str) -> String {
        format!(
            r#"{{"_aws":{{"Timestamp":1795341600000,"CloudWatchMetrics":[{directive}]}},{rest}}}"#
        )
    }

    #[test]
    fn records_of_the_format_are_known_and_looked_over() {
        let directive = |metrics: &str| {
            format!(r#"{{"Namespace":"app","Dimensions":[["service"]],"Metrics":[{metrics}]}}"#)
        };
        let fields = r#""service":"checkout","latency":[1,2.5],"count":3"#;
        let good = directive(
            r#"{"Name":"latency","Unit":"Milliseconds","StorageResolution":1},{"Name":"count"}"#,
        );
        let many = vec![r#"{"Name":"count"}"#; 101].join(",");
        let table = [
            (record(&good, fields), Some(Ok(()))),
            (record("", fields), Some(Ok(()))),
            ("{\"level\":\"info\"}".into(), None),
            ("text \"_aws\" text".into(), None),
            (r#"{"message":"about \"_aws\""}"#.into(), None),
            (
                record(&good, fields).replace("1795341600000", "\"now\""),
                Some(Err("_aws.Timestamp is not a number of milliseconds")),
            ),
            (
                record(&good, fields) + " and more",
                Some(Err("it is not one whole JSON object")),
            ),
            (
                record(&good, r#""latency":1,"count":3"#),
                Some(Err("a dimension is no text beside _aws")),
            ),
            (
                record(&good, r#""service":"a","count":3"#),
                Some(Err("a metric is no number beside _aws")),
            ),
            (
                record(&directive(&many), fields),
                Some(Err("a directive has more than 100 metrics")),
            ),
            (
                record(&good.replace("\"app\"", "\"\""), fields),
                Some(Err("a directive has no Namespace")),
            ),
            (
                record(&good.replace(":1}", ":5}"), fields),
                Some(Err("a StorageResolution is neither 1 nor 60")),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(look_over(text.as_bytes()), expected, "{text}");
        }
    }
}
