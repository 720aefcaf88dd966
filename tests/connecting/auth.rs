//! Who the agent says it is to the gateway before Loki.

use std::fs;
use std::sync::{Arc, Mutex};

use pinnace::receiver::Backend;

use crate::harness::{Agent, Front, Numbered, Scene, header};
use crate::tls::{delivers, is_told, loki_at};

/// `me:pass` in base64.
const BASIC: &str = "Basic bWU6cGFzcw==";

/// A gateway that takes one value of `Authorization`.
fn gateway(scene: &Scene, expected: &str) -> (Front, Arc<Mutex<String>>) {
    let expected = Arc::new(Mutex::new(expected.to_owned()));
    let for_judge = Arc::clone(&expected);
    let front = Front::judging(
        scene.receiver.address(),
        Box::new(move |parts, _| {
            let is_right = header(parts, "authorization") == *for_judge.lock().unwrap();
            (!is_right).then(|| (401, "who are you\n".to_owned()))
        }),
    );
    (front, expected)
}

#[test]
fn a_user_and_a_password_can_be_given_in_every_way() {
    for of_url in [true, false] {
        for from in [
            "password: pass",
            "password: \"${GATE_PW}\"",
            "password_file: \"FILE\"",
        ] {
            let scene = Scene::new();
            let (front, _) = gateway(&scene, BASIC);
            let file = scene.dir().join("password");
            fs::write(&file, "pass\n").unwrap();
            let port = front.address.port();
            let config = if of_url {
                loki_at(&scene, &format!("http://me:pass@127.0.0.1:{port}"), "")
            } else {
                let from = from.replace("FILE", &file.display().to_string());
                let auth = format!("auth: {{ basic: {{ username: me, {from} }} }}");
                loki_at(&scene, &front.url("http"), &auth)
            };
            delivers(&scene, &config, &[("GATE_PW", "pass".to_owned())]);
            if of_url {
                break;
            }
        }
    }
}

#[test]
fn a_wrong_password_is_told_and_never_shown() {
    let scene = Scene::new();
    let (front, _) = gateway(&scene, BASIC);
    let auth = "auth: { basic: { username: me, password: hunter2 } }";
    let config = loki_at(&scene, &front.url("http"), auth);
    let line = is_told(
        &scene,
        &config,
        &[],
        &[
            "answered 401: who are you; look at auth",
            "reason=\"credentials\"",
        ],
    );
    assert!(!line.contains("hunter2"), "{line}");
}

#[test]
fn a_token_that_is_rotated_in_its_file_is_followed_without_loss() {
    let scene = Scene::new();
    let (front, expected) = gateway(&scene, "Bearer first");
    let file = scene.dir().join("token");
    fs::write(&file, "first\n").unwrap();
    let auth = format!(
        "auth: {{ bearer: {{ token_file: \"{}\" }} }}",
        file.display()
    );
    let config = loki_at(&scene, &front.url("http"), &auth).serving();
    let mut series = Numbered::new("token");
    series.append_to(&scene.log("app.log"), 50);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 50);
    for (round, token) in ["second", "third"].into_iter().enumerate() {
        *expected.lock().unwrap() = format!("Bearer {token}");
        series.append_to(&scene.log("app.log"), 50);
        let refused = front.headers("authorization").len();
        agent.wait_for_log("answered 401");
        let next = scene.dir().join("next");
        fs::write(&next, token).unwrap();
        fs::rename(&next, &file).unwrap();
        scene.wait_for_stored(Backend::Loki, 100 + 50 * round as u64);
        assert!(front.headers("authorization").len() > refused);
    }
    config.wait_until_no_lag();
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_file_that_is_not_there_is_told_and_waited_for() {
    let scene = Scene::new();
    let (front, _) = gateway(&scene, "Bearer late");
    let file = scene.dir().join("token");
    let auth = format!(
        "auth: {{ bearer: {{ token_file: \"{}\" }} }}",
        file.display()
    );
    let config = loki_at(&scene, &front.url("http"), &auth);
    Numbered::new("late").append_to(&scene.log("app.log"), 10);
    let agent = Agent::start(&scene.write(&config));
    let line = agent.wait_for_log("not delivered; nothing is lost");
    assert!(
        line.contains("which holds the token: No such file"),
        "{line}"
    );
    assert_eq!(front.connections(), 0, "nobody is asked without a token");
    fs::write(&file, "late").unwrap();
    scene.wait_for_stored(Backend::Loki, 10);
    agent.stop_well();
}

#[test]
fn headers_are_sent_with_every_request_and_are_not_shown() {
    let scene = Scene::new();
    let front = Front::before(scene.receiver.address(), None);
    let more = "tenant_id: team-a, headers: { X-Team: checkout, X-Api-Key: \"${API_KEY}\" }";
    let config = loki_at(&scene, &front.url("http"), more);
    delivers(&scene, &config, &[("API_KEY", "s3cret".to_owned())]);
    for (name, value) in [
        ("x-team", "checkout"),
        ("x-api-key", "s3cret"),
        ("x-scope-orgid", "team-a"),
        ("content-type", "application/x-protobuf"),
        ("user-agent", concat!("pinnace/", env!("CARGO_PKG_VERSION"))),
    ] {
        let sent = front.headers(name);
        assert!(
            !sent.is_empty() && sent.iter().all(|it| it == value),
            "{name}: {sent:?}"
        );
    }
}
