//! What stands before the first record of a file, through the whole agent.

use pinnace::receiver::Backend;

use crate::harness::{Config, Scene, append};
use crate::{level, texts, utc};

const MARK: &str = "\u{FEFF}";

#[test]
fn a_byte_order_mark_hides_nothing_of_the_first_record_and_is_shipped() {
    let scene = Scene::of_any_time();
    let keys = r"capture: '^\S+ \S+ - (?P<who>\w+)', filters: [{ action: keep, pattern: '^2026' }]";
    let config = Config {
        inputs: vec![
            scene.input("text", &["text.log"], keys),
            scene.input("json", &["json.log"], ""),
        ],
        outputs: vec![scene.loki(
            "too_old: rescue, max_age: 100000h, structured_metadata: { who: \"{field.who}\" }",
        )],
        ..scene.empty_config()
    }
    .serving();
    let line =
        |second: u32, level: &str| format!("2026-01-02 10:00:{second:02},000 - me - {level} - x");
    let text = [format!("{MARK}{}", line(0, "ERROR")), line(1, "INFO")];
    let json =
        format!("{MARK}{{\"time\":\"2026-01-02T10:00:02Z\",\"level\":\"warn\",\"who\":\"you\"}}");
    append(&scene.log("text.log"), format!("{}\n", text.join("\n")));
    append(&scene.log("json.log"), format!("{json}\n"));
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 3);
    config.wait_until_no_lag();
    agent.stop_well();
    let mut records = scene.receiver.records(Backend::Loki);
    records.sort_by_key(|record| record.timestamp_ns);
    assert_eq!(texts(&records), [&*text[0], &*text[1], &*json]);
    let expected = [(0, "error", "me"), (1, "info", "me"), (2, "warn", "you")];
    for (record, (second, word, who)) in records.iter().zip(expected) {
        let moment = utc(2026, 1, 2, 10, 0) + second;
        assert_eq!(
            record.timestamp_ns / 1_000_000_000,
            moment,
            "{}",
            record.line
        );
        assert_eq!(level(record), Some(word), "{}", record.line);
        let is_who = |(name, value): &(String, String)| name == "who" && value == who;
        assert!(record.metadata.iter().any(is_who), "{:?}", record.metadata);
    }
}
