//! What a running agent tells: metrics, health, status.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use pinnace::receiver::Backend;

use crate::harness::{Config, Numbered, Scene, append, eventually, get};

/// More series than this are too many for a normal pod with two outputs.
const MOST_SERIES: usize = 110;

fn both_outputs(scene: &Scene) -> Config {
    let mut config = scene.loki_config().serving();
    config.outputs.push(scene.cloudwatch("log_stream: all"));
    config
}

#[test]
fn the_metrics_have_the_documented_names_and_are_few() {
    let scene = Scene::new();
    let mut config = both_outputs(&scene);
    config.inputs = vec![scene.input("app", &["*.log"], "disk: { max_bytes: 1GiB }")];
    for name in 0..30 {
        append(&scene.log(&format!("{name}.log")), "one\ntwo\n");
    }
    let agent = scene.start(&config);
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, 60);
    }
    // An answer that is heard late would say that the output is not blocked.
    config.wait_until_no_lag();
    scene.receiver.pause(Backend::Loki);
    append(&scene.log("0.log"), "three\n");
    agent.wait_for_log("not delivered; nothing is lost");
    let (status, text) = get(config.port(), "/metrics").unwrap();
    assert_eq!(status, 200);
    let samples: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .collect();
    // The limit for the input's files brings some that a normal pod has not.
    let of_limit = ["pinnace_deleted", "pinnace_delete_", "pinnace_input_bytes"];
    let is_normal = |sample: &&&str| !of_limit.iter().any(|it| sample.starts_with(it));
    let normal = samples.iter().filter(is_normal).count();
    assert!(normal <= MOST_SERIES, "{normal} series:\n{text}");
    let told: BTreeSet<_> = samples
        .iter()
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let documented = documented_metrics();
    let undocumented: Vec<_> = told
        .iter()
        .filter(|it| !documented.contains(**it))
        .collect();
    assert!(undocumented.is_empty(), "{undocumented:?}");
    for name in &documented {
        let family = name.trim_end_matches("_total").trim_end_matches("_info");
        assert!(
            text.contains(&format!("# TYPE {family} ")),
            "{name} is documented, but not there:\n{text}"
        );
    }
    assert!(!text.contains("/logs/"), "no path is a label:\n{text}");
    for sample in [
        "pinnace_records_total{output=\"loki\",result=\"delivered\"} 60\n",
        "pinnace_output_blocked{output=\"loki\",reason=\"",
        "pinnace_lag_bytes{output=\"loki\"} 6\n",
        "pinnace_streams{output=\"loki\"} 30",
        "pinnace_files_open 30",
    ] {
        assert!(text.contains(sample), "{sample} is not in\n{text}");
    }
    scene.receiver.resume(Backend::Loki);
    agent.stop_well();
}

/// The names in the table of docs/metrics.md, as samples have them.
fn documented_metrics() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let text = fs::read_to_string(path).unwrap();
    let names: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(['`', '{']).next())
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

#[test]
fn health_means_that_its_own_loops_turn_and_never_that_the_backend_answers() {
    let scene = Scene::new();
    let config = both_outputs(&scene);
    for backend in Backend::ALL {
        scene.receiver.pause(backend);
    }
    append(&scene.log("app.log"), "waits\n");
    let agent = scene.start(&config);
    agent.wait_for_log("not delivered; nothing is lost");
    for _ in 0..3 {
        assert_eq!(get(config.port(), "/healthz").unwrap().0, 200);
    }
    let (status, text) = get(config.port(), "/readyz").unwrap();
    assert_eq!(status, 503);
    assert!(text.contains("output"), "{text}");
    assert_eq!(get(config.port(), "/nothing").unwrap().0, 404);
    for backend in Backend::ALL {
        scene.receiver.resume(backend);
        scene.wait_for_stored(backend, 1);
    }
    let is_ready = eventually(|| get(config.port(), "/readyz").unwrap().0 == 200);
    assert!(is_ready);
    agent.stop_well();
}

