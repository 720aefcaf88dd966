//! Ways through a proxy, to names that only the proxy can look up.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use pinnace::receiver::Backend;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::authority::Authority;
use crate::harness::{Aside, Front, Scene};
use crate::tls::{delivers, is_told, loki_at};

/// `me:pass` in base64.
const BASIC: &str = "Basic bWU6cGFzcw==";

/// A proxy that leads every name to one address.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    _server: Aside,
}

impl Proxy {
    pub(crate) fn to(behind: SocketAddr) -> Self {
        Self::start(behind, None, "403 Forbidden")
    }

    /// A proxy that lets nobody through.
    pub(crate) fn refusing(behind: SocketAddr) -> Self {
        Self::start(behind, Some("Basic nobody"), "403 Forbidden")
    }

    /// It wants `authorization`, and answers `refusal` without it.
    fn start(
        behind: SocketAddr,
        authorization: Option<&'static str>,
        refusal: &'static str,
    ) -> Self {
        let heads = Arc::new(Mutex::new(Vec::new()));
        let server = Aside::serve({
            let heads = Arc::clone(&heads);
            move |stream| {
                let heads = Arc::clone(&heads);
                async move {
                    // It ends when either side goes away.
                    let _ = lead(stream, behind, authorization, refusal, &heads).await;
                }
            }
        });
        Self {
            address: server.address,
            heads,
            _server: server,
        }
    }

    /// The first line of each request.
    pub(crate) fn requests(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        let first = heads.iter().map(|it| it.lines().next().unwrap().to_owned());
        first.collect()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn lead(
    mut stream: TcpStream,
    behind: SocketAddr,
    authorization: Option<&str>,
    refusal: &str,
    heads: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|it| it == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    heads.lock().unwrap().push(text.clone());
    let is_let_through = authorization.is_none_or(|it| {
        let wanted = format!("proxy-authorization: {}", it.to_ascii_lowercase());
        text.to_ascii_lowercase().contains(&wanted)
    });
    if !is_let_through {
        let answer = format!("HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n");
        return stream.write_all(answer.as_bytes()).await;
    }
    let mut onward = TcpStream::connect(behind).await?;
    if text.starts_with("CONNECT ") {
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await?;
    } else {
        onward.write_all(&head).await?;
    }
    tokio::io::copy_bidirectional(&mut stream, &mut onward).await?;
    Ok(())
}

/// A scene with a TLS server for a name that nobody but the proxy knows, and the key that trusts it.
pub(crate) fn hidden_server(name: &str) -> (Scene, Front, String) {
    let scene = Scene::new();
    let authority = Authority::new("ours");
    let tls = authority.signs(&[name]).server(None);
    let front = Front::before(scene.receiver.address(), Some(tls));
    let ca = authority.write(scene.dir().join("ca.pem"));
    let trust = format!("tls: {{ ca_file: \"{}\" }}", ca.display());
    (scene, front, trust)
}

#[test]
fn https_goes_through_a_tunnel_whose_proxy_looks_up_the_name() {
    let (scene, front, trust) = hidden_server("loki.hidden.test");
    let proxy = Proxy::to(front.address);
    let config = loki_at(
        &scene,
        "https://loki.hidden.test",
        &format!("{trust}, proxy: \"{}\"", proxy.url()),
    );
    delivers(&scene, &config, &[]);
    let requests = proxy.requests();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request, "CONNECT loki.hidden.test:443 HTTP/1.1");
    }
}

#[test]
fn the_environment_names_the_proxy_and_what_is_reached_without_it() {
    let (scene, front, trust) = hidden_server("loki.hidden.test");
    let proxy = Proxy::to(front.address);
    let config = loki_at(&scene, "https://loki.hidden.test", &trust);
    let variables = |no_proxy: &str| {
        [
            ("HTTPS_PROXY", proxy.url()),
            ("NO_PROXY", no_proxy.to_owned()),
        ]
    };
    is_told(
        &scene,
        &config,
        &variables("other.test,.hidden.test"),
        &[
            "cannot find the address of loki.hidden.test",
            "reason=\"unreachable\"",
        ],
    );
    assert!(proxy.requests().is_empty());
    let agent = crate::harness::Agent::start_with(&scene.write(&config), &variables("other.test"));
    scene.wait_for_stored(Backend::Loki, 10);
    agent.stop_well();
    assert!(!proxy.requests().is_empty());
}

#[test]
fn http_is_asked_of_the_proxy_as_a_whole_url() {
    let scene = Scene::new();
    let proxy = Proxy::start(scene.receiver.address(), Some(BASIC), "407 Who are you");
    let url = format!("http://me:pass@{}", proxy.address);
    let config = loki_at(
        &scene,
        "http://loki.hidden.test",
        &format!("proxy: \"{url}\""),
    );
    delivers(&scene, &config, &[]);
    for request in proxy.requests() {
        assert_eq!(
            request,
            "POST http://loki.hidden.test/loki/api/v1/push HTTP/1.1"
        );
    }
}

#[test]
fn a_proxy_that_wants_a_password_is_told_and_then_satisfied() {
    let (scene, front, trust) = hidden_server("loki.hidden.test");
    let proxy = Proxy::start(
        front.address,
        Some(BASIC),
        "407 Proxy Authentication Required",
    );
    let at = |user: &str| {
        let url = format!("http://{user}{}", proxy.address);
        loki_at(
            &scene,
            "https://loki.hidden.test",
            &format!("{trust}, proxy: \"{url}\""),
        )
    };
    is_told(
        &scene,
        &at(""),
        &[],
        &[
            "opens no tunnel to loki.hidden.test:443: it wants a user and a password (407)",
            "reason=\"proxy\"",
        ],
    );
    let line = is_told(
        &scene,
        &at("me:hunter2@"),
        &[],
        &["does not take this user and password (407)"],
    );
    assert!(!line.contains("hunter2"), "{line}");
    let agent = scene.start(&at("me:pass@"));
    scene.wait_for_stored(Backend::Loki, 20);
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn a_proxy_that_forbids_the_way_is_told() {
    let (scene, front, trust) = hidden_server("loki.hidden.test");
    let proxy = Proxy::start(front.address, Some(BASIC), "403 Forbidden");
    let more = format!("{trust}, proxy: \"{}\"", proxy.url());
    let config = loki_at(&scene, "https://loki.hidden.test", &more);
    is_told(
        &scene,
        &config,
        &[],
        &["it does not let us through (HTTP/1.1 403 Forbidden): allow loki.hidden.test:443 there"],
    );
}

#[test]
fn a_proxy_that_is_not_there_is_told_apart_from_the_server() {
    let scene = Scene::new();
    let port = crate::harness::free_port();
    let proxy = format!("proxy: \"http://127.0.0.1:{port}\"");
    let config = loki_at(&scene, "https://loki.hidden.test", &proxy);
    let told = format!("cannot connect to the proxy 127.0.0.1:{port}: Connection refused");
    is_told(&scene, &config, &[], &[&told]);
}
