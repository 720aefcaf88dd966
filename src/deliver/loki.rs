//! The Loki push API: one request for each batch, and what each answer means. 204 alone is a
//! success. Retries nothing.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::{Answer, Class};
use crate::batch::Batch;
use crate::config;

/// How Pinnace names itself to backends.
pub(super) const AGENT: &str = concat!("pinnace/", env!("CARGO_PKG_VERSION"));
/// Names the tenant.
const TENANT: HeaderName = HeaderName::from_static("x-scope-orgid");
/// More of an answer than this is not read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;
/// An idle connection is given up after this, before a load balancer does.
const IDLE: Duration = Duration::from_secs(50);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends to one Loki push endpoint.
pub(crate) struct Sender {
    output: config::Loki,
    connection: OnceLock<Connection>,
}

/// What is needed to send, made before the first request and again until that succeeds.
struct Connection {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    authorization: Option<HeaderValue>,
    tenant: Option<HeaderValue>,
    timeout: Duration,
}

/// Why a sender cannot be made.
#[derive(Debug, thiserror::Error)]
enum SetUpError {
    /// The URL cannot be used.
    #[error("the URL {0} cannot be used")]
    Url(String),
    /// A text cannot stand in a header.
    #[error("{0} holds characters that cannot be sent in a header")]
    Header(&'static str),
    /// The system's certificates cannot be read.
    #[error("cannot read the certificates of the system, which https needs")]
    Certificates(#[source] std::io::Error),
}

impl Sender {
    /// A sender as configured; connects to nothing yet.
    pub(crate) fn new(output: &config::Loki) -> Self {
        Self {
            output: output.clone(),
            connection: OnceLock::new(),
        }
    }

    /// Sends a batch once.
    pub(super) async fn send(&self, batch: &Batch) -> Answer {
        if self.connection.get().is_none() {
            match Connection::new(&self.output) {
                Ok(connection) => {
                    let _ = self.connection.set(connection);
                }
                Err(error) => return Answer::new(Class::Hold, "config", innermost_and(&error)),
            }
        }
        match self.connection.get() {
            Some(connection) => connection.send(batch).await,
            None => Answer::new(Class::Retry, "config", "the connection is not set up"),
        }
    }
}

impl Connection {
    fn new(output: &config::Loki) -> Result<Self, SetUpError> {
        let (url, user) = split_user(&output.url);
        let uri: Uri = url.parse().map_err(|_| SetUpError::Url(url.clone()))?;
        let header = |text: String, what| {
            let mut value = HeaderValue::try_from(text).map_err(|_| SetUpError::Header(what))?;
            value.set_sensitive(true);
            Ok::<_, SetUpError>(value)
        };
        let authorization = user
            .map(|user| format!("Basic {}", aws_smithy_types::base64::encode(user)))
            .map(|text| header(text, "the user or the password in the URL"))
            .transpose()?;
        let tenant = output
            .tenant_id
            .clone()
            .map(|text| header(text, "tenant_id"))
            .transpose()?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.set_keepalive(Some(IDLE));
        let builder = HttpsConnectorBuilder::new();
        let builder = if uri.scheme_str() == Some("https") {
            builder
                .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
                .map_err(SetUpError::Certificates)?
        } else {
            // Without TLS no certificate is needed, and a scratch image may have none.
            let tls = rustls::ClientConfig::builder_with_provider(
                rustls::crypto::ring::default_provider().into(),
            )
            .with_safe_default_protocol_versions()
            .map_err(|error| SetUpError::Certificates(std::io::Error::other(error)))?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
            builder.with_tls_config(tls)
        };
        let connector = builder.https_or_http().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self {
            client,
            uri,
            authorization,
            tenant,
            timeout: output.request_timeout,
        })
    }

    async fn send(&self, batch: &Batch) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.uri)
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(USER_AGENT, AGENT);
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(value) = &self.tenant {
            request = request.header(TENANT, value);
        }
        let request = match request.body(Full::new(batch.sealed.body.clone())) {
            Ok(request) => request,
            Err(error) => return Answer::new(Class::Hold, "config", error.to_string()),
        };
        match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Answer::new(
                Class::Open,
                "timeout",
                format!("{} did not answer within {:?}", self.host(), self.timeout),
            ),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                return Answer::new(
                    Class::Retry,
                    "unreachable",
                    format!("cannot connect to {}: {}", self.host(), innermost(&error)),
                );
            }
            Err(error) => {
                return Answer::new(
                    Class::Open,
                    "connection",
                    format!(
                        "the connection to {} broke: {}",
                        self.host(),
                        innermost(&error)
                    ),
                );
            }
        };
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        // Read to its end, so that the connection can be used again.
        let text = match Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
        {
            Ok(body) => String::from_utf8_lossy(&body.to_bytes()).trim().to_owned(),
            Err(_) => String::new(),
        };
        Answer {
            retry_after,
            ..classify(status, &text)
        }
    }

    fn host(&self) -> &str {
        self.uri.authority().map_or("", |it| it.as_str())
    }
}

