//! docs/alerts.md: its rules ask for metrics and labels that there are, its configuration loads,
//! and its wrapper writes lines that are understood.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use pinnace::config::{Environment, Source, load};
use serde_json::Value;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The first block of the document in this language.
fn block(language: &str) -> String {
    let document = read("docs/alerts.md");
    let block = document.split(&format!("```{language}\n")).nth(1).unwrap();
    block.split("```").next().unwrap().to_owned()
}

/// A metric as docs/metrics.md has it.
struct Metric {
    labels: Vec<String>,
    row: String,
}

/// The metrics of docs/metrics.md, by name.
fn documented() -> BTreeMap<String, Metric> {
    let text = read("docs/metrics.md");
    let rows = text.lines().filter_map(|row| row.strip_prefix("| `"));
    rows.map(|row| {
        let sample = row.split('`').next().unwrap();
        let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
        let labels = labels.trim_end_matches('}').split(',');
        let metric = Metric {
            labels: labels.map(str::to_owned).collect(),
            row: row.to_owned(),
        };
        (name.to_owned(), metric)
    })
    .collect()
}

/// What stands behind each `mark` as long as it is letters and underscores, and what follows.
fn names<'t>(text: &'t str, mark: &str) -> Vec<(&'t str, &'t str)> {
    let behind = text
        .match_indices(mark)
        .map(|(at, _)| &text[at + mark.len()..]);
    behind
        .map(|rest| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()))
        })
        .collect()
}

#[test]
fn rules_ask_for_metrics_and_labels_that_there_are() {
    let document = read("docs/alerts.md");
    let documented = documented();
    let mut rules = 0;
    for rule in document.split("- alert: ").skip(1) {
        let rule = rule.split("```").next().unwrap();
        let metrics = names(rule, "pinnace_").into_iter();
        let metrics: Vec<_> = metrics
            .map(|(name, rest)| {
                let name = format!("pinnace_{name}");
                let metric = documented.get(&name);
                (metric.unwrap_or_else(|| panic!("there is no {name}")), rest)
            })
            .collect();
        for (metric, rest) in &metrics {
            let Some(selector) = rest.strip_prefix('{') else {
                continue;
            };
            let (label, value) = selector.split('}').next().unwrap().split_once('=').unwrap();
            assert!(metric.labels.iter().any(|it| it == label), "{rule}");
            let value = format!("`{}`", value.trim_matches('"'));
            assert!(metric.row.contains(&value), "{value} in {}", metric.row);
        }
        for (label, _) in names(rule, "$labels.") {
            let of_metric = |(metric, _): &(&Metric, _)| metric.labels.iter().any(|it| it == label);
            let is_there = if metrics.is_empty() {
                rule.contains(&format!("by ({label})")) && block("yaml").contains(label)
            } else {
                metrics.iter().any(of_metric)
            };
            assert!(is_there, "the label {label} in {rule}");
        }
        rules += 1;
    }
    assert!(rules > 10, "{rules}");
    for (name, _) in names(&document, "pinnace_") {
        let name = format!("pinnace_{name}");
        assert!(documented.contains_key(&name), "there is no {name}");
    }
    let levels = &documented["pinnace_records_by_level_total"].row;
    for asked in document.split("level=~\"").skip(1) {
        for level in asked.split('"').next().unwrap().split('|') {
            assert!(levels.contains(&format!("`{level}`")), "{level}");
        }
    }
}

#[test]
fn the_configuration_loads() {
    let source = Source::Text(block("yaml"));
    load(&source, &Environment::default()).unwrap();
}

/// Runs a program by the wrapper, with its logs in this folder.
fn run_logged(dir: &Path, program: &str) -> Output {
    let wrapper = block("sh").replace("/var/log", &dir.display().to_string());
    let file = dir.join("run-logged");
    fs::write(&file, wrapper).unwrap();
    Command::new("sh")
        .arg(&file)
        .args(["report", "sh", "-c", program])
        .output()
        .unwrap()
}

#[test]
fn a_last_line_without_its_end_leaves_those_of_the_wrapper_whole() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("report/report.log");
    for _ in 0..2 {
        let output = run_logged(dir.path(), "printf last");
        assert!(output.status.success(), "{output:?}");
    }
    // A run that was killed may have left one too.
    fs::write(&log, fs::read_to_string(&log).unwrap() + "torn").unwrap();
    run_logged(dir.path(), "echo whole");
    let text = fs::read_to_string(&log).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    let own = " - report - INFO - ";
    lines.retain(|line| !line.get(23..).is_some_and(|it| it.starts_with(own)));
    assert_eq!(lines, ["last", "last", "torn", "whole"], "{text}");
}

#[test]
fn a_job_runs_also_where_its_log_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("report"), "a file").unwrap();
    let output = run_logged(dir.path(), "echo it ran; exit 3");
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let [shown, told] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert!(shown.contains("it ran\n"), "{shown}");
    assert!(told.contains("report runs without its log"), "{told}");
}

#[test]
fn the_lines_of_the_wrapper_are_understood() {
    let dir = tempfile::tempdir().unwrap();
    let status = run_logged(dir.path(), "echo '  between'; exit 3").status;
    assert_eq!(status.code(), Some(3));
    let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .args(["explain", "--json"])
        .arg(dir.path().join("report/report.log"))
        .output()
        .unwrap();
    let explained: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [started, finished] = &explained["records"].as_array().unwrap()[..] else {
        panic!("two records: {explained:#}");
    };
    assert_eq!(started["level"], "info");
    let text = started["text"].as_str().unwrap();
    assert!(
        text.ends_with(" - report - INFO - started\n  between"),
        "{text}"
    );
    assert_eq!(finished["level"], "error");
    let text = finished["text"].as_str().unwrap();
    assert!(text.contains(" - report - ERROR - finished in "), "{text}");
    assert!(text.ends_with(" s with exit code 3"), "{text}");
}
