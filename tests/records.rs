//! Records through the whole agent: lines joined, times, levels, envelopes and secrets, at both
//! backends, across restarts and kills.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose own files or processes fail has failed"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pinnace::receiver::{Backend, Record};

#[path = "records/beginning.rs"]
mod beginning;
#[path = "records/defects.rs"]
mod defects;
#[path = "records/explained.rs"]
mod explained;
#[path = "records/fields.rs"]
mod fields;
#[path = "records/filters.rs"]
mod filters;
#[path = "harness/harness.rs"]
mod harness;
#[path = "records/joining.rs"]
mod joining;
#[path = "records/pipes.rs"]
mod pipes;
#[path = "records/secrets.rs"]
mod secrets;
#[path = "records/zones.rs"]
mod zones;

use harness::{Config, Scene, append, eventually, get};

const TRACEBACK: &str = "Traceback (most recent call last):
  File \"/app/rapport.py\", line 88, in main
    total = somme / nombre
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/app/rapport.py\", line 91, in main
RuntimeError: échec du rapport";

/// All files to both backends; nothing about records is configured but the zone.
fn both(scene: &Scene) -> Config {
    Config {
        inputs: vec![scene.input("report", &["*.log"], "timezone: Europe/Paris")],
        outputs: vec![
            scene.loki("too_old: rescue"),
            scene.cloudwatch("log_stream: all, too_old: rescue"),
        ],
        ..scene.empty_config()
    }
}

fn texts(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.line.as_str()).collect()
}

fn level(record: &Record) -> Option<&str> {
    let mut metadata = record.metadata.iter();
    metadata
        .find(|(name, _)| name == "level")
        .map(|(_, value)| value.as_str())
}

/// In seconds since 1970, of a moment in UTC.
fn utc(year: i32, month: u32, day: u32, hour: i64, minute: i64) -> i64 {
    let days = |year: i32, month: u32, day: u32| {
        let (year, month) = if month <= 2 {
            (year - 1, month + 12)
        } else {
            (year, month)
        };
        let year = i64::from(year);
        365 * year + year / 4 - year / 100
            + year / 400
            + (153 * i64::from(month) - 457) / 5
            + i64::from(day)
            - 306
    };
    (days(year, month, day) - days(1970, 1, 1)) * 86_400 + hour * 3600 + minute * 60
}

#[test]
fn the_report_script_arrives_whole_and_at_its_times_across_a_change_of_clocks() {
    let scene = Scene::of_any_time();
    // Summer time ends in Paris on 26 October 2025 at 3 o'clock; a new file is begun each day.
    let line = |time: &str, level: &str, text: &str| format!("{time} - rapport - {level} - {text}");
    let saturday = [line(
        "2025-10-25 23:59:59,250",
        "INFO",
        "Début du rapport n° 7",
    )];
    let sunday = [
        line("2025-10-26 01:30:00,000", "INFO", "élèves chargés"),
        line("2025-10-26 02:30:00,000", "WARNING", "données incomplètes"),
        line(
            "2025-10-26 02:15:00,000",
            "ERROR",
            &format!("calcul impossible\n{TRACEBACK}"),
        ),
        line("2025-10-26 02:45:00,500", "INFO", "deuxième passage"),
        line(
            "2025-10-26 03:00:00,000",
            "CRITICAL",
            &format!("arrêt\n{TRACEBACK}"),
        ),
    ];
    append(
        &scene.log("report_20251025.log"),
        format!("{}\n", saturday.join("\n")),
    );
    append(
        &scene.log("report_20251026.log"),
        format!("{}\n", sunday.join("\n")),
    );
    let config = Config {
        outputs: vec![
            scene.loki("too_old: rescue, max_age: 100000h"),
            scene.cloudwatch("log_stream: \"{file}\", too_old: rescue, max_age: 100000h"),
        ],
        ..both(&scene)
    };
    let agent = scene.start(&config);
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, 6);
    }
    agent.stop_well();
    let expected = [
        (
            utc(2025, 10, 25, 21, 59) * 1000 + 59_250,
            "info",
            &saturday[0],
        ),
        (utc(2025, 10, 25, 23, 30) * 1000, "info", &sunday[0]),
        (utc(2025, 10, 26, 0, 30) * 1000, "warn", &sunday[1]),
        // An hour that is lived twice: the times stepped back.
        (utc(2025, 10, 26, 1, 15) * 1000, "error", &sunday[2]),
        (utc(2025, 10, 26, 1, 45) * 1000 + 500, "info", &sunday[3]),
        (utc(2025, 10, 26, 2, 0) * 1000, "fatal", &sunday[4]),
    ];
    for backend in Backend::ALL {
        scene.assert_flawless(backend);
        let mut records = scene.receiver.records(backend);
        records.sort_by_key(|record| record.timestamp_ns);
        assert_eq!(records.len(), expected.len(), "{backend}");
        for (record, (millis, word, text)) in records.iter().zip(&expected) {
            assert_eq!(record.line, **text, "{backend}");
            assert_eq!(
                record.timestamp_ns / 1_000_000,
                *millis,
                "{backend}: {text}"
            );
            if backend == Backend::Loki {
                assert_eq!(level(record), Some(*word), "{text}");
            }
        }
    }
}

