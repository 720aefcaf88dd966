//! The HTTP side: accepts connections, finds whose request it is, reads its body, carries out
//! faults, and keeps the counts of requests. Never looks into a body.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::faults::{Action, Verdict};
use super::options::Backend;
use super::reply::{Asked, Reply, Tally};
use super::state::Shared;
use super::summary::{Exchange, Summary};
use super::wire::Wire;
use super::{cloudwatch, control, loki, moment};

/// More than any backend takes, so that a runaway body cannot fill the memory.
const MOST_WIRE_BYTES: usize = 100 * 1024 * 1024;

/// Answers until `stopped` ends, whichever way.
pub(super) async fn serve(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    tokio::select! {
        () = accept(listener, shared) => {}
        _ = stopped => {}
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, mostly: let the others finish first.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Without it small answers can wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let reset = Arc::new(AtomicBool::new(false));
        let io = TokioIo::new(Wire::new(stream, Arc::clone(&reset)));
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| {
            let (shared, reset) = (Arc::clone(&shared), Arc::clone(&reset));
            async move { respond(&shared, request, &reset).await }
        });
        tokio::spawn(async move {
            // It fails when the client goes away or a fault cuts it off: both are intended.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(io, service)
                .await;
        });
    }
}

/// The connection is to be cut off, on purpose or since the client is gone.
#[derive(Debug, thiserror::Error)]
#[error("the connection was dropped")]
struct Dropped;

async fn respond(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    reset: &AtomicBool,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let (parts, incoming) = request.into_parts();
    let path = parts.uri.path();
    if path.starts_with("/_receiver/") {
        let body = read(incoming).await.map_err(|_| Dropped)?;
        let reply = body.map_or_else(too_large, |body| control::answer(shared, &parts, &body));
        return Ok(response(reply));
    }
    if parts.method == Method::GET && path == "/loki/api/v1/query_range" {
        return Ok(response(loki::query::answer(shared, &parts)));
    }
    let (backend, operation) = match (&parts.method, path) {
        (_, "/ready") => (Backend::Loki, "ready".to_owned()),
        (&Method::POST, "/loki/api/v1/push") => (Backend::Loki, "push".to_owned()),
        (&Method::POST, "/") => (Backend::Cloudwatch, cloudwatch::operation(&parts.headers)),
        (_, "/loki/api/v1/push") => return Ok(response(text(405, "Method Not Allowed\n"))),
        _ => return Ok(response(text(404, "404 page not found\n"))),
    };
    if let Some(reply) = ask(shared, backend, &operation, &parts, incoming).await {
        return Ok(response(reply));
    }
    reset.store(true, Ordering::Relaxed);
    Err(Dropped)
}

/// Carries out one request to a backend. `None` drops the connection.
async fn ask(
    shared: &Arc<Shared>,
    backend: Backend,
    operation: &str,
    parts: &Parts,
    incoming: Incoming,
) -> Option<Reply> {
    let number = shared.change(|state| state.ledger(backend).begin(operation));
    let _in_flight = InFlight { shared, backend };
    let body = read(incoming).await.ok()?;
    let (verdict, freed) = shared.decide(backend, operation);
    if !verdict.latency.is_zero() {
        tokio::time::sleep(verdict.latency).await;
    }
    let body_bytes = body.as_ref().map_or(0, |body| body.len() as u64);
    let carry_out = |reject: f64| {
        let Some(body) = &body else {
            return too_large();
        };
        let asked = Asked {
            number,
            operation,
            headers: &parts.headers,
            body,
            reject,
            now_ns: moment::now_ns(),
        };
        answer(shared, backend, &asked)
    };
    if let (Some(late), Some(body)) = (verdict.late, &body) {
        let (shared, operation) = (Arc::clone(shared), operation.to_owned());
        let (headers, body) = (parts.headers.clone(), body.clone());
        tokio::spawn(async move {
            tokio::time::sleep(late).await;
            let asked = Asked {
                number,
                operation: &operation,
                headers: &headers,
                body: &body,
                reject: 0.0,
                now_ns: moment::now_ns(),
            };
            answer(&shared, backend, &asked);
        });
    }
    let made_up = !matches!(
        verdict.action,
        Action::Pass | Action::Reject(_) | Action::Hang
    );
    let (reply, tally) = match &verdict.action {
        Action::Pass => whole(carry_out(0.0)),
        Action::Reject(share) => whole(carry_out(*share)),
        Action::Hang if verdict.store => {
            let reply = carry_out(0.0);
            shared.hang(backend, freed).await;
            whole(reply)
        }
        Action::Hang => {
            shared.hang(backend, freed).await;
            if verdict.late.is_some() {
                return None;
            }
            whole(carry_out(0.0))
        }
        Action::Status(_) | Action::Error(_) | Action::Reset => {
            let tally = if verdict.store {
                carry_out(0.0).tally
            } else {
                Tally::default()
            };
            (make_up(backend, &verdict), tally)
        }
    };
    let mut exchange = Exchange {
        backend,
        request: number,
        operation: operation.to_owned(),
        status: reply.as_ref().map(|reply| reply.status),
        error: reply.as_ref().and_then(|reply| reply.error.clone()),
        message: reply.as_ref().and_then(|reply| reply.message.clone()),
        injected: made_up,
        stored: tally.stored,
        replayed: tally.replayed,
        rejected: tally.rejected,
        arrivals: 0,
        body_bytes,
        decoded_bytes: tally.decoded_bytes,
    };
    shared.change(|state| {
        let ledger = state.ledger(backend);
        exchange.arrivals = ledger.arrived;
        count(&mut ledger.summary, &exchange);
    });
    if let Some(observer) = &shared.options.observer {
        observer.call(&exchange);
    }
    reply
}

