//! `/healthz`, `/readyz` and `/metrics` over HTTP. Nothing secret is answered here, and nothing
//! can be changed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::Observer;

/// So many connections are served at once: a scrape and probes need few. For a further one the
/// oldest is closed: it is idle or dawdles, since whoever asks is answered at once.
const MAX_CONNECTIONS: usize = 64;
/// What is answered at the root.
pub(crate) const GREETING: &str = "pinnace: /healthz /readyz /metrics\n";
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Listens on `address`.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// That an address cannot be served, and what would mend it.
pub(crate) fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    format!("cannot listen on {address}: {error}; set server.listen to a free address, or to off")
}

/// Serves until the runtime ends.
pub(crate) async fn serve(listener: TcpListener, observer: Arc<Observer>) {
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Most likely no descriptor is left: it gets better, or the files go first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        open.retain(|it| !it.is_finished());
        if open.len() >= MAX_CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let observer = Arc::clone(&observer);
        let serving = tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&observer), request));
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                tracing::debug!(%error, "a connection to the HTTP server ended early");
            }
        });
        open.push_back(serving.abort_handle());
    }
}

async fn answer(
    observer: Arc<Observer>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    Ok(match request.uri().path() {
        "/healthz" if observer.health.is_alive() => text(StatusCode::OK, "ok\n".to_owned()),
        "/healthz" => text(
            StatusCode::SERVICE_UNAVAILABLE,
            "the reading loop has not turned for a minute\n".to_owned(),
        ),
        "/readyz" => {
            let status = observer.status(false).await;
            if status.ready {
                text(StatusCode::OK, "ready\n".to_owned())
            } else {
                text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    status.troubles.join("\n") + "\n",
                )
            }
        }
        "/metrics" => {
            let mut response = text(StatusCode::OK, observer.metrics_text().await);
            response.headers_mut().insert(
                CONTENT_TYPE,
                HeaderValue::from_static(
                    "application/openmetrics-text; version=1.0.0; charset=utf-8",
                ),
            );
            response
        }
        "/" => text(StatusCode::OK, GREETING.to_owned()),
        _ => text(
            StatusCode::NOT_FOUND,
            "there is /healthz, /readyz and /metrics\n".to_owned(),
        ),
    })
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
