//! Many lines: a backlog and what is written while the agent runs.

use std::fs;

use pinnace::receiver::Backend;

use crate::harness::{Config, MEMORY_CEILING, Numbered, PATIENCE, Scene, expected_digest};

/// Lines before the start and lines while the agent runs.
const BACKLOG: u64 = 500_000;
const LIVE: u64 = 100_000;
const WIDTH: usize = 199;

#[test]
fn a_backlog_and_what_is_written_meanwhile_arrive_once_and_in_order_at_loki() {
    let scene = Scene::of_digests();
    let config = scene.loki_config();
    write_and_compare(&scene, &config, Backend::Loki);
    let name = scene.loki_stream_of("app.log", "app");
    assert!(
        scene
            .receiver
            .summary(Backend::Loki)
            .stream(&name)
            .is_some()
    );
}

#[test]
fn a_backlog_and_what_is_written_meanwhile_arrive_once_and_in_order_at_cloudwatch() {
    let scene = Scene::of_digests();
    let config = scene.cloudwatch_config();
    write_and_compare(&scene, &config, Backend::Cloudwatch);
}

fn write_and_compare(scene: &Scene, config: &Config, backend: Backend) {
    let mut series = Numbered::wide("bulk", WIDTH);
    let path = scene.log("app.log");
    series.append_to(&path, BACKLOG);
    let agent = scene.start(config);
    while series.next < BACKLOG + LIVE {
        series.append_to(&path, 1000);
    }
    let all = BACKLOG + LIVE;
    let arrived = scene
        .receiver
        .wait_for(backend, 2 * PATIENCE, |it| it.stored >= all);
    let peak = agent.peak_memory();
    agent.stop_well();
    let summary = scene.receiver.summary(backend);
    assert!(arrived, "{} of {all} lines arrived", summary.stored);
    assert_eq!(summary.stored, all);
    assert_eq!(summary.streams.len(), 1);
    assert_eq!(
        summary.streams[0].digest,
        expected_digest(&series, all),
        "the lines in order"
    );
    scene.assert_flawless(backend);
    assert_eq!(summary.replayed, 0);
    assert!(
        peak < MEMORY_CEILING,
        "{peak} bytes of memory at the peak, the ceiling is {MEMORY_CEILING}"
    );
}

#[test]
fn two_outputs_have_each_their_own_cursor_and_a_blocked_one_holds_up_nobody() {
    let scene = Scene::new();
    let mut config = scene.loki_config().serving();
    config.outputs.push(scene.cloudwatch("log_stream: all"));
    "timeout: 1s, quiet_for: 10ms".clone_into(&mut config.shutdown);
    let mut series = Numbered::new("both");
    scene.receiver.pause(Backend::Cloudwatch);
    series.append_to(&scene.log("a.log"), 500);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 500);
    series.append_to(&scene.log("a.log"), 500);
    scene.wait_for_stored(Backend::Loki, 1000);
    assert_eq!(scene.receiver.summary(Backend::Cloudwatch).stored, 0);
    agent.stop_well();
    scene.receiver.resume(Backend::Cloudwatch);
    series.append_to(&scene.log("a.log"), 10);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Cloudwatch, 1010);
    scene.wait_for_stored(Backend::Loki, 1010);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
    scene.assert_arrived(Backend::Cloudwatch, &series.all());
    assert_eq!(scene.receiver.summary(Backend::Loki).replayed, 0);
}

#[test]
fn each_output_takes_only_the_inputs_it_names() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![
            scene.input("web", &["web/*.log"], ""),
            scene.input("jobs", &["jobs/**/*.log"], ""),
        ],
        outputs: vec![
            scene.loki("inputs: [web]"),
            scene.cloudwatch("inputs: [jobs], log_stream: \"{file}\""),
        ],
        ..scene.empty_config()
    };
    let (mut web, mut jobs) = (Numbered::new("web"), Numbered::new("jobs"));
    fs::create_dir_all(scene.log("jobs/deep/er")).unwrap();
    fs::create_dir(scene.log("web")).unwrap();
    web.append_to(&scene.log("web/a.log"), 100);
    jobs.append_to(&scene.log("jobs/deep/er/night.log"), 100);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 100);
    scene.wait_for_stored(Backend::Cloudwatch, 100);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &web.all());
    scene.assert_arrived(Backend::Cloudwatch, &jobs.all());
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    assert!(summary.stream("/apps/test:night.log").is_some());
}

#[test]
fn what_is_delivered_stays_delivered_over_restarts() {
    let scene = Scene::new();
    let config = scene.cloudwatch_config();
    let mut series = Numbered::new("again");
    for round in 1..=5 {
        series.append_to(&scene.log("app.log"), 200);
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Cloudwatch, round * 200);
        agent.stop_well();
    }
    scene.assert_arrived(Backend::Cloudwatch, &series.all());
}

#[test]
fn many_files_arrive_in_streams_of_their_own_each_in_order() {
    let scene = Scene::new();
    let mut series: Vec<_> = (0..60)
        .map(|number| Numbered::new(&format!("file{number:02}")))
        .collect();
    let agent = scene.start(&scene.loki_config());
    for _ in 0..5 {
        for one in &mut series {
            let path = scene.log(&format!("{}.log", one.name));
            one.append_to(&path, 20);
        }
    }
    scene.wait_for_stored(Backend::Loki, 60 * 100);
    agent.stop_well();
    for one in &series {
        scene.assert_series_arrived(Backend::Loki, one);
    }
    scene.assert_flawless(Backend::Loki);
    assert_eq!(scene.receiver.summary(Backend::Loki).streams.len(), 60);
}
