//! `pinnace check` and `pinnace schema` as a user calls them: exit codes, sources, streams.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use super::{VARIABLES, pinnace, text};

const SMALLEST: &str = "inputs: [{ name: app, include: [\"/var/log/app/*.log\"] }]
outputs: [{ name: loki, type: loki, url: http://loki:3100 }]
";

#[test]
fn the_smallest_setups_need_variables_alone() {
    for (variables, expected) in [
        (
            vec![
                ("PINNACE_INCLUDE", "/var/log/{a,b}.log,/srv/*.log"),
                ("PINNACE_LOKI_URL", "http://loki:3100"),
                (
                    "PINNACE_LOKI_LABELS",
                    "service_name=checkout, filename={path}",
                ),
                ("PINNACE_STATE_DIR", "/state"),
            ],
            vec![
                "state_dir: \"/state\"",
                "include: [\"/var/log/{a,b}.log\", \"/srv/*.log\"]",
                "url: \"http://loki:3100/loki/api/v1/push\"",
                "service_name: \"checkout\"",
                "filename: \"{path}\"",
            ],
        ),
        (
            vec![
                ("PINNACE_INCLUDE", "/var/log/app.log"),
                ("PINNACE_LOG_GROUP", "/apps/checkout"),
                ("PINNACE_LOG_STREAM", "a$b"),
                ("PINNACE_LOKI_URL", ""),
                ("PINNACE_PORT", "tcp://10.0.0.1:80"),
            ],
            vec!["log_group: \"/apps/checkout\"", "log_stream: \"a$$b\""],
        ),
    ] {
        let output = pinnace(&["check"], &variables);
        let effective = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        for line in expected {
            assert!(effective.contains(line), "{line} is not in\n{effective}");
        }
        let again = pinnace(&["check"], &[("PINNACE_CONFIG", &effective)]);
        assert_eq!(text(&again.stdout), effective);
    }
}

#[test]
fn variables_that_do_not_suffice_are_told_by_their_names() {
    for (name, variables) in [
        ("no_output", vec![("PINNACE_INCLUDE", "/var/log/app.log")]),
        (
            "no_include",
            vec![
                ("PINNACE_LOKI_URL", "http://loki"),
                ("PINNACE_INCLUDES", "/a.log"),
            ],
        ),
        (
            "half_an_output",
            vec![("PINNACE_INCLUDE", "/a.log"), ("PINNACE_LOG_STREAM", "s")],
        ),
        (
            "wrong_values",
            vec![
                ("PINNACE_INCLUDE", "logs/*.log"),
                ("PINNACE_STATE_DIR", "state"),
                ("PINNACE_LOKI_URL", "http://user:hunter2@loki:99999"),
                ("PINNACE_LOKI_LABELS", "service_name,a=1,a=2,b={servce}"),
            ],
        ),
        ("no_source", vec![("PINNACE_STATE_DIR", "/state")]),
    ] {
        let output = pinnace(&["check"], &variables);
        assert_eq!(output.status.code(), Some(78), "{name}");
        assert!(output.stdout.is_empty());
        let told = text(&output.stderr);
        assert!(!told.contains("hunter2"));
        let file = format!("tests/config/variables/{name}.txt");
        super::matches_snapshot(file.as_ref(), &told);
    }
}

#[test]
fn an_argument_goes_before_the_text_and_the_text_before_the_variables() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pinnace.yaml");
    fs::write(&file, SMALLEST.replace("loki:3100", "from-file")).unwrap();
    let from_text = SMALLEST.replace("loki:3100", "from-text");
    let variables = [
        ("PINNACE_CONFIG", from_text.as_str()),
        ("PINNACE_INCLUDE", "/a.log"),
        ("PINNACE_LOKI_URL", "http://from-variables"),
    ];
    let file = file.display().to_string();
    for (arguments, variables, expected) in [
        (
            vec!["check", "--config", &file],
            &variables[..],
            "http://from-file/",
        ),
        (
            vec!["check", "-c", &file],
            &variables[..],
            "http://from-file/",
        ),
        (vec!["check"], &variables[..], "http://from-text/"),
        (vec!["check"], &variables[1..], "http://from-variables/"),
    ] {
        let output = pinnace(&arguments, variables);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains(expected), "{expected}");
    }
    let told = text(&pinnace(&["check", "-c", &file], &variables).stderr);
    assert!(
        told.contains("PINNACE_CONFIG is set but not used"),
        "{told}"
    );
}

