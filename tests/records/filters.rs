//! Records that are let go of, through the whole agent.

use pinnace::receiver::Backend;

use crate::harness::{Config, Scene, append, eventually, get};

#[test]
fn what_is_filtered_is_counted_owes_nothing_and_is_not_looked_at_again() {
    let scene = Scene::new();
    let keys =
        "filters: [{ action: drop, level: debug }, { action: sample, pattern: 'GET', one_in: 5 }]";
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], keys)],
        outputs: vec![scene.loki("too_old: rescue")],
        ..scene.loki_config()
    }
    .serving();
    let line = |number: u64, text: &str| {
        format!(
            "2026-01-02 10:00:{:02},{:03} - a - {text} {number}\n",
            number / 1000,
            number % 1000
        )
    };
    let gets: String = (0..500)
        .map(|number| line(number, "INFO - GET /"))
        .collect();
    let steps: String = (500..900)
        .map(|number| line(number, "DEBUG - step"))
        .collect();
    append(&scene.log("app.log"), gets + &steps);
    let agent = scene.start(&config);
    let dropped = |count: u64| {
        format!("pinnace_filtered_records_total{{output=\"loki\",action=\"drop\"}} {count}\n")
    };
    let wait_for = |sample: &str| {
        let mut metrics = String::new();
        let is_there = eventually(|| {
            metrics = get(config.port(), "/metrics").map_or_else(String::new, |it| it.1);
            metrics.contains(sample)
        });
        assert!(is_there, "{sample} is not in\n{metrics}");
        metrics
    };
    wait_for(&dropped(400));
    config.wait_until_no_lag();
    let kept = scene.receiver.summary(Backend::Loki).stored;
    assert!((60..150).contains(&kept), "{kept} of 500");
    append(&scene.log("app.log"), line(1000, "DEBUG - the last step"));
    let metrics = wait_for(&dropped(401));
    config.wait_until_no_lag();
    for sample in [
        format!(
            "pinnace_filtered_records_total{{output=\"loki\",action=\"sample\"}} {}\n",
            500 - kept
        ),
        format!("pinnace_records_by_level_total{{output=\"loki\",level=\"info\"}} {kept}\n"),
        "pinnace_records_by_level_total{output=\"loki\",level=\"debug\"} 0\n".to_owned(),
    ] {
        assert!(metrics.contains(&sample), "{sample} is not in\n{metrics}");
    }
    agent.kill();
    let agent = scene.start(&config);
    append(&scene.log("app.log"), line(2000, "WARNING - the end"));
    scene.wait_for_stored(Backend::Loki, kept + 1);
    config.wait_until_no_lag();
    let (_, metrics) = get(config.port(), "/metrics").unwrap();
    let sample = "pinnace_filtered_records_total{output=\"loki\",action=\"drop\"} 0\n";
    assert!(metrics.contains(sample), "{sample} is not in\n{metrics}");
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
}
