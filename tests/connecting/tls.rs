//! Whom the agent trusts, and how it shows who it is.

use std::fs;
use std::path::{Path, PathBuf};

use pinnace::receiver::Backend;

use crate::authority::{Authority, Identity};
use crate::harness::{Agent, Config, Front, Numbered, Scene};

/// A Loki output at a URL of its own.
pub(crate) fn loki_at(scene: &Scene, url: &str, more: &str) -> Config {
    Config {
        outputs: vec![format!(
            "{{ name: loki, type: loki, url: \"{url}\", batch: {{ max_wait: 20ms }}, {more} }}"
        )],
        ..scene.loki_config()
    }
}

/// The keys of `tls` that name files, and others.
pub(crate) fn tls(keys: &[(&str, &Path)], more: &str) -> String {
    let keys: Vec<String> = keys
        .iter()
        .map(|(key, path)| format!("{key}: \"{}\"", path.display()))
        .collect();
    format!("tls: {{ {}, {more} }}", keys.join(", "))
}

/// Lines go through and arrive.
pub(crate) fn delivers(scene: &Scene, config: &Config, variables: &[(&str, String)]) -> String {
    let mut series = Numbered::new("through");
    series.append_to(&scene.log("app.log"), 100);
    let agent = Agent::start_with(&scene.write(config), variables);
    scene.wait_for_stored(Backend::Loki, 100);
    let log = agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
    log
}

/// Lines do not go through, and the log says why.
pub(crate) fn is_told(
    scene: &Scene,
    config: &Config,
    variables: &[(&str, String)],
    sentences: &[&str],
) -> String {
    let mut series = Numbered::new("held");
    series.append_to(&scene.log("app.log"), 10);
    let agent = Agent::start_with(&scene.write(config), variables);
    let line = agent.wait_for_log("not delivered; nothing is lost");
    for sentence in sentences {
        assert!(line.contains(sentence), "{sentence:?} is not in {line}");
    }
    agent.kill();
    assert_eq!(scene.receiver.summary(Backend::Loki).stored, 0);
    line
}

/// A scene, an authority, and a server in front of the receiver with what it signed.
pub(crate) fn server(identity: impl Fn(&Authority) -> Identity) -> (Scene, Authority, Front) {
    let scene = Scene::new();
    let authority = Authority::new("ours");
    let tls = identity(&authority).server(None);
    let front = Front::before(scene.receiver.address(), Some(tls));
    (scene, authority, front)
}

#[test]
fn a_server_with_a_certificate_of_our_own_authority_is_trusted() {
    let (scene, authority, front) = server(|it| it.signs(&["localhost"]));
    let ca = authority.write(scene.dir().join("ca.pem"));
    let config = loki_at(&scene, &front.url("https"), &tls(&[("ca_file", &ca)], ""));
    delivers(&scene, &config, &[]);
}

#[test]
fn our_own_authority_can_be_the_only_one() {
    let (scene, authority, front) = server(|it| it.signs(&["localhost"]));
    let ca = authority.write(scene.dir().join("ca.pem"));
    let only = tls(&[("ca_file", &ca)], "system_roots: false");
    delivers(&scene, &loki_at(&scene, &front.url("https"), &only), &[]);
}

#[test]
fn the_authorities_of_the_system_are_trusted() {
    let (scene, authority, front) = server(|it| it.signs(&["localhost"]));
    let ca = authority.write(scene.dir().join("ca.pem"));
    let system = [("SSL_CERT_FILE", ca.display().to_string())];
    delivers(&scene, &loki_at(&scene, &front.url("https"), ""), &system);
}

#[test]
fn an_authority_that_nobody_named_is_told_with_the_key_to_set() {
    let (scene, _, front) = server(|it| it.signs(&["localhost"]));
    let other = Authority::new("another").write(scene.dir().join("other.pem"));
    let system = [("SSL_CERT_FILE", other.display().to_string())];
    let config = loki_at(&scene, &front.url("https"), "");
    is_told(
        &scene,
        &config,
        &system,
        &[
            "signed by nobody who is trusted here: set tls.ca_file",
            "reason=\"tls\"",
        ],
    );
}

#[test]
fn a_system_without_certificates_is_told_with_what_to_install() {
    let (scene, _, front) = server(|it| it.signs(&["localhost"]));
    let system = [("SSL_CERT_FILE", "/nowhere/ca.pem".to_owned())];
    let config = loki_at(&scene, &front.url("https"), "");
    is_told(
        &scene,
        &config,
        &system,
        &[
            "has no certificates to trust",
            "/nowhere/ca.pem",
            "set tls.ca_file",
        ],
    );
}

#[test]
fn an_expired_certificate_is_told_with_its_day() {
    let (scene, authority, front) = server(|it| it.signs_until(&["localhost"], 2021));
    let ca = authority.write(scene.dir().join("ca.pem"));
    let config = loki_at(&scene, &front.url("https"), &tls(&[("ca_file", &ca)], ""));
    is_told(
        &scene,
        &config,
        &[],
        &["its certificate expired on 2021-01-01: renew it"],
    );
}

