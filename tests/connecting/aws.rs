//! Where AWS credentials come from and how they are renewed. The services that give them are
//! stand-ins of the test.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use hyper::Method;
use pinnace::receiver::Backend;

use crate::harness::{Agent, Config, Front, Numbered, Scene, header};
use crate::proxies::Proxy;

pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/logs";

/// A `CloudWatch` output at a URL of its own, in eu-west-1.
pub(crate) fn cloudwatch_at(scene: &Scene, url: &str, more: &str) -> Config {
    anywhere_at(scene, url, &format!("region: eu-west-1, {more}"))
}

pub(crate) fn anywhere_at(scene: &Scene, url: &str, more: &str) -> Config {
    Config {
        outputs: vec![format!(
            "{{ name: aws, type: cloudwatch_logs, endpoint_url: \"{url}\", log_group: /apps/test, \
             log_stream: all, create: {{ log_group: true }}, batch: {{ max_wait: 20ms }}, {more} }}"
        )],
        ..scene.cloudwatch_config()
    }
}

/// The key, the region and the service of a signature: `KEY eu-west-1 logs`.
fn signed_by(authorization: &str) -> String {
    let scope = authorization.split("Credential=").nth(1).unwrap_or("");
    let parts: Vec<&str> = scope.split(',').next().unwrap().split('/').collect();
    format!("{} {} {}", parts[0], parts[2], parts[3])
}

/// Who signed the requests that a front saw, each once and in order.
pub(crate) fn signers(front: &Front) -> Vec<String> {
    let mut all: Vec<String> = front
        .headers("authorization")
        .iter()
        .map(|it| signed_by(it))
        .collect();
    all.dedup();
    all
}

pub(crate) fn variables(pairs: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    pairs
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()))
        .collect()
}

/// A hundred lines arrive.
pub(crate) fn delivers(scene: &Scene, config: &Config, variables: &[(&str, String)]) -> String {
    let mut series = Numbered::new("aws");
    series.append_to(&scene.log("app.log"), 100);
    let agent = Agent::start_with(&scene.write(config), variables);
    scene.wait_for_stored(Backend::Cloudwatch, 100);
    let log = agent.stop_well();
    scene.assert_arrived(Backend::Cloudwatch, &series.all());
    log
}

/// Nothing arrives, and the log says why.
pub(crate) fn is_told(
    scene: &Scene,
    config: &Config,
    variables: &[(&str, String)],
    sentences: &[&str],
) {
    Numbered::new("held").append_to(&scene.log("app.log"), 1);
    let agent = Agent::start_with(&scene.write(config), variables);
    let line = agent.wait_for_log("not delivered; nothing is lost");
    for sentence in sentences {
        assert!(line.contains(sentence), "{sentence:?} is not in {line}");
    }
    agent.kill();
    assert_eq!(scene.receiver.summary(Backend::Cloudwatch).stored, 0);
}

fn in_seconds(seconds: u64) -> String {
    let time = DateTime::from(SystemTime::now() + Duration::from_secs(seconds));
    time.fmt(Format::DateTime).unwrap()
}

fn json_credentials(key: &str, seconds: u64) -> String {
    format!(
        r#"{{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"{key}","SecretAccessKey":"secret","Token":"token-{key}","Expiration":"{}"}}"#,
        in_seconds(seconds)
    )
}

/// The answer of STS to an operation that gives credentials.
fn sts_credentials(operation: &str, key: &str, seconds: u64) -> String {
    format!(
        "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>\
         <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/logs/it</Arn><AssumedRoleId>A:it</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>\
         <SessionToken>token-{key}</SessionToken><Expiration>{}</Expiration></Credentials>\
         </{operation}Result></{operation}Response>",
        in_seconds(seconds)
    )
}

pub(crate) fn sts_error(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
         <Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )
}

/// An STS that gives a key with another number each time, and remembers what it was asked.
fn sts(operation: &'static str, seconds: u64) -> (Front, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let for_answer = Arc::clone(&asked);
    let front = Front::answering(move |_, body| {
        let mut asked = for_answer.lock().unwrap();
        asked.push(String::from_utf8_lossy(body).into_owned());
        let key = format!("ASIA{}", asked.len());
        (200, sts_credentials(operation, &key, seconds))
    });
    (front, asked)
}

