//! What is not understood of records is counted and shipped all the same.

use pinnace::receiver::Backend;

use crate::harness::{Config, Scene, append, get};
use crate::texts;

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
    let (_, metrics) = get(config.port(), "/metrics").unwrap();
    agent.stop_well();
    for sample in [
        "pinnace_broken_envelopes_total{output=\"loki\"} 2\n",
        // The torn one: of the other the text has a time, and elsewhere none is looked for.
        "pinnace_untimed_records_total{output=\"loki\"} 1\n",
        "pinnace_timestamps_far_off_total{output=\"loki\"} 0\n",
    ] {
        assert!(metrics.contains(sample), "{sample} is not in\n{metrics}");
    }
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
