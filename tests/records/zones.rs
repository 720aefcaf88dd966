//! Lines whose times are read in a wrong zone.

use std::time::Instant;

use jiff::{Span, Timestamp};
use pinnace::receiver::Backend;

use crate::harness::{Config, PATIENCE, Scene, append, get};

/// A line of now, as it is written where clocks are so far ahead of UTC.
fn line(number: usize, ahead: Span) -> String {
    let time = Timestamp::now() + ahead;
    let time = time.strftime("%Y-%m-%d %H:%M:%S");
    format!("{time} - app - INFO - line {number}\n")
}

#[test]
fn a_wrong_zone_is_told_once_for_lines_as_they_come_and_never_for_a_backlog() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], "timezone: UTC")],
        outputs: vec![scene.loki(""), scene.cloudwatch("log_stream: \"{file}\"")],
        ..scene.empty_config()
    }
    .serving();
    let (hour, none) = (Span::new().hours(1), Span::new());
    let old: String = (0..200).map(|number| line(number, -hour)).collect();
    append(&scene.log("old.log"), old);
    let agent = scene.start(&config);
    let mut count = 0;
    let started = Instant::now();
    let told = |metrics: &str| {
        ["loki", "cloudwatch"].iter().all(|output| {
            metrics.contains(&format!(
                "pinnace_wrong_zone_files_total{{output=\"{output}\"}} 1\n"
            ))
        })
    };
    loop {
        append(&scene.log("ahead.log"), line(count, hour));
        append(&scene.log("right.log"), line(count, none));
        count += 1;
        for backend in Backend::ALL {
            scene.wait_for_stored(backend, 200 + 2 * count as u64);
        }
        let (_, metrics) = get(config.port(), "/metrics").unwrap();
        if told(&metrics) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{metrics}");
    }
    let sign = "read in a wrong zone";
    let sentence = agent.wait_for_log(sign);
    for part in ["ahead.log", "+1 h", "UTC+00:00", "UTC+01:00", "timezone: "] {
        assert!(sentence.contains(part), "{part} in {sentence}");
    }
    let (_, status) = config.status_text();
    assert!(
        status.contains("ahead.log: the times in its lines are +1 h from the clock"),
        "{status}"
    );
    let log = agent.log_text();
    assert_eq!(log.matches(sign).count(), 1, "{log}");
    agent.stop_well();
}
