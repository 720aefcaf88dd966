//! The Loki push API: one request for each batch, and what each answer means. 204 alone is a
//! success. Retries nothing.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode, Uri};

use super::answers::Without;
use super::{Answer, Class, answers, clock, of_failure, unanswered};
use crate::batch::Batch;
use crate::batch::opened::Opened;
use crate::config::{self, Auth, Secret};
use crate::connect::auth::{Authorization, split_user};
use crate::connect::{Client, Limits};
use rejections::{Pushed, told};

pub(crate) mod rejections;

/// How Pinnace names itself to backends.
pub(super) const AGENT: &str = concat!("pinnace/", env!("CARGO_PKG_VERSION"));
/// Names the tenant.
const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");
/// More of an answer than this is not read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends to one Loki push endpoint.
pub(crate) struct Sender {
    client: Client,
    /// What is wrong with the settings, if anything is.
    request: Result<Shape, String>,
    authorization: Option<Authorization>,
    timeout: Duration,
}

/// What every request has.
struct Shape {
    uri: Uri,
    headers: HeaderMap,
}

impl Sender {
    /// A sender as configured; connects to nothing yet.
    pub(crate) fn new(output: &config::Loki) -> Self {
        let (url, user) = split_user(&output.url);
        let of_url = user.map(|(username, password)| Auth::Basic {
            username,
            password: Secret::Text(password),
        });
        let auth = output.auth.as_ref().or(of_url.as_ref());
        Self {
            client: Client::new(&output.connection),
            request: Shape::new(&url, output),
            authorization: auth.map(Authorization::new),
            timeout: output.request_timeout,
        }
    }

    /// Sends a batch once.
    pub(super) async fn send(&self, batch: &Batch) -> Answer {
        match self.post(batch.sealed.body.clone()).await {
            Ok(response) => understand(&response, batch),
            Err(answer) => answer,
        }
    }

    /// Posts a body once.
    pub(crate) async fn post(&self, body: Bytes) -> Result<Response<Bytes>, Answer> {
        let shape = match &self.request {
            Ok(shape) => shape,
            Err(sentence) => return Err(Answer::new(Class::Hold, "config", sentence)),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = shape.uri.clone();
        *request.headers_mut() = shape.headers.clone();
        if let Some(authorization) = &self.authorization {
            match authorization.header() {
                Ok(value) => request.headers_mut().insert(AUTHORIZATION, value),
                Err(error) => {
                    return Err(Answer::new(Class::Hold, "credentials", error.to_string()));
                }
            };
        }
        let limits = Limits {
            // Less than the whole, so that what was never sent is told apart.
            connect: Some(self.timeout * 9 / 10),
            answer: MAX_ANSWER,
        };
        let exchange = self.client.send(request, limits);
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(result) => result.map_err(|failure| of_failure(&failure)),
            Err(_) => Err(unanswered(
                Without::Silence,
                &format!(
                    "{} did not answer within {:?}",
                    shape.uri.authority().map_or("", |it| it.as_str()),
                    self.timeout
                ),
            )),
        }
    }
}

impl Sender {
    /// Where it sends to, if that can be used.
    pub(crate) fn uri(&self) -> Option<&Uri> {
        self.request.as_ref().ok().map(|it| &it.uri)
    }

    /// The connections that lead there.
    pub(crate) fn connections(&self) -> &Client {
        &self.client
    }
}

impl Shape {
    fn new(url: &str, output: &config::Loki) -> Result<Self, String> {
        let uri = url
            .parse()
            .map_err(|_| format!("the URL {url} cannot be used"))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &output.headers {
            let Secret::Text(value) = value else { continue };
            let name =
                HeaderName::try_from(name).map_err(|_| format!("{name} is no name of a header"))?;
            headers.insert(name.clone(), header(value, name.as_str())?);
        }
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-protobuf"),
        );
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(AGENT));
        if let Some(tenant) = &output.tenant_id {
            headers.insert(TENANT, header(tenant, "tenant_id")?);
        }
        Ok(Self { uri, headers })
    }
}