#[test]
fn a_record_at_the_end_of_a_file_is_delivered_after_the_wait_and_what_comes_later_says_so() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("report", &["*.log"], "multiline_wait: 1s")],
        outputs: vec![scene.loki("too_old: rescue")],
        ..scene.loki_config()
    }
    .serving();
    let log = scene.log("app.log");
    let agent = scene.start(&config);
    append(&log, "2026-01-02 10:00:00,000 - a - ERROR - one\n  more\n");
    scene.wait_for_stored(Backend::Loki, 1);
    append(&log, "  and more\n  of it\n");
    scene.wait_for_stored(Backend::Loki, 2);
    append(&log, "2026-01-02 10:00:01,000 - a - INFO - two\n");
    scene.wait_for_stored(Backend::Loki, 3);
    config.wait_for_samples(&["pinnace_continued_records_total{output=\"loki\"} 1"]);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    assert_eq!(
        texts(&records),
        [
            "2026-01-02 10:00:00,000 - a - ERROR - one\n  more",
            "[continued]   and more\n  of it",
            "2026-01-02 10:00:01,000 - a - INFO - two",
        ]
    );
}

/// Lets a record be shipped, and so much time pass that what comes then continues nothing.
fn ship_one_and_pause(scene: &Scene) {
    append(
        &scene.log("app.log"),
        "2026-01-02 10:00:00,000 - a - ERROR - one\n",
    );
    scene.wait_for_stored(Backend::Loki, 1);
    let pause = Instant::now();
    assert!(eventually(|| pause.elapsed() > Duration::from_millis(1500)));
}

/// The next run of a job prints something before its first record.
#[test]
fn what_comes_without_a_time_long_after_a_record_is_of_the_moment_at_which_it_was_seen() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("report", &["*.log"], "multiline_wait: 1ms")],
        outputs: vec![scene.loki("too_old: rescue")],
        ..scene.loki_config()
    }
    .serving();
    let log = scene.log("app.log");
    let agent = scene.start(&config);
    ship_one_and_pause(&scene);
    let before = SystemTime::now();
    append(&log, "Begins.\n");
    scene.wait_for_stored(Backend::Loki, 2);
    append(&log, "2026-01-02 10:00:01,000 - a - INFO - two\n");
    scene.wait_for_stored(Backend::Loki, 3);
    config.wait_for_samples(&["pinnace_continued_records_total{output=\"loki\"} 0"]);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    let begins = records.iter().find(|it| it.line == "Begins.").unwrap();
    assert_eq!(level(begins), None);
    let before = i64::try_from(before.duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
    assert!(begins.timestamp_ns >= before - 1_000_000, "{begins:?}");
}

#[test]
fn what_comes_without_a_time_long_after_a_record_stays_before_the_records_behind_it() {
    let scene = Scene::of_any_time();
    let config = Config {
        inputs: vec![scene.input("report", &["*.log"], "multiline_wait: 1ms, timezone: UTC")],
        outputs: vec![scene.loki("too_old: rescue")],
        ..scene.loki_config()
    }
    .serving();
    let log = scene.log("app.log");
    let agent = scene.start(&config);
    ship_one_and_pause(&scene);
    append(&log, "Begins.\n2026-01-02 11:00:00,000 - a - INFO - two\n");
    scene.wait_for_stored(Backend::Loki, 3);
    agent.stop_well();
    let mut records = scene.receiver.records(Backend::Loki);
    records.sort_by_key(|it| it.timestamp_ns);
    let lines: Vec<_> = texts(&records);
    let last = lines.iter().map(|it| it.rsplit(" - ").next().unwrap());
    assert_eq!(last.collect::<Vec<_>>(), ["one", "Begins.", "two"]);
}

#[test]
fn a_record_that_may_go_on_is_delivered_at_the_end_and_is_not_begun_anew_after_a_restart() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("report", &["*.log"], "multiline_wait: 1s")],
        outputs: vec![scene.loki("too_old: rescue")],
        ..scene.loki_config()
    };
    let log = scene.log("app.log");
    let agent = scene.start(&config);
    append(&log, "2026-01-02 10:00:00,000 - a - ERROR - one\n  more\n");
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    assert_eq!(
        texts(&records),
        ["2026-01-02 10:00:00,000 - a - ERROR - one\n  more"]
    );
    append(
        &log,
        "  and more\n2026-01-02 10:00:01,000 - a - INFO - two\n",
    );
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 3);
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
    let records = scene.receiver.records(Backend::Loki);
    assert_eq!(
        texts(&records)[1..],
        [
            "[continued]   and more",
            "2026-01-02 10:00:01,000 - a - INFO - two"
        ]
    );
}