#[test]
fn the_cursors_in_the_status_are_the_sizes_of_the_files_once_all_is_delivered() {
    let scene = Scene::new();
    let config = both_outputs(&scene);
    let mut series = Numbered::wide("cursor", 77);
    series.append_to(&scene.log("a.log"), 123);
    series.append_to(&scene.log("b.log"), 45);
    let agent = scene.start(&config);
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, 168);
    }
    config.wait_until_no_lag();
    let status = config.status_json();
    assert_eq!(status["ready"], true, "{status:#}");
    assert_eq!(status["pid"], agent.pid());
    assert_eq!(status["troubles"].as_array().unwrap().len(), 0);
    let files = status["files"].as_array().unwrap();
    assert_eq!(files.len(), 2, "{status:#}");
    for name in ["a.log", "b.log"] {
        let path = scene.log(name);
        let size = fs::metadata(&path).unwrap().len();
        let file = files
            .iter()
            .find(|file| file["path"] == path.display().to_string())
            .unwrap();
        assert_eq!(file["size"], size);
        let delivered = file["delivered"].as_array().unwrap();
        let outputs: Vec<_> = delivered.iter().map(|it| &it["output"]).collect();
        assert_eq!(outputs, ["loki", "cloudwatch"]);
        assert!(delivered.iter().all(|it| it["bytes"] == size), "{file:#}");
    }
    let (code, text) = config.status_text();
    assert_eq!(code, Some(0));
    for part in ["a.log", "b.log", "loki", "cloudwatch"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    agent.stop_well();
    let (code, _) = config.status_text();
    assert_eq!(code, Some(69), "nobody answers any more");
}

#[test]
fn an_unfinished_line_is_lag_in_bytes_and_of_no_age_but_a_record_that_is_held_back_is() {
    let scene = Scene::new();
    let mut config = scene.loki_config().serving();
    config.inputs = vec![scene.input("app", &["*.log"], "multiline_wait: 60s")];
    append(&scene.log("app.log"), "whole\nhalf");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 1);
    let lag = |bytes: u64, is_old: bool| {
        let is_so = eventually(|| {
            let output = &config.status_json()["outputs"][0];
            let seconds = output["lag_seconds"].as_f64().unwrap();
            output["lag_bytes"] == bytes && (seconds > 0.0) == is_old
        });
        assert!(is_so, "{:#}", config.status_json());
    };
    lag(4, false);
    // More lines may belong to the last of these for a minute.
    let held = "2026-11-22 10:00:00 ERROR held back\n";
    append(&scene.log("app.log"), format!(" a line\n{held}half"));
    scene.wait_for_stored(Backend::Loki, 2);
    lag(held.len() as u64 + 4, true);
    agent.kill();
}

#[test]
fn a_glob_that_matches_nothing_is_told_once_and_is_in_the_status_until_it_matches() {
    let scene = Scene::new();
    let mut config = scene.loki_config();
    let later = |name: &str| scene.dir().join("logs/later").join(name);
    config.inputs = vec![scene.input("app", &["*.log", "later/*.txt"], "")];
    append(&scene.log("app.log"), "one\n");
    let agent = scene.start(&config);
    let sentence_of = |glob: &str| {
        let glob = scene.log(glob).display().to_string();
        format!("input app: {glob} matches no file right now")
    };
    let [waited_for, mistyped] = ["later/*.txt", "typo/*.log"].map(sentence_of);
    let told = agent.wait_for_log(&waited_for);
    assert!(told.contains("WARN"), "{told}");
    let (code, text) = config.status_text();
    assert!(text.contains(&format!("  - {waited_for}\n")), "{text}");
    assert_eq!(code, Some(0), "{text}");

    let globs = ["*.log", "later/*.txt", "typo/*.log"];
    config.inputs = vec![scene.input("app", &globs, "")];
    let from = agent.log_len();
    scene.change(&agent, &config);
    agent.wait_for_log_after(from, &mistyped);
    fs::create_dir_all(later("")).unwrap();
    append(&later("app.txt"), "two\n");
    scene.wait_for_stored(Backend::Loki, 2);
    let status = config.status_json();
    assert_eq!(
        status["unmatched"],
        serde_json::json!([mistyped]),
        "{status:#}"
    );
    let log = agent.stop_well();
    assert_eq!(log.matches("matches no file").count(), 2, "{log}");
}

#[test]
fn the_help_of_status_explains_every_column() {
    let scene = Scene::new();
    let config = scene.loki_config();
    append(&scene.log("app.log"), "a line\n");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 1);
    let (_, text) = config.status_text();
    agent.stop_well();
    let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .args(["status", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let is_head = |line: &&str| line.starts_with("OUTPUT ") || line.starts_with("FILE ");
    let heads: Vec<_> = text.lines().filter(is_head).collect();
    assert_eq!(heads.len(), 2, "{text}");
    for head in heads {
        for column in head.split("  ").map(str::trim).skip(1) {
            let row = format!("  {column} ");
            assert!(
                column.is_empty() || help.contains(&row),
                "{column} in\n{help}"
            );
        }
    }
    let places = "home moved rotated deleted gone";
    for place in places.split(' ') {
        assert!(
            help.contains(&format!("    {place} ")),
            "{place} in\n{help}"
        );
    }
}