fn answer(shared: &Shared, backend: Backend, asked: &Asked<'_>) -> Reply {
    match backend {
        Backend::Loki => loki::answer(shared, asked),
        Backend::Cloudwatch => cloudwatch::answer(shared, asked),
    }
}

fn whole(reply: Reply) -> (Option<Reply>, Tally) {
    let tally = reply.tally;
    (Some(reply), tally)
}

fn make_up(backend: Backend, verdict: &Verdict) -> Option<Reply> {
    let mut reply = match (&verdict.action, backend) {
        (Action::Status(status), Backend::Loki) => loki::failure(*status),
        (Action::Status(status), Backend::Cloudwatch) => cloudwatch::failure(*status),
        (Action::Error(code), Backend::Cloudwatch) => cloudwatch::failure_of(code),
        (Action::Error(code), Backend::Loki) => text(500, code),
        _ => return None,
    };
    reply.retry_after = verdict.retry_after;
    Some(reply)
}

fn count(summary: &mut Summary, exchange: &Exchange) {
    match exchange.status {
        Some(status) => *summary.by_status.entry(status).or_default() += 1,
        None => summary.resets += 1,
    }
    if let Some(error) = &exchange.error {
        Summary::count(&mut summary.by_error, error, 1);
    }
    summary.injected += u64::from(exchange.injected);
    summary.batches += u64::from(exchange.stored + exchange.replayed > 0);
    summary.body_bytes += exchange.body_bytes;
    summary.decoded_bytes += exchange.decoded_bytes;
}

/// Reads a body whole; `None` when it is larger than anyone takes.
async fn read(mut incoming: Incoming) -> Result<Option<Vec<u8>>, hyper::Error> {
    let announced = incoming.size_hint().lower();
    let room = usize::try_from(announced).unwrap_or(MOST_WIRE_BYTES);
    let mut body = Vec::with_capacity(room.min(MOST_WIRE_BYTES));
    let mut fits = true;
    while let Some(frame) = incoming.frame().await {
        if let Ok(data) = frame?.into_data() {
            fits &= body.len() + data.len() <= MOST_WIRE_BYTES;
            if fits {
                body.extend_from_slice(&data);
            }
        }
    }
    Ok(fits.then_some(body))
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if !reply.content_type.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    if let Some(seconds) = reply.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if reply.content_type == cloudwatch::CONTENT_TYPE {
        headers.insert(
            "x-amzn-requestid",
            HeaderValue::from_static("00000000-0000-0000-0000-000000000000"),
        );
        let code = reply.error.as_deref().unwrap_or_default();
        if let Ok(code) = HeaderValue::from_str(code)
            && !code.is_empty()
        {
            headers.insert("x-amzn-errortype", code);
        }
    }
    response
}

/// An answer in plain text, as Go's servers give it.
pub(super) fn text(status: u16, message: &str) -> Reply {
    Reply {
        status,
        content_type: "text/plain; charset=utf-8",
        body: message.as_bytes().to_vec(),
        message: (status >= 400).then(|| message.trim_end().to_owned()),
        ..Reply::default()
    }
}

fn too_large() -> Reply {
    text(413, "request body too large\n")
}

/// Counts a request out, also when its client goes away.
struct InFlight<'a> {
    shared: &'a Shared,
    backend: Backend,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.shared.change(|state| {
            let summary = &mut state.ledger(self.backend).summary;
            summary.in_flight = summary.in_flight.saturating_sub(1);
        });
    }
}