#[test]
fn files_that_cannot_be_read_exit_78_and_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let latin = folder.path().join("latin.yaml");
    fs::write(&latin, b"# caf\xe9\n").unwrap();
    let long = folder.path().join("long.yaml");
    fs::write(&long, "#".repeat((1 << 20) + 1)).unwrap();
    let nul = folder.path().join("nul.yaml");
    fs::write(&nul, "version: 1\nstate_dir: /a\0b\n").unwrap();
    for (file, expected) in [
        (folder.path().join("absent.yaml"), "no such file"),
        (
            folder.path().join("no/such/folder.yaml"),
            "of its folders only",
        ),
        (folder.path().to_owned(), "found:    a folder"),
        (latin, "found:    the byte 0xe9"),
        (long, "more than 1MiB"),
        (nul, ":2:14"),
    ] {
        let output = pinnace(&["check", "-c", &file.display().to_string()], &[]);
        assert_eq!(output.status.code(), Some(78));
        let told = text(&output.stderr);
        assert!(told.contains(expected), "{expected} is not in\n{told}");
        assert!(told.contains("  mend:     "), "{told}");
    }
}

#[test]
fn a_variable_that_is_no_text_is_told_by_its_name() {
    let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .arg("check")
        .env_clear()
        .env("PINNACE_CONFIG", OsStr::from_bytes(b"inputs: \xff"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("--> variable PINNACE_CONFIG"));
}

#[test]
fn what_deserves_a_word_is_a_warning_and_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("app")).unwrap();
    fs::write(folder.join("app/a.log"), "").unwrap();
    fs::write(folder.join("file"), "").unwrap();
    let shown = folder.display();
    let config = format!(
        "state_dir: {shown}/file/state
inputs:
  - {{ name: there, include: [\"{shown}/*/a.log\", \"{shown}/**/*.log\"] }}
  - {{ name: absent, include: [\"{shown}/app/*.txt\"], max_line: 300KiB }}
  - {{ name: idle, include: [\"{shown}/app/a.log\"] }}
outputs:
  - {{ name: loki, type: loki, url: \"http://me:hunter2@loki\", inputs: [absent] }}
  - {{ name: cw, type: cloudwatch_logs, log_group: g, region: paris, verify_after_error: require, inputs: [there] }}
"
    );
    let variables = [
        ("PINNACE_CONFIG", config.as_str()),
        ("PINNACE_LOG_GROUP", "g"),
        ("PINNACE_LOKI_URI", "u"),
    ];
    let output = pinnace(&["check"], &variables);
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stderr).replace(&shown.to_string(), "FOLDER");
    let all = format!("{told}{}", text(&output.stdout));
    assert!(!all.contains("hunter2"), "{all}");
    super::matches_snapshot("tests/config/warnings.txt".as_ref(), &told);
}

#[test]
fn the_schema_is_json_and_a_wrong_command_line_exits_64() {
    let schema = text(&pinnace(&["schema"], &VARIABLES).stdout);
    assert!(serde_json::from_str::<serde_json::Value>(&schema).is_ok());
    assert_eq!(pinnace(&["schema", "--yaml"], &[]).status.code(), Some(64));
}

#[test]
fn a_file_that_cannot_be_read_is_named_when_its_agent_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pinnace.yaml");
    let name = file.display().to_string();
    for command in [&["status"][..], &["journal", "show"]] {
        let output = pinnace(&[command, &["--config", &name]].concat(), &[]);
        let told = text(&output.stderr);
        let start = format!("{name} cannot be read: no such file; the folder ");
        assert!(told.starts_with(&start), "{told}");
        assert_eq!(output.status.code(), Some(78), "{told}");
    }
    let state_dir = folder.path().join("state").display().to_string();
    fs::write(&file, format!("state_dir: {state_dir}\n{SMALLEST}")).unwrap();
    let output = pinnace(&["status", "--config", &name], &[]);
    let told = text(&output.stderr);
    let end = format!(" ({name} has state_dir {state_dir})\n");
    assert!(told.starts_with("no agent answers at "), "{told}");
    assert!(told.ends_with(&end), "{told}");
    assert_eq!(output.status.code(), Some(69), "{told}");
}