#[test]
fn kills_in_the_middle_of_tracebacks_cost_nothing_and_double_nothing() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input(
            "report",
            &["*.log"],
            "timezone: Europe/Paris, multiline_wait: 30s",
        )],
        ..both(&scene)
    };
    let log = scene.log("app.log");
    let mut written = Vec::new();
    let mut agent = scene.start(&config);
    for round in 0..8 {
        for number in 0..20 {
            let text = format!(
                "2026-01-02 10:00:{round:02},{number:03} - a - ERROR - {round}/{number}\n{TRACEBACK}\n"
            );
            written.push(text.trim_end().to_owned());
            // Half a record is written, then the rest of it.
            let half = text.floor_char_boundary(text.len() / 2);
            append(&log, &text[..half]);
            if number == 10 {
                let before = scene.receiver.summary(Backend::Loki).stored;
                assert!(eventually(|| {
                    let stored = scene.receiver.summary(Backend::Loki).stored;
                    stored > before || stored + 1 >= written.len() as u64
                }));
                agent.kill();
                agent = scene.start(&config);
            }
            append(&log, &text[half..]);
        }
    }
    append(&log, "2026-01-02 10:01:00,000 - a - INFO - the end\n");
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, written.len() as u64);
        scene.assert_flawless(backend);
        assert_eq!(
            texts(&scene.receiver.records(backend)),
            written,
            "{backend}"
        );
    }
    agent.kill();
}

#[test]
fn lines_of_both_pipes_lose_their_envelope_and_are_joined_for_each_on_its_own() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("pod", &["*.log"], "multiline_wait: 100ms")],
        outputs: vec![scene.loki("too_old: rescue")],
        ..scene.loki_config()
    };
    let line = |time: &str, stream: &str, tag: &str, text: &str| {
        format!("2026-01-02T10:00:{time}Z {stream} {tag} {text}\n")
    };
    append(
        &scene.log("0.log"),
        [
            line("00.1", "stdout", "P", "a line in "),
            line("00.2", "stderr", "F", "Traceback (most recent call last):"),
            line("00.3", "stdout", "F", "two parts"),
            line("00.4", "stderr", "F", "  File \"a.py\", line 1"),
            line("00.5", "stdout", "F", "another line"),
            line("00.6", "stderr", "F", "KeyError: 'x'"),
        ]
        .concat(),
    );
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 3);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    let mut seen: Vec<_> = records
        .iter()
        .map(|record| {
            let stream = record.metadata.iter().find(|(name, _)| name == "stream");
            (record.line.as_str(), stream.unwrap().1.as_str())
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            (
                "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'",
                "stderr"
            ),
            ("a line in two parts", "stdout"),
            ("another line", "stdout"),
        ]
    );
}

#[test]
fn plain_lines_are_shipped_as_they_are() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("plain", &["*.log"], "format: plain, multiline: off")],
        outputs: vec![scene.loki("too_old: rescue")],
        ..scene.loki_config()
    };
    let text =
        "2020-01-02 10:00:00,000 - a - ERROR - one\n  more\n2026-01-02T10:00:00Z stdout F x\n";
    append(&scene.log("app.log"), text);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 3);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    assert_eq!(texts(&records), text.lines().collect::<Vec<_>>());
    let written_lately =
        |record: &Record| record.timestamp_ns / 1_000_000_000 > utc(2026, 1, 1, 0, 0);
    assert!(
        records
            .iter()
            .all(|record| record.metadata.is_empty() && written_lately(record))
    );
}

#[test]
fn metrics_in_the_embedded_format_reach_cloudwatch_as_they_were_written() {
    let scene = Scene::new();
    let config = both(&scene).serving();
    let directive = r#"{"Namespace":"app","Dimensions":[["service"]],"Metrics":[{"Name":"ms"}]}"#;
    let emf = |service: &str, value: &str| {
        format!(
            r#"{{"_aws":{{"Timestamp":1795341600000,"CloudWatchMetrics":[{directive}]}},"service":{service},"ms":{value}}}"#
        )
    };
    let good = [emf("\"checkout\"", "12.5"), emf("\"cart\"", "[1, 2]")];
    // Its dimension is no text: CloudWatch would make nothing of it.
    let bad = emf("7", "1");
    let lines = [
        "2026-11-22 10:00:00,123 - app - INFO - before".to_owned(),
        good[0].clone(),
        good[1].clone(),
        "2026-11-22 10:00:00,200 - app - INFO - between".to_owned(),
        bad.clone(),
    ];
    append(&scene.log("app.log"), format!("{}\n", lines.join("\n")));
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Cloudwatch, 5);
    let records = scene.receiver.records(Backend::Cloudwatch);
    assert_eq!(texts(&records), lines);
    let (_, metrics) = get(config.port(), "/metrics").unwrap();
    for (result, count) in [("valid", 2), ("invalid", 1)] {
        let line = format!(
            "pinnace_emf_records_total{{output=\"cloudwatch\",result=\"{result}\"}} {count}"
        );
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    agent.wait_for_log("a dimension is no text beside _aws");
    agent.stop_well();
}
