//! Every row of the table of answers, end to end: nothing lost, nothing twice, the counter and the
//! operator's sentence right. The rows are read from the document, which is printed from the code.

use std::fs;
use std::path::Path;

use pinnace::receiver::{Action, Backend, Faults};

use crate::harness::{Config, Numbered, Scene, get};

/// Records that are written for each answer: enough to be halved.
const LINES: u64 = 8;

/// A row of the document.
#[derive(Debug)]
struct Row {
    answer: String,
    class: String,
    reason: String,
    mending: String,
}

fn rows(heading: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/answers.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, text) = text.split_once(&format!("\n## {heading}\n")).unwrap();
    let text = text.split_once("\n## ").map_or(text, |(text, _)| text);
    let rows: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .skip(1)
        .map(|line| {
            let cells: Vec<_> = line.split(" | ").map(str::trim).collect();
            Row {
                answer: cells[0].to_owned(),
                class: cells[1].to_owned(),
                reason: cells[2].trim_matches('`').to_owned(),
                mending: cells.get(3).copied().unwrap_or_default().to_owned(),
            }
        })
        .collect();
    assert!(rows.len() >= 10, "{rows:?}");
    rows
}

/// What the receiver is to answer for a row: the first of its codes, or the first of its statuses.
fn action(row: &Row, any_other: u16) -> Action {
    match row.answer.strip_prefix('`') {
        Some(code) => Action::Error(code.split('`').next().unwrap().to_owned()),
        None if row.answer == "any other" => Action::Status(any_other),
        None => Action::Status(row.answer.split(' ').next().unwrap().parse().unwrap()),
    }
}

fn counted(config: &Config, class: &str) -> u64 {
    let (_, metrics) = get(config.port(), "/metrics").unwrap();
    let of_class = format!("class=\"{class}\"}} ");
    let line = metrics
        .lines()
        .find(|it| it.starts_with("pinnace_output_requests_total") && it.contains(&of_class));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

fn every_row(scene: &Scene, config: &Config, backend: Backend, rows: &[Row]) {
    let agent = scene.start(config);
    let mut series = Numbered::new("line");
    // A stream that has taken something: what is refused now is the record's fault.
    series.append_to(&scene.log("app.log"), 1);
    scene.wait_for_stored(backend, 1);
    let (operation, any_other) = match backend {
        Backend::Loki => ("push", 507),
        Backend::Cloudwatch => ("PutLogEvents", 418),
    };
    for row in rows {
        if row.class == "delivered" {
            continue;
        }
        let before = counted(config, &row.class);
        let said = agent.log_len();
        let faults = Faults::of(action(row, any_other)).times(1).on(operation);
        scene.receiver.set_faults(backend, faults);
        series.append_to(&scene.log("app.log"), LINES);
        scene.wait_for_stored(backend, series.next);
        // What is created, or sent in parts, is nobody's trouble yet.
        let is_told = !["not_found", "refused", "too_large"].contains(&&*row.reason);
        if !is_told {
            assert!(
                row.reason == "not_found" || counted(config, &row.class) > before,
                "{row:?}"
            );
            continue;
        }
        // The class too: that it delivers again after the row before may be said only now, with
        // the reason of that.
        let told = format!("reason=\"{}\" class=\"{}\"", row.reason, row.class);
        let line = agent.wait_for_log_after(said, &told);
        let mending = row.mending.replace("{action}", operation);
        // With 403 the receiver names the code that AWS names with it, which has a row of its own.
        let is_by_another_row = row.answer == "403" && backend == Backend::Cloudwatch;
        assert!(
            is_by_another_row || line.contains(&mending),
            "{row:?}: {line}"
        );
        assert_eq!(counted(config, &row.class), before + 1, "{row:?}");
    }
    agent.stop_well();
    scene.assert_series_arrived(backend, &series);
    let summary = scene.receiver.summary(backend);
    assert_eq!(summary.stored, series.next);
    assert!(!scene.dir().join("state/dead-letters.ndjson").exists());
}

#[test]
fn every_answer_of_loki_is_followed_by_what_the_table_says() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    every_row(&scene, &config, Backend::Loki, &rows("Loki"));
}

#[test]
fn every_answer_of_cloudwatch_is_followed_by_what_the_table_says() {
    let scene = Scene::new();
    let mut config = scene.cloudwatch_config().serving();
    // The shorter a request may last, the sooner it is known what came of one without an answer.
    config.outputs = vec![scene.cloudwatch("log_stream: all, request_timeout: 1s")];
    every_row(
        &scene,
        &config,
        Backend::Cloudwatch,
        &rows("CloudWatch Logs"),
    );
}
