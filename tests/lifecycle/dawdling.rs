//! Clients of the HTTP server that keep their connections and ask nothing.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{Scene, get};

/// More than are served at once.
const CLIENTS: usize = 100;
/// For so long is waited for each of them.
const WAIT: Duration = Duration::from_secs(10);

/// Begins to ask.
fn dawdle(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // Closed already where many others came meanwhile.
    let _ = write!(stream, "GET /metrics HTTP/1.1\r\nHost: ");
    stream
}

#[test]
fn whoever_asks_is_answered_while_many_others_dawdle() {
    let scene = Scene::new();
    let config = scene.cloudwatch_config().serving();
    let agent = scene.start(&config);
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS).map(|_| dawdle(config.port())).collect();
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert!(get(config.port(), path).is_some(), "{path}");
    }
    assert!(begun.elapsed() < WAIT, "somebody was waited for");
    drop(clients);
    agent.stop_well();
}
