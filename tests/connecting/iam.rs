//! The policy that a configuration needs, action by action.

use std::process::Command;

use serde_json::Value;

const INPUTS: &str = "
inputs:
  - { name: app, include: [\"/a.log\"], fields: { service: checkout } }
  - { name: audit, include: [\"/b.log\"], fields: { service: audit } }
outputs:
";

/// The documents on stdout, and what stands beside them.
fn iam(outputs: &str, arguments: &[&str], variables: &[(&str, &str)]) -> (Vec<Value>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .arg("iam")
        .args(arguments)
        .env_clear()
        .env("PINNACE_CONFIG", format!("{INPUTS}{outputs}"))
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    let documents = serde_json::Deserializer::from_slice(&output.stdout);
    let documents = documents.into_iter().map(Result::unwrap).collect();
    (documents, told)
}

fn actions(document: &Value) -> Vec<&str> {
    let statements = document["Statement"].as_array().unwrap();
    let actions = statements.iter().map(|it| it["Action"].as_str().unwrap());
    actions.collect()
}

fn resources<'d>(document: &'d Value, action: &str) -> Vec<&'d str> {
    let statements = document["Statement"].as_array().unwrap();
    let statement = statements.iter().find(|it| it["Action"] == action).unwrap();
    assert_eq!(statement["Effect"], "Allow");
    let resources = statement["Resource"].as_array().unwrap();
    resources.iter().map(|it| it.as_str().unwrap()).collect()
}

#[test]
fn all_that_is_used_is_in_the_policy_with_its_reason() {
    let (documents, told) = iam(
        "  - { name: aws, type: cloudwatch_logs, log_group: \"/apps/{service}\", region: eu-west-1, create: { log_group: true, retention_in_days: 14 } }",
        &["--account", "123456789012"],
        &[],
    );
    let [document] = &documents[..] else {
        panic!("{documents:?}")
    };
    assert_eq!(document["Version"], "2012-10-17");
    assert_eq!(
        actions(document),
        [
            "logs:PutLogEvents",
            "logs:CreateLogStream",
            "logs:CreateLogGroup",
            "logs:PutRetentionPolicy",
            "logs:GetLogEvents",
        ]
    );
    let of = |rest: &str| format!("arn:aws:logs:eu-west-1:123456789012:log-group:{rest}");
    assert_eq!(
        resources(document, "logs:PutLogEvents"),
        [
            of("/apps/audit:log-stream:*"),
            of("/apps/checkout:log-stream:*")
        ]
    );
    assert_eq!(
        resources(document, "logs:CreateLogStream"),
        [
            of("/apps/audit"),
            of("/apps/audit:*"),
            of("/apps/checkout"),
            of("/apps/checkout:*")
        ]
    );
    for action in actions(document) {
        let line = told.lines().find(|line| line.contains(action)).unwrap();
        assert!(line.ends_with("(output aws)"), "{line}");
    }
}

#[test]
fn what_is_switched_off_is_not_asked_for() {
    let output = |more: &str| {
        format!(
            "  - {{ name: aws, type: cloudwatch_logs, log_group: g, log_stream: s, inputs: [app], {more} }}"
        )
    };
    for (more, expected) in [
        (
            "create: { log_stream: false }, verify_after_error: never",
            vec!["logs:PutLogEvents"],
        ),
        (
            "create: { class: infrequent_access }",
            vec!["logs:PutLogEvents", "logs:CreateLogStream"],
        ),
        (
            "create: { retention_in_days: 3 }, verify_after_error: require",
            vec![
                "logs:PutLogEvents",
                "logs:CreateLogStream",
                "logs:GetLogEvents",
            ],
        ),
    ] {
        let (documents, _) = iam(&output(more), &[], &[("AWS_REGION", "cn-north-1")]);
        assert_eq!(actions(&documents[0]), expected, "{more}");
        assert_eq!(
            resources(&documents[0], "logs:PutLogEvents"),
            ["arn:aws-cn:logs:cn-north-1:*:log-group:g:log-stream:s"]
        );
    }
}

#[test]
fn a_role_has_a_policy_of_its_own() {
    let (documents, told) = iam(
        "  - { name: own, type: cloudwatch_logs, log_group: g, log_stream: \"{hostname}-${POD:-x?}\" }
  - { name: other, type: cloudwatch_logs, log_group: g, verify_after_error: never, create: { log_stream: false }, assume_role: { role_arn: \"arn:aws:iam::210987654321:role/logs\" } }
  - { name: loki, type: loki, url: http://loki }",
        &[],
        &[],
    );
    let [own, role] = &documents[..] else {
        panic!("{documents:?}")
    };
    assert_eq!(
        resources(own, "sts:AssumeRole"),
        ["arn:aws:iam::210987654321:role/logs"]
    );
    assert_eq!(
        resources(own, "logs:PutLogEvents"),
        ["arn:aws:logs:*:*:log-group:g:log-stream:*-x${?}"]
    );
    assert_eq!(
        resources(role, "logs:PutLogEvents"),
        ["arn:aws:logs:*:210987654321:log-group:g:log-stream:*"]
    );
    assert!(
        told.contains("The policy of the role arn:aws:iam::210987654321:role/logs:"),
        "{told}"
    );
}

#[test]
fn without_cloudwatch_logs_nothing_is_needed() {
    let (documents, told) = iam("  - { name: loki, type: loki, url: http://loki }", &[], &[]);
    assert!(documents.is_empty());
    assert!(told.contains("nothing of AWS is needed"), "{told}");
}
