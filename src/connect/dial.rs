//! One new connection: the name is looked up, TCP connects, a proxy opens its tunnel, TLS shakes
//! hands. Every step is noted, so that a failure can say how far it came.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::proxy::{Proxies, Server};
use super::tls::Trust;
use super::{Failure, Target};
use crate::config;

/// A proxy's answer is shorter than this, in bytes.
const MAX_ANSWER: usize = 8 * 1024;
/// So many addresses of a name are tried.
const MAX_ADDRESSES: usize = 8;

/// What bytes go over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection over which a request can be sent.
pub(crate) struct Dialed {
    pub(super) stream: Box<dyn Stream>,
    /// Set when the server asks for a certificate of ours.
    pub(super) was_asked: Arc<AtomicBool>,
}

/// Makes connections with the settings of one output.
#[derive(Debug)]
pub(crate) struct Dialer {
    trust: Trust,
    server_name: Option<ServerName<'static>>,
    pub(super) proxies: Proxies,
    timeout: Duration,
    names: Names,
}

/// Who knows the addresses of a name.
#[derive(Debug)]
pub(super) enum Names {
    System,
    #[cfg(test)]
    Fixed(Arc<std::sync::Mutex<Vec<SocketAddr>>>),
}

/// A step on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Step {
    /// The name is looked up.
    #[default]
    Name,
    /// TCP connects.
    Connect,
    /// A proxy is asked for a tunnel.
    Proxy,
    /// TLS shakes hands.
    Tls,
}

/// How far a connection has come.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// The step that is under way, or that failed.
    pub(crate) step: Step,
    /// The proxy in between.
    pub(crate) proxy: Option<String>,
    /// The addresses of the server, or of the proxy.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The one that answered, and after how long.
    pub(crate) connected: Option<(SocketAddr, Duration)>,
    /// What TLS came to.
    pub(crate) tls: Option<&'static str>,
}

impl Dialer {
    pub(super) fn new(settings: &config::Connection) -> Self {
        let tls = &settings.tls;
        Self {
            trust: Trust::new(tls),
            server_name: tls
                .server_name
                .as_ref()
                .and_then(|name| ServerName::try_from(name.clone()).ok()),
            proxies: Proxies::new(&settings.proxy, |name| std::env::var(name).ok()),
            timeout: settings.timeout,
            names: Names::System,
        }
    }

    #[cfg(test)]
    pub(super) fn with_names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// Makes a connection within the configured time, or within `limit` if that is less.
    pub(crate) async fn dial(
        &self,
        target: &Target,
        limit: Option<Duration>,
        trace: &mut Trace,
    ) -> Result<Dialed, Failure> {
        let limit = limit.map_or(self.timeout, |limit| limit.min(self.timeout));
        let deadline = Instant::now() + limit;
        let result = tokio::time::timeout(limit, self.steps(target, deadline, &mut *trace)).await;
        match result {
            Ok(result) => result,
            Err(_) => Err(Failure::Timeout {
                step: trace.step,
                whom: trace
                    .proxy
                    .clone()
                    .filter(|_| trace.step != Step::Tls)
                    .map_or_else(|| target.authority(), |proxy| format!("the proxy {proxy}")),
                limit,
            }),
        }
    }

