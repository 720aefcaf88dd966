//! What is told of records that are refused: by `pinnace status` as long as the agent runs, and in
//! the log of each output by itself.

use pinnace::receiver::Backend;

use crate::harness::{Config, Scene, append, eventually, get};
use crate::refused::{append_old, lines};

/// Older than either backend takes, in days.
const DAYS: u64 = 20;

fn both(scene: &Scene) -> Config {
    Config {
        outputs: vec![scene.loki(""), scene.cloudwatch("log_stream: all")],
        ..scene.loki_config()
    }
    .serving()
}

#[test]
fn status_is_not_well_while_records_of_this_run_were_refused_and_says_how_many_of_which_file() {
    let scene = Scene::new();
    let config = scene.cloudwatch_config().serving();
    let path = scene.log("app.log");
    let (old, _) = lines(500, &[]);
    append_old(&path, &old, DAYS);
    let agent = scene.start(&config);
    assert!(eventually(|| config.dead_letters().len() == old.len()));
    config.wait_until_no_lag();
    let (code, status) = config.status_text();
    assert_eq!(code, Some(1), "{status}");
    let sentence = "! output cloudwatch: 500 records were refused since the start (too_old 500); the last at 2";
    let file = format!(", of {}: older than max_age", path.display());
    for part in ["not all well", sentence, &file, "dead letters: "] {
        assert!(status.contains(part), "{part:?} is not in\n{status}");
    }
    let json = config.status_json();
    assert_eq!(json["refused"][0]["reasons"]["too_old"], 500, "{json:#}");
    assert_eq!(json["ready"], true, "{json:#}");
    assert_eq!(get(config.port(), "/readyz").unwrap().0, 200);
    agent.stop_well();
    // Another run has refused nothing; what lies in the file is still told.
    let agent = scene.start(&config);
    append(&path, "young\n");
    scene.wait_for_stored(Backend::Cloudwatch, 1);
    let (code, status) = config.status_text();
    assert_eq!(code, Some(0), "{status}");
    assert!(
        status.contains("all well") && status.contains("dead letters: "),
        "{status}"
    );
    agent.stop_well();
}

/// The sum of what the log says that an output buried.
fn told(log: &str, output: &str) -> u64 {
    let sign = format!("output=\"{output}\"");
    let lines = log.lines().filter(|line| {
        line.contains("refuses records by themselves")
            && line.contains(&sign)
            && line.contains("reason=\"too_old\"")
    });
    let counts = lines.map(|line| {
        let (_, behind) = line.split_once("buried=").unwrap();
        behind.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    counts.sum()
}

#[test]
fn two_outputs_that_refuse_at_once_are_each_told_of_with_their_own_counts() {
    let scene = Scene::new();
    let config = both(&scene);
    let (old, _) = lines(1_500, &[]);
    append_old(&scene.log("app.log"), &old, DAYS);
    let agent = scene.start(&config);
    assert!(eventually(|| config.dead_letters().len() == 2 * old.len()));
    let log = agent.stop_well();
    for backend in Backend::ALL {
        assert_eq!(told(&log, backend.name()), 1_500, "{log}");
    }
}
