//! A server in front of the receiver, or one that stands for another service: with TLS or without,
//! it judges every request, answers it or passes it on, and remembers what it saw.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// What is done with a request: answered with a status and a body, or passed on.
pub(crate) type Judge = Box<dyn Fn(&Parts, &[u8]) -> Option<(u16, String)> + Send + Sync>;

/// A running server. Dropping it ends it.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    tls: Mutex<Option<Arc<ServerConfig>>>,
    judge: Judge,
    behind: Option<SocketAddr>,
    date: Mutex<Option<&'static str>>,
    connections: AtomicUsize,
    seen: Mutex<Vec<Parts>>,
}

impl Front {
    /// Passes everything on.
    pub(crate) fn before(behind: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        Self::start(Some(behind), tls, Box::new(|_, _| None))
    }

    /// Judges what it passes on.
    pub(crate) fn judging(behind: SocketAddr, judge: Judge) -> Self {
        Self::start(Some(behind), None, judge)
    }

    /// Answers by itself.
    pub(crate) fn answering(
        answer: impl Fn(&Parts, &[u8]) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        Self::start(
            None,
            None,
            Box::new(move |parts, body| Some(answer(parts, body))),
        )
    }

    fn start(behind: Option<SocketAddr>, tls: Option<Arc<ServerConfig>>, judge: Judge) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            tls: Mutex::new(tls),
            judge,
            behind,
            date: Mutex::new(None),
            connections: AtomicUsize::new(0),
            seen: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                tokio::select! {
                    () = accept(listener, for_thread) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
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

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(&shared);
        let tls = shared.tls.lock().unwrap().clone();
        tokio::spawn(async move {
            match tls {
                None => serve(stream, shared).await,
                Some(tls) => {
                    // A client that does not trust us goes away: that is what is tested.
                    if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                        serve(stream, shared).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let service = service_fn(move |request| respond(Arc::clone(&shared), request));
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn respond(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    shared.seen.lock().unwrap().push(parts.clone());
    if let Some((status, text)) = (shared.judge)(&parts, &body) {
        // An instance's service says this with its tokens; the others' clients do not mind.
        let mut response = Response::builder()
            .status(status)
            .header("x-aws-ec2-metadata-token-ttl-seconds", "21600");
        if let Some(date) = *shared.date.lock().unwrap() {
            response = response.header("date", date);
        }
        return Ok(response.body(Full::new(Bytes::from(text))).unwrap());
    }
    let behind = shared.behind.unwrap();
    let stream = TcpStream::connect(behind).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender
        .send_request(Request::from_parts(parts, Full::new(body)))
        .await?;
    let (parts, body) = response.into_parts();
    Ok(Response::from_parts(
        parts,
        Full::new(body.collect().await?.to_bytes()),
    ))
}
