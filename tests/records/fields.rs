//! What a record says of itself as labels and as metadata, through the whole agent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use pinnace::receiver::{Action, Backend, Faults, Record};

use crate::harness::{Config, PATIENCE, Scene, append, get};

const LEVELS: [&str; 4] = ["DEBUG", "INFO", "WARNING", "ERROR"];

fn text_line(number: usize) -> String {
    let level = LEVELS[number * 7 % 4];
    let thread = number % 3;
    format!("2026-01-02 10:00:00,000 [worker-{thread}] {level} order {number} id={number}")
}

fn metadata<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    let mut pairs = record.metadata.iter();
    let found = pairs.find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// Levels and a thread as labels, a number as metadata.
fn config_of(scene: &Scene, more: &str) -> Config {
    let keys = "labels: { app: shop, level: \"{level}\", thread: \"{field.thread}\" }, \
                structured_metadata: { id: \"{field.id}\", severity: \"s-{level}\" }";
    Config {
        inputs: vec![scene.input(
            "app",
            &["*.log"],
            "capture: '\\[(?P<thread>[^\\]]+)\\]', multiline_wait: 50ms",
        )],
        outputs: vec![scene.loki(&format!("too_old: rescue, {keys}, {more}"))],
        ..scene.empty_config()
    }
}

fn arrived(scene: &Scene) -> BTreeMap<String, Record> {
    let records = scene.receiver.records(Backend::Loki);
    let count = records.len();
    let by_line: BTreeMap<_, _> = records
        .into_iter()
        .map(|record| (record.line.clone(), record))
        .collect();
    assert_eq!(by_line.len(), count, "each line once");
    by_line
}

#[test]
fn levels_and_fields_become_labels_and_metadata_and_the_line_stays_as_written() {
    let scene = Scene::new();
    let config = config_of(&scene, "");
    let text: String = (0..100).map(|number| text_line(number) + "\n").collect();
    append(&scene.log("app.log"), text);
    append(
        &scene.log("other.log"),
        "{\"level\":\"warn\",\"thread\":\"json \\\"one\\\"\",\"id\":{\"a\":1}}\nnothing at all\n",
    );
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 102);
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
    let records = arrived(&scene);
    for number in 0..100 {
        let record = &records[&text_line(number)];
        let level = ["debug", "info", "warn", "error"][number * 7 % 4];
        assert_eq!(
            *record.stream,
            format!(
                "{{app=\"shop\", level=\"{level}\", thread=\"worker-{}\"}}",
                number % 3
            )
        );
        assert_eq!(metadata(record, "id"), Some(number.to_string().as_str()));
        assert_eq!(metadata(record, "level"), None, "it is a label");
        assert_eq!(
            metadata(record, "severity"),
            Some(format!("s-{level}").as_str())
        );
    }
    let json = &records["{\"level\":\"warn\",\"thread\":\"json \\\"one\\\"\",\"id\":{\"a\":1}}"];
    assert_eq!(
        *json.stream,
        *"{app=\"shop\", level=\"warn\", thread=\"json \\\"one\\\"\"}"
    );
    assert_eq!(metadata(json, "id"), Some("{\"a\":1}"));
    let bare = &records["nothing at all"];
    assert_eq!(*bare.stream, *"{app=\"shop\"}");
    assert_eq!(metadata(bare, "id"), None);
    let mut of_request: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for record in records.values() {
        let streams = of_request.entry(record.request).or_default();
        streams.insert(&record.stream);
    }
    assert!(
        of_request.values().all(|streams| streams.len() == 1),
        "one stream in a request"
    );
}

#[test]
fn kills_and_lost_answers_between_the_label_sets_of_a_batch_cost_and_double_nothing() {
    let scene = Scene::new();
    let config = config_of(&scene, "request_timeout: 2s");
    let log = scene.log("app.log");
    let mut agent = scene.start(&config);
    let mut number = 0;
    for round in 0..8 {
        let faults = Faults {
            ratio: 0.4,
            seed: round,
            ..Faults::of(if round % 2 == 0 {
                Action::Status(500)
            } else {
                Action::Reset
            })
        };
        let faults = if round % 4 < 2 {
            faults.after_storing()
        } else {
            faults
        };
        scene.receiver.set_faults(Backend::Loki, faults.times(6));
        let before = scene.receiver.summary(Backend::Loki).stored;
        for _ in 0..60 {
            append(&log, text_line(number) + "\n");
            number += 1;
        }
        // Somewhere among the requests of a batch.
        let is_under_way = scene
            .receiver
            .wait_for(Backend::Loki, PATIENCE, |it| it.stored > before + 5);
        assert!(is_under_way);
        agent.kill();
        agent = scene.start(&config);
    }
    scene.wait_for_stored(Backend::Loki, number as u64);
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
    let records = arrived(&scene);
    assert!((0..number).all(|it| records.contains_key(&text_line(it))));
    assert_eq!(records.len(), number);
}

