//! How long connections are kept.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use pinnace::receiver::Backend;

use crate::harness::{Config, Front, Numbered, Scene, eventually, pass};
use crate::tls::loki_at;

/// Sends batches one after the other for a while and returns how many connections that took.
fn connections(more: &str, batches: u64, pause: Duration) -> (usize, Config) {
    let scene = Scene::new();
    let front = Front::before(scene.receiver.address(), None);
    let config = loki_at(&scene, &front.url("http"), more);
    let mut series = Numbered::new("kept");
    series.append_to(&scene.log("app.log"), 1);
    let agent = scene.start(&config);
    for sent in 1..=batches {
        scene.wait_for_stored(Backend::Loki, sent);
        pass(pause);
        series.append_to(&scene.log("app.log"), 1);
    }
    scene.wait_for_stored(Backend::Loki, batches + 1);
    let count = front.connections();
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
    (count, config)
}

#[test]
fn one_connection_serves_many_requests() {
    assert_eq!(connections("", 20, Duration::ZERO).0, 1);
}

#[test]
fn without_keeping_each_request_has_a_connection_of_its_own() {
    let more = "connection: { idle: 0ms }";
    assert_eq!(connections(more, 5, Duration::ZERO).0, 6);
}

#[test]
fn a_connection_ends_with_its_lifetime_however_busy_it_is() {
    let began = Instant::now();
    let more = "connection: { lifetime: 1s }";
    let (count, _) = connections(more, 12, Duration::from_millis(200));
    // Each lives for 0.9 s at least, and one that is older than 1.1 s is not used again.
    let seconds = began.elapsed().as_secs_f64();
    assert!(count >= 3, "{count} connections in {seconds} s");
    assert!(
        count as f64 <= seconds / 0.9 + 1.0,
        "{count} connections in {seconds} s"
    );
}

#[test]
fn a_server_that_closes_kept_connections_costs_nothing() {
    let scene = Scene::new();
    let config = loki_at(&scene, &scene.receiver.loki_url(), "").serving();
    let mut series = Numbered::new("closed");
    let agent = {
        let front = Front::before(scene.receiver.address(), None);
        let config = loki_at(&scene, &front.url("http"), "").serving();
        series.append_to(&scene.log("app.log"), 10);
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, 10);
        drop(front);
        series.append_to(&scene.log("app.log"), 10);
        agent.wait_for_log("Connection refused");
        agent
    };
    agent.kill();
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 20);
    config.wait_until_no_lag();
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn an_idle_connection_is_closed_by_the_agent() {
    let scene = Scene::new();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = loki_at(&scene, &url, "connection: { idle: 200ms }");
    Numbered::new("idle").append_to(&scene.log("app.log"), 1);
    let agent = scene.start(&config);
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut request = [0; 4096];
    assert!(stream.read(&mut request).unwrap() > 0);
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .unwrap();
    assert!(
        eventually(|| stream.read(&mut request).unwrap() == 0),
        "it was not closed"
    );
    agent.stop_well();
}