#[test]
fn keys_of_the_environment_sign_the_requests() {
    let scene = Scene::new();
    let front = Front::before(scene.receiver.address(), None);
    let environment = variables(&[
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "session"),
        ("AWS_REGION", "eu-north-1"),
    ]);
    delivers(
        &scene,
        &anywhere_at(&scene, &front.url("http"), ""),
        &environment,
    );
    assert_eq!(signers(&front), ["AKIAENV eu-north-1 logs"]);
    assert!(
        front
            .headers("x-amz-security-token")
            .iter()
            .all(|it| it == "session")
    );
}

#[test]
fn an_endpoint_is_taken_from_the_environment_under_each_of_its_names() {
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_LOGS",
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    ] {
        let scene = Scene::new();
        let url = scene.receiver.cloudwatch_url();
        let mut config = cloudwatch_at(&scene, &url, "");
        config.outputs[0] = config.outputs[0].replace(&format!("endpoint_url: \"{url}\", "), "");
        delivers(&scene, &config, &[(name, url)]);
    }
}

#[test]
fn a_web_identity_is_renewed_again_and_again_without_loss() {
    let scene = Scene::new();
    let front = Front::before(scene.receiver.address(), None);
    // They are renewed before they expire: each request finds them too old.
    let (sts, asked) = sts("AssumeRoleWithWebIdentity", 1);
    let token = scene.dir().join("token");
    fs::write(&token, "first-token").unwrap();
    let environment = variables(&[
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &token.display().to_string()),
        ("AWS_ENDPOINT_URL_STS", &sts.url("http")),
    ]);
    let config = cloudwatch_at(&scene, &front.url("http"), "");
    let mut series = Numbered::new("renewed");
    series.append_to(&scene.log("app.log"), 20);
    let agent = Agent::start_with(&scene.write(&config), &environment);
    scene.wait_for_stored(Backend::Cloudwatch, 20);
    fs::write(&token, "second-token").unwrap();
    for _ in 0..3 {
        series.append_to(&scene.log("app.log"), 20);
        scene.wait_for_stored(Backend::Cloudwatch, series.next);
    }
    agent.stop_well();
    scene.assert_arrived(Backend::Cloudwatch, &series.all());
    let asked = asked.lock().unwrap();
    assert!(
        asked[0].contains("WebIdentityToken=first-token"),
        "{asked:?}"
    );
    assert!(
        asked
            .last()
            .unwrap()
            .contains("WebIdentityToken=second-token"),
        "{asked:?}"
    );
    assert!(signers(&front).len() >= 4, "{:?}", signers(&front));
}

#[test]
fn a_container_gets_its_credentials_from_its_own_service() {
    let scene = Scene::new();
    let front = Front::before(scene.receiver.address(), None);
    let service = Front::answering(|parts, _| {
        let is_right =
            parts.uri.path() == "/creds" && header(parts, "authorization") == "pod-token";
        if is_right {
            (200, json_credentials("ASIAPOD", 3600))
        } else {
            (403, "{}".to_owned())
        }
    });
    let token = scene.dir().join("token");
    fs::write(&token, "pod-token").unwrap();
    let environment = variables(&[
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            &format!("http://127.0.0.1:{}/creds", service.address.port()),
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            &token.display().to_string(),
        ),
    ]);
    delivers(
        &scene,
        &cloudwatch_at(&scene, &front.url("http"), ""),
        &environment,
    );
    assert_eq!(signers(&front), ["ASIAPOD eu-west-1 logs"]);
}