#[test]
fn a_certificate_for_another_name_is_told_and_the_name_can_be_set() {
    let (scene, authority, front) = server(|it| it.signs(&["loki.example.com"]));
    let ca = authority.write(scene.dir().join("ca.pem"));
    let at = |more: &str| loki_at(&scene, &front.url("https"), &tls(&[("ca_file", &ca)], more));
    is_told(
        &scene,
        &at(""),
        &[],
        &["is for loki.example.com, not for localhost: correct the URL, or set tls.server_name"],
    );
    let agent = scene.start(&at("server_name: loki.example.com"));
    scene.wait_for_stored(Backend::Loki, 10);
    agent.stop_well();
}

/// A server that wants a certificate of its clients.
pub(crate) struct Wanting {
    pub(crate) front: Front,
    /// Who signs its clients' certificates.
    pub(crate) clients: Authority,
    /// The certificate of who signed its own.
    ca: PathBuf,
}

impl Wanting {
    pub(crate) fn before(scene: &Scene) -> Self {
        let (ours, clients) = (Authority::new("ours"), Authority::new("clients"));
        let tls = ours.signs(&["localhost"]).server(Some(&clients));
        Self {
            front: Front::before(scene.receiver.address(), Some(tls)),
            clients,
            ca: ours.write(scene.dir().join("ca.pem")),
        }
    }

    /// The keys of `tls` for a client without a certificate.
    pub(crate) fn without(&self) -> String {
        tls(&[("ca_file", &self.ca)], "")
    }

    /// The keys of `tls` for a client whose certificate this authority signs.
    pub(crate) fn signed_by(&self, scene: &Scene, authority: &Authority) -> String {
        let (cert, key) = authority.signs(&["pinnace"]).write(scene.dir(), "client");
        let files: [(&str, &Path); 3] = [
            ("ca_file", &self.ca),
            ("cert_file", &cert),
            ("key_file", &key),
        ];
        tls(&files, "")
    }
}

#[test]
fn a_server_that_wants_our_certificate_says_so_and_takes_the_right_one() {
    let scene = Scene::new();
    let server = Wanting::before(&scene);
    let at = |keys: &str| loki_at(&scene, &server.front.url("https"), keys);
    is_told(
        &scene,
        &at(&server.without()),
        &[],
        &["asked for a client certificate: set tls.cert_file and tls.key_file"],
    );
    let stranger = server.signed_by(&scene, &Authority::new("strangers"));
    is_told(
        &scene,
        &at(&stranger),
        &[],
        &["set tls.cert_file and tls.key_file to one that it accepts"],
    );
    let agent = scene.start(&at(&server.signed_by(&scene, &server.clients)));
    scene.wait_for_stored(Backend::Loki, 10);
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn a_server_without_tls_is_told() {
    let scene = Scene::new();
    let front = Front::before(scene.receiver.address(), None);
    let ca = Authority::new("any").write(scene.dir().join("ca.pem"));
    is_told(
        &scene,
        &loki_at(&scene, &front.url("https"), &tls(&[("ca_file", &ca)], "")),
        &[],
        &["what came back is not TLS; look whether the URL should begin with http://"],
    );
}

#[test]
fn files_that_hold_no_certificate_are_told_by_their_key() {
    let (scene, authority, front) = server(|it| it.signs(&["localhost"]));
    let ca = authority.write(scene.dir().join("ca.pem"));
    let (cert, _) = authority.signs(&["a"]).write(scene.dir(), "a");
    let (_, other_key) = authority.signs(&["b"]).write(scene.dir(), "b");
    let absent = scene.dir().join("absent.pem");
    let empty = scene.dir().join("empty.pem");
    fs::write(&empty, "nothing\n").unwrap();
    let pair: [(&str, &Path); 3] = [
        ("ca_file", &ca),
        ("cert_file", &cert),
        ("key_file", &other_key),
    ];
    let table: [(&[(&str, &Path)], &str); 3] = [
        (&[("ca_file", &absent)], "cannot read tls.ca_file"),
        (&[("ca_file", &empty)], "holds no certificate"),
        (&pair, "is not the key of the certificate in"),
    ];
    for (keys, sentence) in table {
        let config = loki_at(&scene, &front.url("https"), &tls(keys, ""));
        is_told(&scene, &config, &[], &[sentence, "reason=\"config\""]);
    }
}

#[test]
fn an_authority_that_is_replaced_while_running_is_trusted_without_a_restart() {
    let (scene, first, front) = server(|it| it.signs(&["localhost"]));
    let ca = first.write(scene.dir().join("ca.pem"));
    // Each request on a connection of its own, so that each looks at the certificate.
    let more = tls(&[("ca_file", &ca)], "") + ", connection: { idle: 0ms }";
    let config = loki_at(&scene, &front.url("https"), &more).serving();
    let mut series = Numbered::new("rotated");
    series.append_to(&scene.log("app.log"), 50);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 50);
    let second = Authority::new("second");
    front.set_tls(second.signs(&["localhost"]).server(None));
    series.append_to(&scene.log("app.log"), 50);
    agent.wait_for_log("signed by nobody who is trusted here");
    // A half-written file is no reason to give up what was good.
    fs::write(&ca, "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    agent.wait_for_log("a changed TLS file cannot be used");
    second.write(ca);
    scene.wait_for_stored(Backend::Loki, 100);
    config.wait_until_no_lag();
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}
