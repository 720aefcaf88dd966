//! Limits of Loki that are kept before anything is sent: of labels, and of structured metadata.

use std::fs;
use std::process::Command;

use pinnace::receiver::{Backend, Record};

use crate::harness::{Config, Numbered, Scene, append};

/// What Loki takes with one line.
const MOST_ENTRIES: usize = 128;
const MOST_BYTES: usize = 64 * 1024;
/// What Loki takes as a label's value, in bytes.
const MOST_VALUE: usize = 2048;

/// So many entries of structured metadata, each with this value.
fn metadata(count: usize, value: &str) -> String {
    let entries: Vec<_> = (0..count)
        .map(|number| format!("m{number:03}: \"{value}\""))
        .collect();
    format!("structured_metadata: {{ {} }}", entries.join(", "))
}

fn to_loki(scene: &Scene, more: &str) -> Config {
    Config {
        outputs: vec![scene.loki(more)],
        ..scene.loki_config().serving()
    }
}

fn bytes_of_metadata(record: &Record) -> usize {
    let pairs = record.metadata.iter();
    pairs.map(|(name, value)| name.len() + value.len()).sum()
}

#[test]
fn metadata_of_more_bytes_than_loki_takes_are_left_out_and_told_once() {
    let scene = Scene::new();
    let more = metadata(60, &"v".repeat(2000));
    let config = to_loki(&scene, &more);
    let agent = scene.start(&config);
    for name in ["a", "b"] {
        append(
            &scene.log(&format!("{name}.log")),
            "ERROR a record with a level\n",
        );
    }
    scene.wait_for_stored(Backend::Loki, 2);
    let log = agent.stop_well();
    assert_eq!(
        log.matches("structured_metadata gives more").count(),
        1,
        "{log}"
    );
    for record in scene.receiver.records(Backend::Loki) {
        let bytes = bytes_of_metadata(&record);
        assert!(bytes > MOST_BYTES * 3 / 4 && bytes <= MOST_BYTES, "{bytes}");
        let has_level = record.metadata.iter().any(|(name, _)| name == "level");
        assert!(has_level, "what a record tells of itself has its room");
    }
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn fields_of_a_record_never_make_more_metadata_than_loki_takes() {
    let scene = Scene::new();
    let names: Vec<_> = (0..60).map(|number| format!("f{number:02}")).collect();
    let templates: Vec<_> = names
        .iter()
        .map(|name| format!("{name}: \"{{field.{name}}}\""))
        .collect();
    let more = format!("structured_metadata: {{ {} }}", templates.join(", "));
    let agent = scene.start(&to_loki(&scene, &more));
    let members: Vec<_> = names
        .iter()
        .map(|name| format!("\"{name}\":\"{}\"", "é".repeat(1500)))
        .collect();
    append(
        &scene.log("app.log"),
        format!("{{{}}}\n", members.join(",")),
    );
    scene.wait_for_stored(Backend::Loki, 1);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    let bytes = bytes_of_metadata(&records[0]);
    assert!(bytes > MOST_BYTES * 3 / 4 && bytes <= MOST_BYTES, "{bytes}");
    let of_records = records[0].metadata.iter();
    let of_fields: Vec<_> = of_records
        .filter(|(name, _)| name.starts_with('f'))
        .collect();
    assert!(of_fields.iter().all(|(_, value)| value.len() == MOST_VALUE));
    scene.assert_flawless(Backend::Loki);
}

#[test]
fn metadata_configured_and_added_are_no_more_entries_than_loki_takes() {
    const CONFIGURED: usize = 111;
    let scene = Scene::new();
    let labels: Vec<_> = (0..15)
        .map(|number| format!("l{number:02}: \"{{file}}\""))
        .collect();
    let labels = format!("labels: {{ {} }}, max_streams: 1", labels.join(", "));
    let more = |count| format!("{labels}, {}", metadata(count, "v"));
    let config = to_loki(&scene, &more(CONFIGURED));
    let agent = scene.start(&config);
    // Lines as a container runtime wraps them, so that their pipe is metadata too.
    let now = jiff::Timestamp::now();
    let line = format!("{now:.9} stderr F ERROR a record with a level\n");
    for number in 0..5 {
        append(&scene.log(&format!("{number}.log")), line.repeat(3));
    }
    scene.wait_for_stored(Backend::Loki, 15);
    let merged: Option<u64> = config.metric("pinnace_merged_files_total{output=\"loki\"}");
    agent.stop_well();
    assert_eq!(merged, Some(4), "all but the first file have no stream");
    let records = scene.receiver.records(Backend::Loki);
    let counts = || records.iter().map(|it| it.metadata.len());
    assert_eq!(counts().max(), Some(MOST_ENTRIES), "{:?}", records[0]);
    scene.assert_flawless(Backend::Loki);

    let path = scene.write(&to_loki(&scene, &more(CONFIGURED + 1)));
    let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
        .args(["check", "--config"])
        .arg(path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(78));
    let told = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains("structured_metadata") && told.contains("111"),
        "{told}"
    );
}

#[test]
fn values_of_labels_are_cut_at_what_loki_takes_and_no_line_is_lost() {
    let scene = Scene::new();
    let more = "labels: { filename: \"{path}\", kind: \"{field.kind}\" }, \
                structured_metadata: { whole: \"{path}\" }";
    let mut config = to_loki(&scene, more);
    config.inputs = vec![scene.input("app", &["**/*.log"], "")];
    let folder = (0..12).fold(scene.log("deep"), |above, _| above.join("d".repeat(200)));
    fs::create_dir_all(&folder).unwrap();
    let agent = scene.start(&config);
    let kind = "k".repeat(MOST_VALUE + 1);
    // Their names differ beyond what a label takes: they share a stream.
    for name in ["one", "other"] {
        let mut series = Numbered::new(name);
        let lines: Vec<_> = (0..10)
            .map(|_| {
                format!(
                    "{{\"kind\":\"{kind}\",\"line\":\"{}\"}}\n",
                    series.next_line().trim_end()
                )
            })
            .collect();
        append(&folder.join(format!("{name}.log")), lines.concat());
    }
    scene.wait_for_stored(Backend::Loki, 20);
    agent.stop_well();
    let records = scene.receiver.records(Backend::Loki);
    for record in &records {
        let cut = format!("kind=\"{}\"", "k".repeat(MOST_VALUE));
        assert!(record.stream.contains(&cut), "{}", record.stream);
        assert!(
            record
                .metadata
                .iter()
                .all(|(_, value)| value.len() <= MOST_VALUE)
        );
    }
    assert_eq!(scene.receiver.summary(Backend::Loki).streams.len(), 1);
    scene.assert_flawless(Backend::Loki);
}