#[test]
fn an_instance_gives_its_credentials_and_its_region_past_the_proxy() {
    let scene = Scene::new();
    let front = Front::before(scene.receiver.address(), None);
    let proxy = Proxy::to(front.address);
    let service = Front::answering(|parts, _| {
        let answer = match (&parts.method, parts.uri.path()) {
            (&Method::PUT, "/latest/api/token") => "session-token".to_owned(),
            (_, path) if header(parts, "x-aws-ec2-metadata-token") != "session-token" => {
                return (401, path.to_owned());
            }
            (_, "/latest/meta-data/placement/region") => "eu-south-2".to_owned(),
            (_, path) if path.ends_with("/role") => json_credentials("ASIAEC2", 3600),
            (_, path) if path.ends_with('/') => "role".to_owned(),
            _ => return (404, String::new()),
        };
        (200, answer)
    });
    let environment = variables(&[
        ("AWS_EC2_METADATA_DISABLED", "false"),
        (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            &format!("http://127.0.0.1:{}", service.address.port()),
        ),
    ]);
    let more = format!("proxy: \"{}\"", proxy.url());
    let config = anywhere_at(&scene, "http://logs.hidden.test", &more);
    delivers(&scene, &config, &environment);
    assert_eq!(signers(&front), ["ASIAEC2 eu-south-2 logs"]);
    for request in proxy.requests() {
        assert!(
            request.starts_with("POST http://logs.hidden.test/"),
            "{request}"
        );
    }
}

#[test]
fn a_profile_goes_before_the_environment_and_is_read_again_when_its_keys_are_refused() {
    let scene = Scene::new();
    let front = Front::judging(
        scene.receiver.address(),
        Box::new(|parts, _| {
            let is_old = signed_by(&header(parts, "authorization")).starts_with("AKIAOLD");
            let refusal = r#"{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}"#;
            is_old.then(|| (400, refusal.to_owned()))
        }),
    );
    let file = scene.dir().join("credentials");
    let write = |key: &str| {
        let text = format!(
            "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = x\n[logs]\naws_access_key_id = {key}\naws_secret_access_key = x\n"
        );
        fs::write(&file, text).unwrap();
    };
    write("AKIAOLD");
    let environment = variables(&[
        ("AWS_SHARED_CREDENTIALS_FILE", &file.display().to_string()),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ]);
    let config = cloudwatch_at(&scene, &front.url("http"), "profile: logs");
    let mut series = Numbered::new("profile");
    series.append_to(&scene.log("app.log"), 100);
    let agent = Agent::start_with(&scene.write(&config), &environment);
    let line = agent.wait_for_log("not delivered; nothing is lost");
    assert!(line.contains("UnrecognizedClientException"), "{line}");
    assert!(line.contains("look at the AWS credentials"), "{line}");
    write("AKIANEW");
    scene.wait_for_stored(Backend::Cloudwatch, 100);
    agent.stop_well();
    scene.assert_arrived(Backend::Cloudwatch, &series.all());
    assert_eq!(
        signers(&front),
        ["AKIAOLD eu-west-1 logs", "AKIANEW eu-west-1 logs"]
    );
}

#[test]
fn a_role_is_taken_on_with_its_external_id_and_again_before_it_ends() {
    let scene = Scene::new();
    let front = Front::before(scene.receiver.address(), None);
    let (sts, asked) = sts("AssumeRole", 1);
    let environment = variables(&[
        ("AWS_ACCESS_KEY_ID", "AKIAOWN"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL_STS", &sts.url("http")),
    ]);
    let more = format!("assume_role: {{ role_arn: \"{ROLE}\", external_id: id-7 }}");
    let config = cloudwatch_at(&scene, &front.url("http"), &more);
    let mut series = Numbered::new("role");
    series.append_to(&scene.log("app.log"), 20);
    let agent = Agent::start_with(&scene.write(&config), &environment);
    for _ in 0..3 {
        scene.wait_for_stored(Backend::Cloudwatch, series.next);
        series.append_to(&scene.log("app.log"), 20);
    }
    agent.stop_well();
    scene.assert_arrived(Backend::Cloudwatch, &series.all());
    let asked = asked.lock().unwrap();
    for request in &*asked {
        for part in [
            "Action=AssumeRole&",
            "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Flogs",
            "RoleSessionName=pinnace",
            "ExternalId=id-7",
        ] {
            assert!(request.contains(part), "{part} is not in {request}");
        }
    }
    assert!(asked.len() >= 3, "{asked:?}");
    assert!(
        sts.headers("authorization")
            .iter()
            .all(|it| signed_by(it) == "AKIAOWN eu-west-1 sts")
    );
    assert!(
        signers(&front).iter().all(|it| it.starts_with("ASIA")),
        "{:?}",
        signers(&front)
    );
}
