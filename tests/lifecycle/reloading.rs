//! Another configuration while the agent runs: by SIGHUP or because the file changed. Whatever
//! changes, every line arrives once.

use std::fs;
use std::path::Path;

use pinnace::receiver::{Action, Backend, Faults};

use crate::harness::{Agent, Config, Numbered, PATIENCE, Scene, append, eventually};

#[test]
fn an_input_and_an_output_are_added_and_removed_without_a_restart() {
    let scene = Scene::new();
    let mut one = scene.loki_config();
    one.inputs = vec![scene.input("app", &["app.log"], "")];
    let (mut app, mut jobs) = (Numbered::new("app"), Numbered::new("jobs"));
    app.append_to(&scene.log("app.log"), 100);
    jobs.append_to(&scene.log("jobs.log"), 100);
    let agent = scene.start(&one);
    scene.wait_for_stored(Backend::Loki, 100);

    let mut both = one.clone();
    both.inputs
        .push(scene.input("jobs", &["jobs.log"], "read_from: beginning"));
    both.outputs.push(scene.cloudwatch("log_stream: all"));
    let said = scene.change(&agent, &both);
    assert!(said.contains("input jobs added"), "{said}");
    assert!(said.contains("output cloudwatch added"), "{said}");
    scene.wait_for_stored(Backend::Loki, 200);
    scene.wait_for_stored(Backend::Cloudwatch, 200);
    app.append_to(&scene.log("app.log"), 100);
    scene.wait_for_stored(Backend::Loki, 300);
    scene.wait_for_stored(Backend::Cloudwatch, 300);

    let said = scene.change(&agent, &one);
    assert!(said.contains("input jobs removed"), "{said}");
    assert!(said.contains("output cloudwatch removed"), "{said}");
    app.append_to(&scene.log("app.log"), 100);
    scene.wait_for_stored(Backend::Loki, 400);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &app);
    scene.assert_series_arrived(Backend::Loki, &jobs);
    assert_eq!(scene.receiver.summary(Backend::Cloudwatch).stored, 300);
    scene.assert_flawless(Backend::Loki);
    scene.assert_flawless(Backend::Cloudwatch);
}

