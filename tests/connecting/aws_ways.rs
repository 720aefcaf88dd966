//! The way to CloudWatch Logs: through a proxy that the environment names, and over TLS. Each thing
//! that can be wrong with it has the same sentence as on the way to Loki.

use pinnace::receiver::Backend;

use crate::authority::Authority;
use crate::aws::{cloudwatch_at, is_told, variables};
use crate::harness::{Agent, Scene};
use crate::proxies::{Proxy, hidden_server};
use crate::tls::{Wanting, server, tls};

/// An agent started so delivers the one line that [`is_told`] left.
fn delivers_what_waits(scene: &Scene, agent: Agent) {
    scene.wait_for_stored(Backend::Cloudwatch, 1);
    agent.stop_well();
    scene.assert_flawless(Backend::Cloudwatch);
}

#[test]
fn the_environment_leads_through_its_proxy_and_past_it() {
    let (scene, front, trust) = hidden_server("logs.hidden.test");
    let proxy = Proxy::to(front.address);
    let config = cloudwatch_at(&scene, "https://logs.hidden.test", &trust);
    let environment = |no_proxy: &str| {
        variables(&[
            ("AWS_ACCESS_KEY_ID", "AKIAENV"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("HTTPS_PROXY", &proxy.url()),
            ("NO_PROXY", no_proxy),
        ])
    };
    is_told(
        &scene,
        &config,
        &environment("other.test,.hidden.test"),
        &[
            "cannot find the address of logs.hidden.test",
            "reason=\"unreachable\"",
        ],
    );
    assert!(proxy.requests().is_empty());
    let agent = Agent::start_with(&scene.write(&config), &environment("other.test"));
    delivers_what_waits(&scene, agent);
    let requests = proxy.requests();
    assert!(!requests.is_empty());
    for request in requests {
        assert_eq!(request, "CONNECT logs.hidden.test:443 HTTP/1.1");
    }
}

#[test]
fn our_own_authority_is_trusted_and_another_is_told_with_the_key_to_set() {
    let (scene, authority, front) = server(|it| it.signs(&["localhost"]));
    let other = Authority::new("other").write(scene.dir().join("other.pem"));
    let at = |more: &str| cloudwatch_at(&scene, &front.url("https"), more);
    is_told(
        &scene,
        &at(&tls(&[("ca_file", &other)], "system_roots: false")),
        &[],
        &[
            "signed by nobody who is trusted here: set tls.ca_file",
            "reason=\"tls\"",
        ],
    );
    let ca = authority.write(scene.dir().join("ca.pem"));
    let agent = scene.start(&at(&tls(&[("ca_file", &ca)], "")));
    delivers_what_waits(&scene, agent);
}

#[test]
fn an_expired_certificate_is_told_with_its_day() {
    let (scene, authority, front) = server(|it| it.signs_until(&["localhost"], 2021));
    let ca = authority.write(scene.dir().join("ca.pem"));
    let trust = tls(&[("ca_file", &ca)], "");
    is_told(
        &scene,
        &cloudwatch_at(&scene, &front.url("https"), &trust),
        &[],
        &[
            "its certificate expired on 2021-01-01: renew it",
            "reason=\"tls\"",
        ],
    );
}

#[test]
fn a_certificate_for_another_name_is_told_and_the_name_can_be_set() {
    let (scene, authority, front) = server(|it| it.signs(&["logs.example.com"]));
    let ca = authority.write(scene.dir().join("ca.pem"));
    let at = |more: &str| {
        let trust = tls(&[("ca_file", &ca)], more);
        cloudwatch_at(&scene, &front.url("https"), &trust)
    };
    is_told(
        &scene,
        &at(""),
        &[],
        &[
            "logs.example.com",
            "for localhost: correct the URL, or set tls.server_name",
        ],
    );
    let agent = scene.start(&at("server_name: logs.example.com"));
    delivers_what_waits(&scene, agent);
}

#[test]
fn a_server_that_wants_our_certificate_says_so_and_takes_the_right_one() {
    let scene = Scene::new();
    let server = Wanting::before(&scene);
    let at = |keys: &str| cloudwatch_at(&scene, &server.front.url("https"), keys);
    is_told(
        &scene,
        &at(&server.without()),
        &[],
        &["asked for a client certificate: set tls.cert_file and tls.key_file"],
    );
    let agent = scene.start(&at(&server.signed_by(&scene, &server.clients)));
    delivers_what_waits(&scene, agent);
}
