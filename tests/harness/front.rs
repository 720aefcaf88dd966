//! A server in front of the receiver, or one that stands for another service: with TLS or without,
//! it judges every request, answers it or passes it on, and remembers what it saw.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::Aside;

/// Answers a request with a status and a body, or passes it on.
pub(crate) type Judge = Box<dyn Fn(&Parts, &[u8]) -> Option<(u16, String)> + Send + Sync>;

/// What is done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is carried out behind the front.
    PassOn,
    /// It is answered with a status and a body.
    Answer(u16, String),
    /// It is carried out, and answered otherwise.
    CarryOutAndAnswer(u16, String),
    /// It is never answered.
    Hang,
    /// Its connection is closed.
    Break,
}

type Script = Box<dyn Fn(&Parts, &[u8]) -> Verdict + Send + Sync>;

/// A running server. Dropping it ends it.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    _server: Aside,
}

struct Shared {
    tls: Mutex<Option<Arc<ServerConfig>>>,
    script: Script,
    behind: Option<SocketAddr>,
    date: Mutex<Option<&'static str>>,
    connections: AtomicUsize,
    seen: Mutex<Vec<Parts>>,
}

impl Front {
    /// Passes everything on.
    pub(crate) fn before(behind: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        Self::start(Some(behind), tls, Box::new(|_, _| Verdict::PassOn))
    }

    /// Does with each request what `script` says.
    pub(crate) fn scripted(
        behind: SocketAddr,
        script: impl Fn(&Parts, &[u8]) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self::start(Some(behind), None, Box::new(script))
    }

    /// Judges what it passes on.
    pub(crate) fn judging(behind: SocketAddr, judge: Judge) -> Self {
        Self::scripted(behind, move |parts, body| match judge(parts, body) {
            Some((status, text)) => Verdict::Answer(status, text),
            None => Verdict::PassOn,
        })
    }

    /// Answers by itself.
    pub(crate) fn answering(
        answer: impl Fn(&Parts, &[u8]) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        Self::start(
            None,
            None,
            Box::new(move |parts, body| {
                let (status, text) = answer(parts, body);
                Verdict::Answer(status, text)
            }),
        )
    }

    fn start(behind: Option<SocketAddr>, tls: Option<Arc<ServerConfig>>, script: Script) -> Self {
        let shared = Arc::new(Shared {
            tls: Mutex::new(tls),
            script,
            behind,
            date: Mutex::new(None),
            connections: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let server = Aside::serve({
            let shared = Arc::clone(&shared);
            move |stream| accepted(stream, Arc::clone(&shared))
        });
        Self {
            address: server.address,
            shared,
            _server: server,
        }
    }

    /// Shows another certificate to new connections.
    pub(crate) fn set_tls(&self, tls: Arc<ServerConfig>) {
        *self.shared.tls.lock().unwrap() = Some(tls);
    }

    /// Dates its own answers by another clock.
    pub(crate) fn set_date(&self, date: &'static str) {
        *self.shared.date.lock().unwrap() = Some(date);
    }

    /// How many connections came, those without TLS to the end too.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// What `what` finds in each request so far.
    pub(crate) fn seen<T>(&self, what: impl Fn(&Parts) -> T) -> Vec<T> {
        self.shared.seen.lock().unwrap().iter().map(what).collect()
    }

    /// A header of each request so far.
    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        self.seen(|parts| header(parts, name))
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.address.port())
    }
}

/// A header of a request; empty without it.
pub(crate) fn header(parts: &Parts, name: &str) -> String {
    let value = parts.headers.get(name);
    value.map_or("", |it| it.to_str().unwrap()).to_owned()
}

async fn accepted(stream: TcpStream, shared: Arc<Shared>) {
    shared.connections.fetch_add(1, Ordering::Relaxed);
    let tls = shared.tls.lock().unwrap().clone();
    match tls {
        None => serve(stream, shared).await,
        Some(tls) => {
            // A client that does not trust us goes away: that is what is tested.
            if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                serve(stream, shared).await;
            }
        }
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let service = service_fn(move |request| respond(Arc::clone(&shared), request));
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The connection is to be closed.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
struct Broken;

async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    shared.seen.lock().unwrap().push(parts.clone());
    let (status, text) = match (shared.script)(&parts, &body) {
        Verdict::PassOn => return pass_on(&shared, parts, body).await,
        Verdict::Answer(status, text) => (status, text),
        Verdict::CarryOutAndAnswer(status, text) => {
            pass_on(&shared, parts, body).await?;
            (status, text)
        }
        Verdict::Hang => std::future::pending().await,
        Verdict::Break => return Err(Broken.into()),
    };
    // An instance's service says this with its tokens, and AWS with every answer, also through a
    // proxy that answers otherwise; the others' clients do not mind.
    let mut response = Response::builder()
        .status(status)
        .header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        .header("x-amzn-requestid", "1");
    if let Some(date) = *shared.date.lock().unwrap() {
        response = response.header("date", date);
    }
    Ok(response.body(Full::new(Bytes::from(text))).unwrap())
}

async fn pass_on(
    shared: &Shared,
    parts: Parts,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let behind = shared.behind.unwrap();
    let stream = TcpStream::connect(behind).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender
        .send_request(Request::from_parts(parts, Full::new(body)))
        .await?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Response::from_parts(parts, Full::new(body)))
}