#[test]
fn a_changed_file_is_noticed_by_itself_also_behind_a_swapped_link() {
    let scene = Scene::new();
    let config = scene.loki_config();
    // As Kubernetes mounts a ConfigMap: name → ..data/name, ..data → a folder, swapped by rename.
    let mount = scene.dir().join("mount");
    let publish = |version: &str, config: &Config| {
        let folder = mount.join(version);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(scene.write(config), folder.join("pinnace.yaml")).unwrap();
        let link = mount.join("..data_tmp");
        std::os::unix::fs::symlink(version, &link).unwrap();
        fs::rename(&link, mount.join("..data")).unwrap();
    };
    publish("..1", &config);
    std::os::unix::fs::symlink("..data/pinnace.yaml", mount.join("pinnace.yaml")).unwrap();
    let agent = Agent::start(&mount.join("pinnace.yaml"));
    let mut series = Numbered::new("line");
    series.append_to(&scene.log("a.log"), 10);
    scene.wait_for_stored(Backend::Loki, 10);

    let mut other = config.clone();
    other.outputs = vec![scene.loki("labels: { service_name: other }")];
    publish("..2", &other);
    agent.wait_for_log("another configuration is in force");
    series.append_to(&scene.log("a.log"), 10);
    scene.wait_for_stored(Backend::Loki, 20);
    agent.stop_well();
    let summary = scene.receiver.summary(Backend::Loki);
    let other = summary
        .streams
        .iter()
        .find(|it| &*it.name == r#"{service_name="other"}"#);
    let count = other.map(|it| it.digest.lines);
    assert_eq!(count, Some(10), "{summary:#?}");
}

#[test]
fn a_wrong_configuration_is_refused_and_the_earlier_one_goes_on() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let agent = scene.start(&config);
    let mut series = Numbered::new("line");
    let mut wrong = config.clone();
    wrong.outputs = vec![scene.loki("labls: { a: b }")];
    let said = agent.log_len();
    scene.write(&wrong);
    agent.hang_up();
    agent.wait_for_log_after(said, "the earlier one stays in force");
    agent.wait_for_log_after(said, "1 problem in");
    assert!(
        agent.log_text().contains("did you mean"),
        "{}",
        agent.log_text()
    );
    let (code, status) = config.status_text();
    assert_eq!(code, Some(1), "{status}");
    assert!(
        status.contains("the earlier configuration is in force"),
        "{status}"
    );
    series.append_to(&scene.log("a.log"), 10);
    scene.wait_for_stored(Backend::Loki, 10);

    let said = agent.log_len();
    scene.write(&config);
    agent.hang_up();
    agent.wait_for_log_after(said, "nothing changed");
    assert_eq!(config.status_text().0, Some(0));
    let metrics = crate::harness::get(config.port(), "/metrics").unwrap().1;
    for (result, count) in [("accepted", 1), ("refused", 1)] {
        let line = format!("pinnace_config_reloads_total{{result=\"{result}\"}} {count}");
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    agent.stop_well();
}

/// Rotates and writes while the configuration changes again and again; every line counts.
fn changes_under_load(backend: Backend) {
    let scene = Scene::of_digests();
    let (base, other) = match backend {
        Backend::Loki => (
            scene.loki("labels: { service_name: a, filename: \"{path}\" }"),
            scene.loki("labels: { service_name: b, filename: \"{path}\" }, compression: none"),
        ),
        Backend::Cloudwatch => (
            scene.cloudwatch("log_stream: a, compression: gzip"),
            scene.cloudwatch("log_stream: b, compression: none"),
        ),
    };
    let with = |output: &str| Config {
        inputs: vec![scene.input("app", &["app.log"], "")],
        outputs: vec![output.to_owned()],
        ..scene.empty_config()
    };
    let (base, other) = (with(&base), with(&other));
    let agent = scene.start(&base);
    // Some batches are always on their way when the configuration changes.
    let faults = Faults {
        latency_ms: 30,
        ..Faults::default()
    };
    scene.receiver.set_faults(backend, faults);
    let mut series = Numbered::wide("line", 120);
    for round in 0..12 {
        for part in 0..3 {
            series.append_to(&scene.log("app.log"), 400);
            if part == 1 {
                let rotated = scene.log(&format!("app.log.{}", 1000 - round));
                fs::rename(scene.log("app.log"), rotated).unwrap();
            }
        }
        scene.change(&agent, if round % 2 == 0 { &other } else { &base });
    }
    scene.wait_for_stored(backend, series.next);
    agent.stop_well();
    let summary = scene.receiver.summary(backend);
    assert_eq!(summary.stored, series.next, "{summary:#?}");
    // The two streams keep their order each, not between them.
    let expected = crate::harness::expected_digest(&series, series.next);
    assert_eq!(summary.digest.sum, expected.sum, "{summary:#?}");
    let disordered: u64 = summary.streams.iter().map(|it| it.disordered).sum();
    assert_eq!(disordered, 0, "{summary:#?}");
    assert_eq!(summary.violations, []);
}

#[test]
fn under_load_every_line_reaches_loki_once() {
    changes_under_load(Backend::Loki);
}

#[test]
fn under_load_every_line_reaches_cloudwatch_once() {
    changes_under_load(Backend::Cloudwatch);
}

#[test]
fn what_is_on_its_way_goes_out_as_it_is() {
    let scene = Scene::new();
    let config = scene.loki_config();
    let agent = scene.start(&config);
    scene
        .receiver
        .set_faults(Backend::Loki, Faults::of(Action::Hang));
    let mut series = Numbered::new("line");
    series.append_to(&scene.log("a.log"), 10);
    let is_asked = scene
        .receiver
        .wait_for(Backend::Loki, PATIENCE, |it| it.hanging > 0);
    assert!(is_asked);
    let mut other = config.clone();
    other.outputs = vec![scene.loki("labels: { service_name: other }")];
    scene.change(&agent, &other);
    scene.receiver.set_faults(Backend::Loki, Faults::default());
    series.append_to(&scene.log("a.log"), 10);
    scene.wait_for_stored(Backend::Loki, 20);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
    // The first ten keep the labels that they were sealed with.
    let summary = scene.receiver.summary(Backend::Loki);
    let stored: Vec<_> = summary.streams.iter().map(|it| it.digest.lines).collect();
    assert_eq!(stored, [10, 10], "{summary:#?}");
}

#[test]
fn a_deleted_file_stays_open_over_a_change() {
    let scene = Scene::new();
    let config = scene.loki_config();
    let agent = scene.start(&config);
    scene
        .receiver
        .set_faults(Backend::Loki, Faults::of(Action::Status(503)));
    let mut series = Numbered::wide("line", 100);
    // More than what may be on its way: most of it is only in the file.
    series.append_to(&scene.log("a.log"), 300_000);
    let is_asked = scene
        .receiver
        .wait_for(Backend::Loki, PATIENCE, |it| it.injected > 0);
    assert!(is_asked);
    fs::remove_file(scene.log("a.log")).unwrap();
    let mut other = config.clone();
    other.outputs = vec![scene.loki("labels: { service_name: other }")];
    scene.change(&agent, &other);
    scene.receiver.set_faults(Backend::Loki, Faults::default());
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
}

#[test]
fn what_a_removed_output_misses_is_said_and_delivered_when_it_comes_back() {
    let scene = Scene::new();
    let mut both = scene.loki_config();
    both.outputs.push(scene.cloudwatch("log_stream: all"));
    let mut one = both.clone();
    one.outputs.pop();
    let agent = scene.start(&both);
    scene
        .receiver
        .set_faults(Backend::Cloudwatch, Faults::of(Action::Status(503)));
    let mut series = Numbered::new("line");
    series.append_to(&scene.log("a.log"), 100);
    let bytes = fs::metadata(scene.log("a.log")).unwrap().len();
    scene.wait_for_stored(Backend::Loki, 100);
    let said = agent.log_len();
    scene.change(&agent, &one);
    let sentence = agent.wait_for_log_after(said, "an output of an earlier configuration is gone");
    assert!(sentence.contains(&format!("bytes={bytes}")), "{sentence}");
    assert!(sentence.contains("output=\"cloudwatch\""), "{sentence}");
    scene
        .receiver
        .set_faults(Backend::Cloudwatch, Faults::default());
    scene.change(&agent, &both);
    series.append_to(&scene.log("a.log"), 100);
    scene.wait_for_stored(Backend::Loki, 200);
    scene.wait_for_stored(Backend::Cloudwatch, 200);
    agent.stop_well();
    for backend in [Backend::Loki, Backend::Cloudwatch] {
        scene.assert_series_arrived(backend, &series);
    }
}

#[test]
fn keys_that_belong_to_the_process_wait_for_its_next_start() {
    let scene = Scene::new();
    let config = scene.loki_config();
    let agent = scene.start(&config);
    let mut other = config.clone();
    other.state_dir = scene.dir().join("elsewhere");
    other.inputs = vec![scene.input("app", &["*.log", "*.txt"], "")];
    let said = agent.log_len();
    scene.change(&agent, &other);
    agent.wait_for_log_after(said, "takes effect at the next start");
    append(&scene.log("a.txt"), "one\n");
    scene.wait_for_stored(Backend::Loki, 1);
    assert!(!Path::exists(&other.state_dir));
    assert!(eventually(|| config.status_text().0 == Some(0)));
    agent.stop_well();
}

#[test]
fn a_stop_during_a_change_still_delivers_all() {
    let scene = Scene::new();
    let config = scene.loki_config();
    let agent = scene.start(&config);
    let faults = Faults {
        latency_ms: 500,
        ..Faults::default()
    };
    scene.receiver.set_faults(Backend::Loki, faults);
    let mut series = Numbered::new("line");
    series.append_to(&scene.log("a.log"), 100);
    let is_asked = scene
        .receiver
        .wait_for(Backend::Loki, PATIENCE, |it| it.in_flight > 0);
    assert!(is_asked);
    let mut other = config.clone();
    other.outputs = vec![scene.loki("labels: { service_name: other }")];
    scene.write(&other);
    agent.hang_up();
    series.append_to(&scene.log("a.log"), 100);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
}
