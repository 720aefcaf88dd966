//! Profiles that sign in by SSO: what the operator is told, and that it works as told, with a
//! stand-in for AWS's CLI.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::aws::{cloudwatch_at, delivers, is_told, signers, variables};
use crate::harness::{Front, Scene};

/// Profiles that sign in, one that takes a role on with such a one, and the one that is advised.
const PROFILES: &str = "
[default]
sso_session = company
sso_account_id = 123456789012
sso_role_name = reader

[profile old]
sso_start_url = https://sso.test
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = reader

[profile of-role]
role_arn = arn:aws:iam::123456789012:role/logs
source_profile = old

[profile pinnace]
credential_process = aws configure export-credentials --profile old --format process

[sso-session company]
sso_start_url = https://sso.test
sso_region = eu-west-1
";

const CLI: &str = r#"#!/bin/sh
echo "$@" >> "$0.called"
echo '{"Version":1,"AccessKeyId":"FROMCLI","SecretAccessKey":"secret","SessionToken":"token"}'
"#;

#[test]
fn a_profile_that_signs_in_by_sso_is_told_with_the_way_to_use_it() {
    let profiles = tempfile::NamedTempFile::new().unwrap();
    fs::write(profiles.path(), PROFILES).unwrap();
    let file = profiles.path().to_str().unwrap();
    for (key, of_environment, name) in [
        ("profile: old", None, "old"),
        ("profile: default", None, "default"),
        ("profile: of-role", None, "of-role"),
        ("", Some("old"), "old"),
    ] {
        let scene = Scene::new();
        let front = Front::before(scene.receiver.address(), None);
        let config = cloudwatch_at(&scene, &front.url("http"), key);
        let mut environment = variables(&[("AWS_CONFIG_FILE", file)]);
        environment.extend(of_environment.map(|it| ("AWS_PROFILE", it.to_owned())));
        let sentences = [
            "reason=\"credentials\"",
            &format!("the profile {name} signs in by SSO"),
            &format!("aws sso login --profile {name}"),
            &format!("aws configure export-credentials --profile {name} --format process"),
        ];
        is_told(&scene, &config, &environment, &sentences);
        assert_eq!(signers(&front), [] as [String; 0], "nothing is signed");
    }
}

#[test]
fn the_way_that_is_told_works() {
    let scene = Scene::new();
    let folder = scene.dir().join("bin");
    fs::create_dir(&folder).unwrap();
    let cli = folder.join("aws");
    fs::write(&cli, CLI).unwrap();
    fs::set_permissions(&cli, fs::Permissions::from_mode(0o755)).unwrap();
    let profiles = scene.dir().join("profiles");
    fs::write(&profiles, PROFILES).unwrap();
    let front = Front::before(scene.receiver.address(), None);
    let config = cloudwatch_at(&scene, &front.url("http"), "profile: pinnace");
    let path = std::env::var("PATH").unwrap();
    let environment = variables(&[
        ("AWS_CONFIG_FILE", profiles.to_str().unwrap()),
        ("PATH", &format!("{}:{path}", folder.display())),
    ]);
    delivers(&scene, &config, &environment);
    let signers = signers(&front);
    assert!(
        signers.iter().all(|it| it.starts_with("FROMCLI ")),
        "{signers:?}"
    );
    assert!(!signers.is_empty());
    let called = fs::read_to_string(folder.join("aws.called")).unwrap();
    let told = "configure export-credentials --profile old --format process";
    assert!(called.lines().all(|line| line == told), "{called}");
}
