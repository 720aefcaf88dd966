//! What is said when there are no AWS credentials, or when they do not suffice.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::aws::{ROLE, anywhere_at, cloudwatch_at, is_told, sts_error, variables};
use crate::harness::{Front, Scene, header};
use crate::proxies::Proxy;

/// More of the output, the environment, and what is told.
type Case<'a> = (&'a str, Vec<(&'static str, String)>, &'a [&'a str]);

#[test]
fn each_way_of_having_no_credentials_is_told_with_its_mending() {
    let denied = |message: &'static str| {
        Front::answering(move |_, _| (403, sts_error("AccessDenied", message)))
    };
    let web_denied = denied("Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let role_denied = denied("User: x is not authorized to perform: sts:AssumeRole on resource: y");
    let expired = Front::answering(|_, _| {
        (
            400,
            sts_error(
                "ExpiredTokenException",
                "Token expired: current date/time 2",
            ),
        )
    });
    let dead = format!("http://127.0.0.1:{}", crate::harness::free_port());
    let token = tempfile::NamedTempFile::new().unwrap();
    fs::write(token.path(), "token").unwrap();
    let token = token.path().display().to_string();
    let web = |sts: &str, token: &str| {
        variables(&[
            ("AWS_ROLE_ARN", ROLE),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token),
            ("AWS_ENDPOINT_URL_STS", sts),
        ])
    };
    let keys = |sts: &str| {
        variables(&[
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("AWS_ENDPOINT_URL_STS", sts),
        ])
    };
    let role = format!("assume_role: {{ role_arn: \"{ROLE}\" }}");
    let table: Vec<Case<'_>> = vec![
        (
            "",
            Vec::new(),
            &[
                "no AWS credentials were found",
                "give its service account a role",
                "elsewhere run `aws configure`",
            ],
        ),
        (
            "",
            web(&web_denied.url("http"), &token),
            &[
                "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
                "the trust policy of the role must name this cluster's identity provider and this service account",
            ],
        ),
        (
            "",
            web(&expired.url("http"), &token),
            &[
                "Token expired",
                "the token is not renewed, or this machine's clock is wrong",
            ],
        ),
        (
            "",
            web(&dead, &token),
            &[
                "cannot get AWS credentials: cannot connect to 127.0.0.1",
                "Connection refused",
            ],
        ),
        (
            "",
            web(&dead, "/nowhere/token"),
            &[
                "a file cannot be read",
                "No such file",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
            ],
        ),
        (
            &role,
            keys(&role_denied.url("http")),
            &[
                "sts:AssumeRole on resource",
                "allow sts:AssumeRole on the role for the identity that the credentials belong to",
            ],
        ),
        (
            "profile: absent",
            variables(&[
                ("AWS_CONFIG_FILE", "/dev/null"),
                ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
            ]),
            &["absent", "profile"],
        ),
        (
            "",
            variables(&[(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                &format!("{dead}/creds"),
            )]),
            &["cannot get AWS credentials: cannot connect to 127.0.0.1"],
        ),
    ];
    for (more, environment, sentences) in table {
        let scene = Scene::new();
        let front = Front::before(scene.receiver.address(), None);
        let proxy = Proxy::to(front.address);
        let more = format!("proxy: \"{}\", {more}", proxy.url());
        let config = cloudwatch_at(&scene, "http://logs.hidden.test", &more);
        let sentences: Vec<&str> = sentences
            .iter()
            .copied()
            .chain(["reason=\"credentials\""])
            .collect();
        is_told(&scene, &config, &environment, &sentences);
        assert!(front.headers("authorization").is_empty(), "{sentences:?}");
    }
}

#[test]
fn a_region_that_nobody_names_is_told() {
    let scene = Scene::new();
    let mut config = anywhere_at(&scene, "http://unused", "");
    config.outputs[0] = config.outputs[0].replace("endpoint_url: \"http://unused\", ", "");
    let environment = variables(&[
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
    ]);
    is_told(
        &scene,
        &config,
        &environment,
        &[
            "no AWS region is known",
            "set region for this output",
            "reason=\"config\"",
        ],
    );
}

#[test]
fn each_missing_permission_is_named_with_the_action_to_add() {
    for operation in ["PutLogEvents", "CreateLogStream", "CreateLogGroup"] {
        let scene = Scene::new();
        let target = format!("Logs_20140328.{operation}");
        let front = Front::judging(
            scene.receiver.address(),
            Box::new(move |parts, _| {
                let refusal = format!(
                    r#"{{"__type":"AccessDeniedException","message":"User: arn:aws:sts::1:assumed-role/a/b is not authorized to perform: logs:{operation}"}}"#
                );
                (header(parts, "x-amz-target") == target).then_some((400, refusal))
            }),
        );
        let config = cloudwatch_at(&scene, &front.url("http"), "");
        let told =
            format!("add logs:{operation} to the policy of our role (pinnace iam prints all");
        is_told(&scene, &config, &[], &[&told, "reason=\"credentials\""]);
    }
}

#[test]
fn a_wrong_clock_is_told_when_a_signature_is_refused() {
    let scene = Scene::new();
    let refusals = Arc::new(AtomicUsize::new(0));
    let for_judge = Arc::clone(&refusals);
    let front = Front::judging(
        scene.receiver.address(),
        Box::new(move |_, _| {
            for_judge.fetch_add(1, Ordering::Relaxed);
            Some((
                400,
                r#"{"__type":"InvalidSignatureException","message":"Signature expired"}"#
                    .to_owned(),
            ))
        }),
    );
    front.set_date("Fri, 27 Nov 2020 00:00:00 GMT");
    let config = cloudwatch_at(&scene, &front.url("http"), "");
    is_told(
        &scene,
        &config,
        &[],
        &["this machine's clock is", "s ahead of AWS's: set it"],
    );
    assert!(refusals.load(Ordering::Relaxed) > 0);
}