    async fn steps(
        &self,
        target: &Target,
        deadline: Instant,
        trace: &mut Trace,
    ) -> Result<Dialed, Failure> {
        let proxy = self.proxies.of(target)?;
        trace.proxy = proxy.map(|it| it.target.authority());
        let mut tcp = self
            .connect(proxy.map_or(target, |it| &it.target), deadline, trace)
            .await?;
        let was_asked = Arc::new(AtomicBool::new(false));
        if !target.is_tls {
            let stream: Box<dyn Stream> = Box::new(tcp);
            return Ok(Dialed { stream, was_asked });
        }
        if let Some(proxy) = proxy {
            trace.step = Step::Proxy;
            tunnel(&mut tcp, proxy, target).await?;
        }
        trace.step = Step::Tls;
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(target.host.clone())
                .map_err(|_| Failure::Url(target.authority()))?,
        };
        let config = self.trust.current(&was_asked)?;
        let stream = TlsConnector::from(config)
            .connect(name, tcp)
            .await
            .map_err(|error| Failure::tls(target, &error, was_asked.load(Ordering::Relaxed)))?;
        trace.tls = stream
            .get_ref()
            .1
            .protocol_version()
            .and_then(|version| match version {
                rustls::ProtocolVersion::TLSv1_2 => Some("TLS 1.2"),
                rustls::ProtocolVersion::TLSv1_3 => Some("TLS 1.3"),
                _ => None,
            });
        let stream: Box<dyn Stream> = Box::new(stream);
        Ok(Dialed { stream, was_asked })
    }

    /// Tries the addresses of a name one after the other, each for its share of the time.
    async fn connect(
        &self,
        target: &Target,
        deadline: Instant,
        trace: &mut Trace,
    ) -> Result<TcpStream, Failure> {
        let whom = || match &trace.proxy {
            Some(proxy) => format!("the proxy {proxy}"),
            None => target.authority(),
        };
        let mut addresses = self.names.addresses(target).await.map_err(|source| {
            let host = target.host.clone();
            Failure::Name { host, source }
        })?;
        addresses.truncate(MAX_ADDRESSES);
        trace.addresses.clone_from(&addresses);
        trace.step = Step::Connect;
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for (tried, address) in addresses.iter().enumerate() {
            let began = Instant::now();
            let left = deadline.saturating_duration_since(began);
            let share = u32::try_from(addresses.len() - tried).unwrap_or(1);
            match tokio::time::timeout(left / share, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    // Without it small requests can wait for an acknowledgement.
                    let _ = tcp.set_nodelay(true);
                    trace.connected = Some((*address, began.elapsed()));
                    return Ok(tcp);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        let whom = whom();
        Err(Failure::Connect { whom, source: last })
    }
}

impl Names {
    async fn addresses(&self, target: &Target) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = match self {
            Self::System => tokio::net::lookup_host((target.host.as_str(), target.port))
                .await?
                .collect(),
            #[cfg(test)]
            Self::Fixed(addresses) => addresses.lock().map(|it| it.clone()).unwrap_or_default(),
        };
        if found.is_empty() {
            return Err(io::Error::other("the name has no address"));
        }
        Ok(found)
    }
}

const NO_PROXY: &str = "look whether it is a proxy, and at its log";

/// Asks a proxy for a way to the target.
async fn tunnel(tcp: &mut TcpStream, proxy: &Server, target: &Target) -> Result<(), Failure> {
    let fail = |why: String| Failure::Proxy {
        proxy: proxy.target.authority(),
        target: target.authority(),
        why,
    };
    let authority = target.authority();
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let broke = |error: io::Error| fail(format!("the connection broke: {error}; {NO_PROXY}"));
    tcp.write_all(&request).await.map_err(broke)?;
    let mut answer = Vec::new();
    // The server speaks second in TLS: what comes before we do is the proxy's answer alone.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MAX_ANSWER {
            return Err(fail(format!("its answer does not end; {NO_PROXY}")));
        }
        if tcp.read_buf(&mut answer).await.map_err(broke)? == 0 {
            return Err(fail(format!("it closed the connection; {NO_PROXY}")));
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let line = answer.lines().next().unwrap_or_default();
    let status = line.split(' ').nth(1).and_then(|it| it.parse::<u16>().ok());
    match status {
        Some(200..=299) => Ok(()),
        Some(407) => Err(fail(match proxy.authorization {
            Some(_) => "it does not take this user and password (407): correct them in proxy".to_owned(),
            None => "it wants a user and a password (407): write them into proxy as http://user:password@host:port".to_owned(),
        })),
        Some(403) => Err(fail(format!(
            "it does not let us through ({line}): allow {authority} there"
        ))),
        _ => Err(fail(format!("it answered {line:?}; {NO_PROXY}"))),
    }
}
