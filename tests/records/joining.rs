//! Which lines make one record where the configuration says so, through the whole agent.

use pinnace::receiver::Backend;

use crate::harness::{Config, Scene, append};
use crate::{texts, utc};

/// One input for each file, with these keys, all to Loki.
pub(crate) fn config_of(scene: &Scene, inputs: &[(&str, &str)]) -> Config {
    let of = |(file, keys): &(&str, &str)| {
        let name = file.trim_end_matches(".log");
        scene.input(name, &[file], keys)
    };
    Config {
        inputs: inputs.iter().map(of).collect(),
        outputs: vec![scene.loki("too_old: rescue, max_age: 100000h")],
        ..scene.empty_config()
    }
    .serving()
}

/// What of a file arrived.
fn arrived(scene: &Scene, file: &str) -> Vec<String> {
    let records = scene.receiver.records(Backend::Loki).into_iter();
    let of_file = records.filter(|record| record.stream.contains(file));
    of_file.map(|record| record.line).collect()
}

#[test]
fn patterns_say_where_records_begin_and_where_they_go_on() {
    let scene = Scene::of_any_time();
    let config = config_of(
        &scene,
        &[
            (
                "start.log",
                "multiline: start, multiline_pattern: '^(BEGIN|END) ', multiline_wait: 50ms",
            ),
            (
                "continue.log",
                "multiline: continue, multiline_pattern: '^[>|]', multiline_wait: 50ms",
            ),
        ],
    );
    append(
        &scene.log("start.log"),
        "no beginning\nBEGIN one\n2026-01-02 10:00:00 a head inside\n\nBEGIN two\nEND two\n  more\n",
    );
    append(
        &scene.log("continue.log"),
        "one\n> quoted\n| barred\ntwo\n  indented\nthree\n",
    );
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 8);
    config.wait_until_no_lag();
    agent.stop_well();
    assert_eq!(
        arrived(&scene, "start.log"),
        [
            "no beginning",
            "BEGIN one\n2026-01-02 10:00:00 a head inside\n",
            "BEGIN two",
            "END two\n  more",
        ]
    );
    assert_eq!(
        arrived(&scene, "continue.log"),
        ["one\n> quoted\n| barred", "two", "  indented", "three"]
    );
}

#[test]
fn a_format_of_ones_own_is_a_head_and_a_time_in_the_zone_of_the_input() {
    let scene = Scene::of_any_time();
    let config = config_of(
        &scene,
        &[(
            "app.log",
            "timestamp_format: '%d/%m/%y %H.%M.%S', timezone: Europe/Paris, multiline_wait: 50ms",
        )],
    );
    append(
        &scene.log("app.log"),
        "03/07/25 10.00.00 WARN one\nand more\n[04/01/26 10.00.01] two\nTraceback (most recent call last):\nKeyError\n",
    );
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 2);
    config.wait_for_samples(&[
        "pinnace_untimed_records_total{output=\"loki\"} 0",
        "pinnace_records_by_level_total{output=\"loki\",level=\"warn\"} 1",
        "pinnace_records_by_level_total{output=\"loki\",level=\"error\"} 1",
    ]);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    assert_eq!(
        texts(&records),
        [
            "03/07/25 10.00.00 WARN one\nand more",
            "[04/01/26 10.00.01] two\nTraceback (most recent call last):\nKeyError",
        ]
    );
    let seconds: Vec<_> = records
        .iter()
        .map(|record| record.timestamp_ns / 1_000_000_000)
        .collect();
    // In summer two hours behind, in winter one.
    assert_eq!(seconds, [utc(2025, 7, 3, 8, 0), utc(2026, 1, 4, 9, 0) + 1]);
}

#[test]
fn a_record_with_too_many_lines_is_cut_with_the_mark_of_a_cut_line_and_counted() {
    let scene = Scene::of_any_time();
    let config = config_of(
        &scene,
        &[("app.log", "multiline_max_lines: 3, multiline_wait: 50ms")],
    );
    let lines: Vec<_> = (2..8).map(|number| format!("  line {number}\n")).collect();
    append(
        &scene.log("app.log"),
        format!(
            "2026-01-02 10:00:00,000 - a - ERROR - one\n{}",
            lines.concat()
        ),
    );
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 3);
    config.wait_until_no_lag();
    config.wait_for_samples(&[
        "pinnace_cut_lines_total{output=\"loki\"} 2",
        "pinnace_continued_records_total{output=\"loki\"} 0",
    ]);
    agent.stop_well();
    assert_eq!(
        arrived(&scene, "app.log"),
        [
            "2026-01-02 10:00:00,000 - a - ERROR - one\n  line 2\n  line 3 [line continues]",
            "  line 4\n  line 5\n  line 6 [line continues]",
            "  line 7",
        ]
    );
}

#[test]
fn the_rest_of_a_cut_record_has_its_level_across_a_restart_and_is_filtered_with_it() {
    let scene = Scene::of_any_time();
    let config = config_of(
        &scene,
        &[(
            "app.log",
            "multiline_max_lines: 2, multiline_wait: 50ms, filters: [{ action: drop, level: debug }]",
        )],
    );
    let record = |level: &str| {
        format!("2026-01-02 10:00:00,000 - a - {level} - one\n  two\n  three\n  four\n  five\n")
    };
    let log = scene.log("app.log");
    append(&log, record("DEBUG") + &record("ERROR"));
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 3);
    config.wait_for_samples(&[
        "pinnace_filtered_records_total{output=\"loki\",action=\"drop\"} 3",
        "pinnace_records_by_level_total{output=\"loki\",level=\"error\"} 3",
    ]);
    config.wait_until_no_lag();
    agent.stop_well();
    append(&log, "  six\n");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 4);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    assert_eq!(
        texts(&records),
        [
            "2026-01-02 10:00:00,000 - a - ERROR - one\n  two [line continues]",
            "  three\n  four [line continues]",
            "  five",
            "[continued]   six",
        ]
    );
    let levels: Vec<_> = records.iter().map(crate::level).collect();
    assert_eq!(levels, [Some("error"); 4]);
}
