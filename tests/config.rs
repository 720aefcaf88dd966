//! The configuration from outside: every message is a snapshot, every effective configuration
//! loads again, no input makes it panic, and the committed documents are what the program prints.
//!
//! `UPDATE=1 cargo test --test config` rewrites the snapshots and documents.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read its files has failed"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use pinnace::config::{Environment, Problems, Source, load};

#[path = "config/command.rs"]
mod command;
#[path = "config/robustness.rs"]
mod robustness;
#[path = "harness/snapshot.rs"]
mod snapshot;

use snapshot::matches_snapshot;

/// What the variables hold while snapshots are made.
const VARIABLES: [(&str, &str); 7] = [
    ("POD_NAME", "pod-7"),
    ("LOKI_TOKEN", "s3cret-token"),
    ("LOKI_PASSWORD", "s3cret-password"),
    ("WAIT", "soon"),
    ("WAIT_MS", "250"),
    ("DAYS", "14"),
    ("EMPTY", ""),
];

#[test]
fn each_wrong_configuration_is_told_as_in_its_snapshot() {
    let files = yaml_files("tests/config/wrong");
    assert!(
        files.len() >= 30,
        "only {} wrong configurations",
        files.len()
    );
    for file in files {
        let problems = load_file(&file).expect_err(&file.display().to_string());
        for problem in &problems {
            let whole = [
                &problem.what,
                &problem.found,
                &problem.expected,
                &problem.mend,
            ];
            assert!(
                whole.iter().all(|text| !text.is_empty()),
                "{}: {problem:?}",
                file.display()
            );
        }
        let told = problems.to_string();
        for secret in ["s3cret", "hunter2"] {
            assert!(!told.contains(secret), "{}: {told}", file.display());
        }
        matches_snapshot(&file.with_extension("txt"), &format!("{told}\n"));
    }
}

#[test]
fn each_good_configuration_prints_what_is_in_force_and_that_loads_to_the_same() {
    for file in yaml_files("tests/config/good") {
        let config = load_file(&file).unwrap_or_else(|problems| panic!("{problems}"));
        let output = pinnace(
            &["check", "--config", &file.display().to_string()],
            &VARIABLES,
        );
        assert_eq!(output.status.code(), Some(0), "{}", file.display());
        let effective = text(&output.stdout);
        assert!(!effective.contains("s3cret"), "{effective}");
        matches_snapshot(&file.with_extension("effective"), &effective);
        let again = load(&Source::Text(effective), &Environment::from(VARIABLES));
        assert_eq!(again, Ok(config), "{}", file.display());
    }
}

#[test]
fn the_committed_documents_are_what_the_program_prints() {
    for (arguments, file) in [
        (["schema"].as_slice(), "docs/configuration.schema.json"),
        (["schema", "--markdown"].as_slice(), "docs/configuration.md"),
    ] {
        let output = pinnace(arguments, &[]);
        assert_eq!(output.status.code(), Some(0));
        matches_snapshot(Path::new(file), &text(&output.stdout));
    }
}

fn load_file(file: &Path) -> Result<pinnace::config::Config, Problems> {
    load(
        &Source::File(file.to_owned()),
        &Environment::from(VARIABLES),
    )
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    files.sort();
    files
}

/// Runs the program with these variables and no others.
fn pinnace(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