/// What an answer of Loki means. The table stands in ARCHITECTURE.md.
pub(crate) fn classify(status: StatusCode, text: &str) -> Answer {
    let (class, reason, mending) = match status.as_u16() {
        204 => return Answer::delivered(),
        200..=299 => (
            Class::Hold,
            "ingestion",
            "only 204 says that it is stored: look whether ingestion is blocked for this tenant",
        ),
        300..=399 => (
            Class::Hold,
            "config",
            "url must name the push endpoint itself, not a redirect",
        ),
        400 => (
            Class::Refused,
            "refused",
            "Loki refuses records of this batch: see its limits",
        ),
        401 => (
            Class::Hold,
            "credentials",
            "set tenant_id, or the user and password in url",
        ),
        403 => (
            Class::Hold,
            "credentials",
            "these credentials may not push: look at the gateway's rules and tenant_id",
        ),
        404 => (
            Class::Hold,
            "config",
            "there is no push endpoint at this url",
        ),
        405 => (Class::Hold, "config", "this url takes no push"),
        408 => (Class::Open, "timeout", "the server gave up waiting"),
        413 => (Class::Split, "too_large", "make batch.max_bytes smaller"),
        429 => (
            Class::Retry,
            "throttled",
            "the tenant's rate limit is reached: raise ingestion_rate_mb, or ship less",
        ),
        402..=499 => (Class::Refused, "refused", "the server refuses this request"),
        _ => (Class::Open, "server_error", "look at the server's own log"),
    };
    let said = if text.is_empty() {
        String::new()
    } else {
        format!(": {}", first_line(text))
    };
    Answer::new(
        class,
        reason,
        format!("answered {}{said}; {mending}", status.as_u16()),
    )
}

/// The first line, shortened.
fn first_line(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    &line[..line.floor_char_boundary(300)]
}

/// The cause at the bottom: what the system or the TLS library said.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// An error with its causes.
fn innermost_and(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", innermost(source)),
        None => error.to_string(),
    }
}

/// The URL without `user:password@`, and these two.
fn split_user(url: &str) -> (String, Option<String>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let authority_end = rest.find('/').unwrap_or(rest.len());
    match rest[..authority_end].rsplit_once('@') {
        Some((user, host)) => {
            let url = format!("{scheme}://{host}{}", &rest[authority_end..]);
            (url, Some(percent_decoded(user)))
        }
        None => (url.to_owned(), None),
    }
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes
            .get(at + 1..at + 3)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match (
            bytes[at],
            code.and_then(|hex| u8::from_str_radix(hex, 16).ok()),
        ) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
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
    fn the_user_is_taken_out_of_the_url() {
        let table = [
            ("http://h:3100/p", ("http://h:3100/p", None)),
            ("https://u:p%40ss@h/p", ("https://h/p", Some("u:p@ss"))),
            ("https://h/p@q", ("https://h/p@q", None)),
        ];
        for (url, (plain, user)) in table {
            assert_eq!(split_user(url), (plain.to_owned(), user.map(str::to_owned)));
        }
    }
}