#[test]
fn ever_new_values_of_a_label_make_no_more_streams_than_are_permitted() {
    let scene = Scene::new();
    let keys = "labels: { app: shop, user: \"{field.user}\" }, max_streams: 8";
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], "")],
        outputs: vec![scene.loki(&format!("too_old: rescue, {keys}"))],
        ..scene.empty_config()
    }
    .serving();
    let line = |number: usize| format!("level=info msg=hello user=u{number}");
    let text: String = (0..500).map(|number| line(number % 250) + "\n").collect();
    append(&scene.log("app.log"), text);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 500);
    let records = scene.receiver.records(Backend::Loki);
    let streams: BTreeSet<_> = records.iter().map(|record| &*record.stream).collect();
    assert_eq!(streams.len(), 8, "{streams:?}");
    for record in &records {
        let user = record.line.rsplit('=').next().unwrap();
        let is_own = record.stream.contains(&format!("user=\"{user}\""));
        assert_eq!(
            is_own,
            metadata(record, "user").is_none(),
            "it is a label or metadata: {record:?}"
        );
        assert!(is_own || metadata(record, "user") == Some(user));
    }
    // Seven have a stream of their own, twice each.
    let (_, metrics) = get(config.port(), "/metrics").unwrap();
    let sample = "pinnace_merged_records_total{output=\"loki\"} 486\n";
    assert!(metrics.contains(sample), "{sample} in {metrics}");
    agent.wait_for_log("max_streams is reached");
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn more_label_sets_than_a_batch_holds_arrive_all_the_same_and_are_told_of() {
    let scene = Scene::new();
    let keys = "labels: { app: shop, user: \"{field.user}\" }";
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], "")],
        outputs: vec![scene.loki(keys)],
        ..scene.empty_config()
    };
    let line = |number: usize| format!("level=info msg=hello{number} user=u{}", number % 150);
    let text: String = (0..300).map(|number| line(number) + "\n").collect();
    append(&scene.log("app.log"), text);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 300);
    agent.wait_for_log("as many label sets as it may");
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
    let records = arrived(&scene);
    for number in 0..300 {
        let stream = format!("{{app=\"shop\", user=\"u{}\"}}", number % 150);
        assert_eq!(*records[&line(number)].stream, stream);
    }
}

#[test]
fn the_log_of_a_container_is_labelled_with_its_namespace_pod_and_name() {
    let scene = Scene::new();
    let globs = ["pods/*/*/*.log", "containers/*.log"];
    let config = Config {
        inputs: vec![scene.input("node", &globs, "multiline_wait: 50ms")],
        outputs: vec![
            scene.loki("too_old: rescue"),
            scene.cloudwatch("log_stream: \"{namespace}/{pod}/{container}\", too_old: rescue"),
        ],
        ..scene.empty_config()
    };
    let uid = "8a9ac0a2-8f6b-4b9b-9d43-0d7c8e4f3c11";
    let id = "0123456789abcdef".repeat(4);
    let paths = [
        format!("pods/shop_web-7d4b9c-x2x_{uid}/nginx/0.log"),
        format!("containers/db-0_data_postgres-{id}.log"),
        "containers/of-nobody.log".to_owned(),
    ];
    for (number, path) in paths.iter().enumerate() {
        let path = scene.log(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        append(
            &path,
            format!("2026-01-02T10:00:00.1Z stdout F line {number}\n"),
        );
    }
    let agent = scene.start(&config);
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, 3);
    }
    agent.stop_well();
    let streams = |backend: Backend| -> Vec<String> {
        let mut records = scene.receiver.records(backend);
        records.sort_by(|a, b| a.line.cmp(&b.line));
        records.iter().map(|it| it.stream.to_string()).collect()
    };
    let loki = streams(Backend::Loki);
    let of = |path: &str| scene.log(path).display().to_string();
    assert_eq!(
        loki,
        [
            format!(
                "{{container=\"nginx\", filename=\"{}\", namespace=\"shop\", pod=\"web-7d4b9c-x2x\", service_name=\"node\"}}",
                of(&paths[0])
            ),
            format!(
                "{{container=\"postgres\", filename=\"{}\", namespace=\"data\", pod=\"db-0\", service_name=\"node\"}}",
                of(&paths[1])
            ),
            format!("{{filename=\"{}\", service_name=\"node\"}}", of(&paths[2])),
        ]
    );
    let cloudwatch = streams(Backend::Cloudwatch);
    assert_eq!(
        cloudwatch,
        [
            "/apps/test:shop/web-7d4b9c-x2x/nginx",
            "/apps/test:data/db-0/postgres",
            "/apps/test://"
        ]
    );
}

