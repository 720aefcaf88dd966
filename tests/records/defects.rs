//! What is not understood of records is counted and shipped all the same.

use pinnace::receiver::Backend;

use crate::harness::{Config, Scene, append};
use crate::{texts, utc};

#[test]
fn lines_without_their_envelope_and_records_without_a_time_are_shipped_and_counted() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![
            scene.input("pod", &["pod.log"], "multiline_wait: 50ms"),
            scene.input("plain", &["plain.log"], "format: plain, multiline: off"),
            scene.input("off", &["off.log"], "timestamp: off, multiline: off"),
        ],
        outputs: vec![scene.loki("too_old: rescue, labels: { app: shop }")],
        ..scene.empty_config()
    }
    .serving();
    append(
        &scene.log("pod.log"),
        "2026-01-02T10:00:00.1Z stdout F one\n\
         torn by a full disk\n\
         2026-01-02T10:00:00.3Z stdout F two\n\
         2026-01-02T10:00:00.4Z nowhere F three\n",
    );
    append(&scene.log("plain.log"), "plain\n");
    append(&scene.log("off.log"), "not asked for\n");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 6);
    config.wait_until_no_lag();
    config.wait_for_samples(&[
        "pinnace_broken_envelopes_total{output=\"loki\"} 2",
        // The torn one: of the other the text has a time, and elsewhere none is looked for.
        "pinnace_untimed_records_total{output=\"loki\"} 1",
        "pinnace_timestamps_far_off_total{output=\"loki\"} 0",
    ]);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    let mut texts = texts(&records);
    texts.sort_unstable();
    assert_eq!(
        texts,
        [
            "2026-01-02T10:00:00.4Z nowhere F three",
            "not asked for",
            "one",
            "plain",
            "torn by a full disk",
            "two",
        ]
    );
}

#[test]
fn a_time_that_cannot_be_right_is_text_and_the_record_has_that_of_the_one_before() {
    let scene = Scene::of_any_time();
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], "timezone: UTC")],
        outputs: vec![scene.loki("too_old: rescue, max_age: 100000h")],
        ..scene.empty_config()
    }
    .serving();
    let lines = [
        "2026-01-02 10:00:00,250 - a - INFO - right",
        "2999-01-02 10:00:00,000 - a - INFO - from the future",
        "1970-01-01 00:00:07,000 - a - INFO - before the clock was set",
        "2026-01-02 10:00:01,500 - a - INFO - right again",
    ];
    append(&scene.log("app.log"), lines.join("\n") + "\n");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 4);
    config.wait_for_samples(&[
        "pinnace_timestamps_far_off_total{output=\"loki\"} 2",
        "pinnace_untimed_records_total{output=\"loki\"} 0",
    ]);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    assert_eq!(texts(&records), lines);
    let ten = utc(2026, 1, 2, 10, 0) * 1000;
    let millis: Vec<_> = records
        .iter()
        .map(|record| record.timestamp_ns / 1_000_000 - ten)
        .collect();
    assert_eq!(millis, [250, 250, 250, 1500]);
}