fn header(text: &str, what: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| format!("{what} holds characters that cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn understand(response: &Response<Bytes>, batch: &Batch) -> Answer {
    let retry_after = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let text = String::from_utf8_lossy(response.body());
    let answer = Answer {
        retry_after,
        ..classify(response.status(), text.trim())
    };
    if answer.class != Class::Refused {
        return answer;
    }
    let mut answer = name_the_refused(answer, text.trim(), batch);
    let date = response.headers().get(DATE).and_then(|it| it.to_str().ok());
    if answer.rejected.iter().any(|it| it.reason == "too_new")
        && let Some(fault) = date.and_then(|it| clock::fault(it, SystemTime::now(), "Loki's"))
    {
        answer.sentence = format!("{}; {fault}", answer.sentence);
    }
    answer
}

/// Finds in the text of a refusal which records are meant. When it names all of them the others
/// are stored.
fn name_the_refused(answer: Answer, text: &str, batch: &Batch) -> Answer {
    let Ok(opened) = Opened::of(&batch.sealed, &batch.stream) else {
        return answer;
    };
    let pushed: Vec<_> = opened
        .records()
        .map(|record| Pushed {
            time: record.time,
            len: record.text.len(),
        })
        .collect();
    let told = told(text, &pushed);
    let class = if told.is_all {
        Class::Partial
    } else {
        answer.class
    };
    Answer {
        class,
        rejected: told.rejected,
        ..answer
    }
}

/// Whether a request that is throttled with these words may be so large that it never passes: a
/// rate is told that it would fit into at once, or none.
fn may_be_too_large(text: &str) -> bool {
    let number_behind = |sign: &str, end: &str| -> Option<u64> {
        let (_, rest) = text.split_once(sign)?;
        rest.split_once(end)?.0.parse().ok()
    };
    let limit = number_behind("(limit: ", " bytes/sec)");
    let size = number_behind("totaling '", "' bytes");
    match (limit, size) {
        (Some(limit), Some(size)) => size > limit,
        _ => !text.contains("stream limit"),
    }
}

/// What an answer of Loki means.
pub(crate) fn classify(status: StatusCode, text: &str) -> Answer {
    // Loki always says why, and never in HTML.
    let is_page = text.is_empty() || text.starts_with('<');
    let code = if is_page { answers::PAGE } else { "" };
    let row = answers::find(&answers::LOKI, code, status.as_u16());
    if row.class == Class::Delivered {
        return Answer::delivered();
    }
    let said = if text.is_empty() {
        String::new()
    } else {
        format!(": {}", first_line(text))
    };
    Answer {
        may_be_too_large: row.class == Class::Retry && may_be_too_large(text),
        ..Answer::new(
            row.class,
            row.reason,
            format!("answered {}{said}; {}", status.as_u16(), row.mending),
        )
    }
}

/// The first line, shortened.
fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    &line[..line.floor_char_boundary(300)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_class() {
        let table = [
            (204, Class::Delivered, ""),
            (200, Class::Hold, "ingestion"),
            (260, Class::Hold, "ingestion"),
            (301, Class::Hold, "config"),
            (400, Class::Refused, "refused"),
            (401, Class::Hold, "credentials"),
            (403, Class::Hold, "credentials"),
            (404, Class::Hold, "config"),
            (413, Class::Split, "too_large"),
            (402, Class::Hold, "config"),
            (410, Class::Hold, "config"),
            (422, Class::Refused, "refused"),
            (429, Class::Retry, "throttled"),
            (500, Class::Open, "server_error"),
            (502, Class::Open, "server_error"),
            (503, Class::Open, "server_error"),
            (504, Class::Open, "server_error"),
        ];
        for (status, class, reason) in table {
            let answer = classify(StatusCode::from_u16(status).unwrap(), "why\nmore");
            assert_eq!((answer.class, answer.reason), (class, reason), "{status}");
            if class != Class::Delivered {
                assert!(answer.sentence.contains("why;"), "{}", answer.sentence);
            }
        }
    }

    #[test]
    fn no_record_is_refused_by_a_page_or_by_nothing() {
        for status in [400, 422] {
            for (text, expected) in [
                ("", Class::Hold),
                ("<html>\n<center>nginx</center>", Class::Hold),
                ("why", Class::Refused),
            ] {
                let answer = classify(StatusCode::from_u16(status).unwrap(), text);
                assert_eq!(answer.class, expected, "{status} {text}");
            }
        }
        let answer = classify(StatusCode::UNAUTHORIZED, "");
        assert_eq!(answer.reason, "credentials");
    }

    #[test]
    fn a_throttled_request_is_divided_only_where_it_may_never_pass() {
        let rate = |limit: u32, size: u32| {
            format!(
                "Ingestion rate limit exceeded for user fake (limit: {limit} bytes/sec) while attempting to ingest '7' lines totaling '{size}' bytes, reduce"
            )
        };
        for (text, expected) in [
            (rate(4_194_304, 1_000_000), false),
            (rate(1000, 4000), true),
            ("Maximum active stream limit exceeded".into(), false),
            ("slow down".into(), true),
        ] {
            let answer = classify(StatusCode::TOO_MANY_REQUESTS, &text);
            assert_eq!(answer.may_be_too_large, expected, "{text}");
        }
        assert!(!classify(StatusCode::OK, "").may_be_too_large);
    }
}