#[test]
fn no_secret_becomes_a_label_or_metadata() {
    let scene = Scene::new();
    let keys = "labels: { app: shop, db: \"{field.db}\" }, \
                structured_metadata: { auth: \"{field.auth}\", customer: \"{field.customer}\" }";
    let config = Config {
        inputs: vec![scene.input(
            "app",
            &["*.log"],
            "redact_patterns: { customer: '\"customer\": *\"[^\"]*\"' }",
        )],
        outputs: vec![scene.loki(&format!("too_old: rescue, {keys}"))],
        ..scene.empty_config()
    };
    append(
        &scene.log("app.log"),
        concat!(
            r#"{"level":"info","db":"postgres://app:s3cret@db/x","auth":"Bearer abcdefghijklmnopqrst"}"#,
            "\n",
            r#"{"level":"info","db":"postgres:\/\/app:s3cret@db/x","customer":"Meyer"}"#,
            "\n"
        ),
    );
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 2);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    let (plain, escaped): (Vec<_>, Vec<_>) = records
        .iter()
        .partition(|record| record.line.contains("postgres://"));
    assert_eq!(
        *plain[0].stream,
        *"{app=\"shop\", db=\"postgres://app:[redacted url_password]@db/x\"}"
    );
    assert_eq!(
        metadata(plain[0], "auth"),
        Some("Bearer [redacted bearer_token]")
    );
    assert_eq!(
        *escaped[0].stream, *"{app=\"shop\", db=\"[redacted]\"}",
        "what an escape hides is looked at too"
    );
    assert_eq!(metadata(escaped[0], "customer"), None);
}

#[test]
fn a_record_that_is_refused_takes_no_other_with_it_and_its_dead_letter_names_its_labels() {
    let scene = Scene::new();
    let config = config_of(&scene, "");
    scene.receiver.set_faults(
        Backend::Loki,
        Faults {
            poison: Some("order 33 ".to_owned()),
            ..Faults::default()
        },
    );
    let text: String = (0..100).map(|number| text_line(number) + "\n").collect();
    append(&scene.log("app.log"), text);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 99);
    agent.stop_well();
    let records = arrived(&scene);
    assert!((0..100).all(|it| it == 33 || records.contains_key(&text_line(it))));
    let letters = fs::read_to_string(config.state_dir.join("dead-letters.ndjson")).unwrap();
    let letter: serde_json::Value = serde_json::from_str(&letters).unwrap();
    assert_eq!(letter["text"], text_line(33));
    assert_eq!(
        letter["stream"],
        "{app=\"shop\", level=\"error\", thread=\"worker-0\"}"
    );
    assert_eq!(letter["may_be_stored"], false);
    let summary = scene.receiver.summary(Backend::Loki);
    assert_eq!(summary.repeated, 0);
}

#[test]
fn equal_lines_of_inputs_that_meet_in_one_stream_are_all_stored_and_none_comes_too_late() {
    for label in ["level: \"{level}\"", "service_name: \"{field.service}\""] {
        let scene = Scene::new();
        let input = |name| scene.input(name, &[&format!("{name}.log")], "");
        let config = Config {
            inputs: ["a", "b", "late"].map(input).into(),
            outputs: vec![scene.loki(&format!("labels: {{ {label} }}"))],
            ..scene.empty_config()
        };
        let now = jiff::Timestamp::now().as_second();
        let line = |age: i64| {
            let time = now - age;
            format!("{{\"ts\":{time}.5,\"level\":\"info\",\"service\":\"shop\"}}\n")
        };
        append(&scene.log("a.log"), line(5));
        append(&scene.log("b.log"), line(5));
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, 2);
        agent.stop_well();
        // The order holds over a restart. Loki takes nothing an hour behind.
        append(&scene.log("b.log"), line(5));
        append(&scene.log("late.log"), line(7200));
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, 4);
        agent.stop_well();
        scene.assert_flawless(Backend::Loki);
        let records = scene.receiver.records(Backend::Loki);
        let streams: BTreeSet<_> = records.iter().map(|it| &*it.stream).collect();
        assert_eq!(streams.len(), 1, "{streams:?}");
    }
}

#[test]
fn a_label_that_differs_by_file_and_by_record_becomes_metadata_beyond_max_streams() {
    let scene = Scene::new();
    let keys = "labels: { app: shop, what: \"{file}-{level}\" }, max_streams: 1";
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], "")],
        outputs: vec![scene.loki(&format!("too_old: rescue, {keys}"))],
        ..scene.empty_config()
    };
    for name in ["one", "two"] {
        append(
            &scene.log(&format!("{name}.log")),
            format!("level=info msg={name}\n"),
        );
    }
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 2);
    agent.stop_well();
    scene.assert_flawless(Backend::Loki);
    let records = arrived(&scene);
    let merged = records.values().find(|it| *it.stream == *"{app=\"shop\"}");
    let merged = merged.expect("a file beyond the limit");
    let what = metadata(merged, "what");
    let name = merged.line.rsplit('=').next().unwrap();
    assert_eq!(what, Some(format!("{name}.log-info").as_str()));
}
