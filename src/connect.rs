//! Connections to backends, the same for every output and for the AWS SDK: names, TCP, proxies,
//! TLS, and requests over connections that are used again for a while. Says exactly at which step
//! something failed. Retries nothing that may have been sent, and knows no backend.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Request, Response, Uri};

use crate::config;
use dial::{Dialer, Trace};
use pool::{Kept, Pool};

pub(crate) mod auth;
pub(crate) mod dial;
pub(crate) mod failure;
mod pool;
pub(crate) mod proxy;
pub(crate) mod sdk;
mod stamp;
pub(crate) mod tls;

pub(crate) use failure::{Failure, Kind};

/// Sends requests to any host with the settings of one output. A copy shares the connections.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dialer: Dialer,
    pool: Pool,
}

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Whether TLS is spoken.
    pub(crate) is_tls: bool,
    /// A name or an address; an IPv6 address without its brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

impl Target {
    /// What a URL leads to.
    pub(crate) fn of(uri: &Uri) -> Option<Self> {
        let is_tls = uri.scheme_str()? == "https";
        let host = uri.host()?;
        Some(Self {
            is_tls,
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
        })
    }

    /// As it is written in messages and in a request for a tunnel.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// How long a new connection may take, and how much of an answer is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Less than what is configured, if at all.
    pub(crate) connect: Option<Duration>,
    /// A longer answer is cut there, in bytes.
    pub(crate) answer: usize,
}

impl Client {
    /// A client with these settings; connects to nothing yet.
    pub(crate) fn new(settings: &config::Connection) -> Self {
        Self::with(Dialer::new(settings), settings)
    }

    fn with(dialer: Dialer, settings: &config::Connection) -> Self {
        Self {
            inner: Arc::new(Inner {
                dialer,
                pool: Pool::new(settings.idle, settings.lifetime),
            }),
        }
    }

    /// Makes new connections, for whoever wants to see each step.
    pub(crate) fn dialer(&self) -> &Dialer {
        &self.inner.dialer
    }

    /// Sends a request whose URI is absolute, and reads the answer to its end.
    pub(crate) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        limits: Limits,
    ) -> Result<Response<Bytes>, Failure> {
        let Some(target) = Target::of(request.uri()) else {
            return Err(Failure::Url(request.uri().to_string()));
        };
        if let Ok(host) = host_header(&target)
            && !request.headers().contains_key(HOST)
        {
            request.headers_mut().insert(HOST, host);
        }
        self.address(&mut request, &target)?;
        loop {
            let (mut kept, is_reused) = match self.inner.pool.take(&target) {
                Some(kept) => (kept, true),
                None => (self.open(&target, limits.connect).await?, false),
            };
            let broken = |error: &hyper::Error, kept: &Kept| {
                Failure::broken(&target, error, kept.was_asked())
            };
            if let Err(error) = kept.sender.ready().await {
                if is_reused {
                    continue;
                }
                return Err(broken(&error, &kept));
            }
            let response = match kept.sender.try_send_request(request).await {
                Ok(response) => response,
                Err(mut error) => match error.take_message() {
                    // It was closed while nobody looked, and nothing has been sent.
                    Some(unsent) if is_reused => {
                        request = unsent;
                        continue;
                    }
                    _ => return Err(broken(&error.into_error(), &kept)),
                },
            };
            let (parts, body) = response.into_parts();
            let (body, is_whole) = read(body, limits.answer)
                .await
                .map_err(|error| broken(&error, &kept))?;
            if is_whole {
                self.inner.pool.put(kept);
            }
            return Ok(Response::from_parts(parts, body));
        }
    }

    /// Boxed: it is large, and seldom needed.
    async fn open(&self, target: &Target, limit: Option<Duration>) -> Result<Kept, Failure> {
        let mut trace = Trace::default();
        let dialed = Box::pin(self.inner.dialer.dial(target, limit, &mut trace)).await?;
        Kept::begin(target.clone(), dialed, &self.inner.pool).await
    }

    /// A proxy wants the whole URL when it opens no tunnel; a server only the path.
    fn address(&self, request: &mut Request<Full<Bytes>>, target: &Target) -> Result<(), Failure> {
        match self.inner.dialer.proxies.of(target)? {
            Some(proxy) if !target.is_tls => {
                if let Some(authorization) = &proxy.authorization {
                    request
                        .headers_mut()
                        .insert(PROXY_AUTHORIZATION, authorization.clone());
                }
            }
            _ => {
                let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
                let path = path.parse().map_err(|_| Failure::Url(path.to_owned()))?;
                *request.uri_mut() = path;
            }
        }
        Ok(())
    }
}

/// The port is left out where it goes without saying: signatures are made over this header.
fn host_header(target: &Target) -> Result<HeaderValue, hyper::header::InvalidHeaderValue> {
    let usual = if target.is_tls { ":443" } else { ":80" };
    let authority = target.authority();
    HeaderValue::from_str(authority.strip_suffix(usual).unwrap_or(&authority))
}

/// Reads a body up to so many bytes, and says whether that was all.
async fn read(mut body: Incoming, most: usize) -> Result<(Bytes, bool), hyper::Error> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let room = most - all.len();
            all.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Ok((all.freeze(), false));
            }
        }
    }
    Ok((all.freeze(), true))
}

#[cfg(test)]
mod tests;
