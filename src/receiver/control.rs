//! The receiver's own HTTP interface below `/_receiver/`, so that scripts can do what the
//! in-process interface does. Knows nothing of the two protocols.

use hyper::Method;
use hyper::http::request::Parts;
use serde::Deserialize;
use serde_json::json;

use super::faults::Faults;
use super::options::Backend;
use super::reply::Reply;
use super::server::text;
use super::state::Shared;

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";

/// The body of `POST /_receiver/faults`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFaults {
    /// Without it: both.
    #[serde(default)]
    backend: Option<Backend>,
    /// Without it: none any more.
    #[serde(default)]
    faults: Faults,
}

pub(super) fn answer(shared: &Shared, parts: &Parts, body: &[u8]) -> Reply {
    let query = parts.uri.query().unwrap_or_default();
    let backends = match parameter(query, "backend") {
        None => Backend::ALL.to_vec(),
        Some(name) => match Backend::from_name(name) {
            Some(backend) => vec![backend],
            None => return text(400, "backend is neither loki nor cloudwatch\n"),
        },
    };
    let what = parts.uri.path().trim_start_matches("/_receiver/");
    match (&parts.method, what) {
        (&Method::GET, "summary") => summary(shared, &backends),
        (&Method::GET, "records") => {
            let since = parameter(query, "since").map_or(Ok(0), str::parse);
            let Ok(since) = since else {
                return text(400, "since is not a number\n");
            };
            records(shared, &backends, since)
        }
        (&Method::GET, "streams") => streams(shared),
        (&Method::POST, "faults") => match serde_json::from_slice::<SetFaults>(body) {
            Ok(set) => {
                for backend in set.backend.map_or(backends, |backend| vec![backend]) {
                    shared.set_faults(backend, set.faults.clone());
                }
                done()
            }
            Err(error) => text(400, &format!("{error}\n")),
        },
        (&Method::POST, "pause" | "resume") => {
            for backend in backends {
                shared.pause(backend, what == "pause");
            }
            done()
        }
        (&Method::POST, "clear") => {
            shared.clear();
            done()
        }
        _ => text(
            404,
            "GET summary, records, streams; POST faults, pause, resume, clear\n",
        ),
    }
}

fn summary(shared: &Shared, backends: &[Backend]) -> Reply {
    let mut state = shared.lock();
    let mut all = serde_json::Map::new();
    for backend in backends {
        let summary = &state.ledger(*backend).summary;
        all.insert(backend.name().to_owned(), json!(summary));
    }
    body(JSON, format!("{}\n", serde_json::Value::Object(all)))
}

fn records(shared: &Shared, backends: &[Backend], since: u64) -> Reply {
    let mut lines = String::new();
    for backend in backends {
        let records = shared.lock().ledger(*backend).records_since(since);
        for record in records {
            let mut value = json!(record);
            value["backend"] = json!(backend);
            lines.push_str(&value.to_string());
            lines.push('\n');
        }
    }
    body(LINES, lines)
}

fn streams(shared: &Shared) -> Reply {
    let mut state = shared.lock();
    let loki = json!(state.ledger(Backend::Loki).summary.streams);
    let groups = state.cloudwatch.overview();
    let all = json!({ "loki": { "streams": loki }, "cloudwatch": { "groups": groups } });
    body(JSON, format!("{all}\n"))
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn done() -> Reply {
    Reply {
        status: 204,
        ..Reply::default()
    }
}

fn body(content_type: &'static str, body: String) -> Reply {
    Reply {
        status: 200,
        content_type,
        body: body.into_bytes(),
        ..Reply::default()
    }
}
