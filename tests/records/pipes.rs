//! The two pipes of a container, whose records lie in each other, when the rules change between two
//! records of a group.

use pinnace::receiver::Backend;

use crate::harness::{Scene, append};
use crate::joining::config_of;
use crate::texts;

/// A line of a pipe with a head.
fn line(pipe: &str, text: &str) -> String {
    format!("2026-01-02T10:00:00.1Z {pipe} F 2026-01-02 10:00:00 {text}\n")
}

#[test]
fn by_other_rules_each_line_of_either_pipe_arrives_once_all_the_same() {
    let last = line("stderr", "C");
    let plain = last.trim_end();
    for (keys, last_text) in [
        ("multiline: off", "2026-01-02 10:00:00 C"),
        ("format: plain, multiline: off", plain),
    ] {
        let scene = Scene::of_any_time();
        let log = scene.log("pod.log");
        let stdout = |texts: &[&str]| {
            texts
                .iter()
                .map(|it| line("stdout", it))
                .collect::<String>()
        };
        append(
            &log,
            line("stdout", "a") + &line("stderr", "B") + &stdout(&["c", "e", "g", "h"]),
        );
        let agent = scene.start(&config_of(&scene, &[("pod.log", "multiline_wait: 5m")]));
        // The last of either pipe may go on.
        scene.wait_for_stored(Backend::Loki, 4);
        agent.kill();
        let config = config_of(&scene, &[("pod.log", keys)]);
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, 6);
        config.wait_until_no_lag();
        append(&log, &last);
        scene.wait_for_stored(Backend::Loki, 7);
        config.wait_until_no_lag();
        agent.stop_well();
        let records = scene.receiver.records(Backend::Loki);
        let mut texts = texts(&records);
        texts.sort_unstable();
        let mut expected: Vec<_> = ["B", "a", "c", "e", "g", "h"]
            .iter()
            .map(|it| format!("2026-01-02 10:00:00 {it}"))
            .chain([last_text.to_owned()])
            .collect();
        expected.sort();
        assert_eq!(texts, expected, "{keys}");
        scene.assert_flawless(Backend::Loki);
    }
}
