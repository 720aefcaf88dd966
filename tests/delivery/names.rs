//! What streams are called, and how many of them are fed: names that a backend does not take,
//! names that are too long, files that come and go.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pinnace::receiver::Backend;

use crate::harness::{Agent, Config, Numbered, Scene, eventually, lines_of};

/// `CloudWatch` Logs with a stream of this name for each file.
fn to_streams(scene: &Scene, input: &str, stream: &str) -> Config {
    Config {
        inputs: vec![scene.input("app", &["**/*.log"], input)],
        outputs: vec![scene.cloudwatch(&format!("log_stream: \"{stream}\""))],
        ..scene.empty_config()
    }
}

#[test]
fn a_name_that_cloudwatch_logs_does_not_take_is_changed_and_told_once_with_both() {
    let scene = Scene::new();
    let mut config = to_streams(&scene, "fields: { team: \"check out\" }", "{file}");
    config.outputs[0] = config.outputs[0].replace("/apps/test", "\"/apps/{team}\"");
    let agent = scene.start(&config);
    for name in ["a:b", "c*d"] {
        let mut series = Numbered::new(&name[..1]);
        series.append_to(&scene.log(&format!("{name}.log")), 10);
    }
    scene.wait_for_stored(Backend::Cloudwatch, 20);
    let log = agent.stop_well();
    for (key, given, taken) in [
        ("log_group", "/apps/check out", "/apps/check_out"),
        ("log_stream", "a:b.log", "a_b.log"),
    ] {
        let told: Vec<_> = log
            .lines()
            .filter(|it| it.contains(&format!("key=\"{key}\"")))
            .collect();
        assert_eq!(told.len(), 1, "{log}");
        let is_either = told[0].contains("given=\"c*d.log\" taken=\"c_d.log\"");
        let names = format!("given=\"{given}\" taken=\"{taken}\"");
        assert!(is_either || told[0].contains(&names), "{log}");
    }
    for (name, first) in [("a_b.log", "a "), ("c_d.log", "c ")] {
        let stream = format!("/apps/check_out:{name}");
        let lines = lines_of(&scene, Backend::Cloudwatch, |it| *it.stream == stream);
        assert_eq!(lines.len(), 10, "{stream}");
        assert!(lines.iter().all(|it| it.starts_with(first)), "{lines:?}");
    }
    scene.assert_flawless(Backend::Cloudwatch);
}

/// A folder whose path is longer than the name of a stream may be.
fn deep_folder(scene: &Scene) -> PathBuf {
    let folder = (0..3).fold(scene.log("deep"), |above, _| above.join("d".repeat(200)));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn names_that_are_too_long_are_cut_and_two_different_ones_stay_different() {
    let scene = Scene::new();
    let config = to_streams(&scene, "", "{path}");
    let folder = deep_folder(&scene);
    let mut all = [Numbered::new("one"), Numbered::new("other")];
    // In the second run the names must be those of the first.
    for run in 1..=2 {
        let agent = scene.start(&config);
        for series in &mut all {
            series.append_to(&folder.join(format!("{}.log", series.name)), 10);
        }
        scene.wait_for_stored(Backend::Cloudwatch, run * 20);
        let log = agent.stop_well();
        assert!(log.contains("is cut, with a hash of the whole"), "{log}");
    }
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    assert_eq!(summary.streams.len(), 2, "{summary:#?}");
    for stream in &summary.streams {
        let (_, name) = stream.name.split_once(':').unwrap();
        assert_eq!(name.chars().count(), 512, "{name}");
        assert_eq!(stream.digest.lines, 20, "{name}");
    }
    for series in &all {
        scene.assert_series_arrived(Backend::Cloudwatch, series);
    }
    scene.assert_flawless(Backend::Cloudwatch);
}

/// More files than may be open, which is half of the descriptors.
const FILES: u64 = 80;
const DESCRIPTORS: u32 = 100;
const OPEN: u64 = 50;

/// How many streams each output feeds.
fn fed(config: &Config) -> Vec<u64> {
    let of = |output| config.metric(&format!("pinnace_streams{{output=\"{output}\"}}"));
    ["loki", "cloudwatch"].into_iter().filter_map(of).collect()
}

#[test]
fn streams_that_nobody_writes_make_room_for_others_and_come_back_without_loss_or_doubles() {
    let scene = Scene::new();
    let mut config = scene.loki_config().serving();
    config
        .outputs
        .push(scene.cloudwatch("log_stream: \"{file}\""));
    let mut all: Vec<_> = (0..FILES)
        .map(|number| Numbered::new(&format!("file{number:02}")))
        .collect();
    let write = |all: &mut [Numbered]| {
        for series in all {
            series.append_to(&scene.log(&format!("{}.log", series.name)), 3);
        }
    };
    write(&mut all);
    let long_ago = SystemTime::now() - Duration::from_mins(1);
    for series in &all {
        let path = scene.log(&format!("{}.log", series.name));
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let agent = Agent::with_descriptors(DESCRIPTORS, &scene.write(&config));
    let wait_for = |rounds: u64| {
        for backend in Backend::ALL {
            scene.wait_for_stored(backend, rounds * 3 * FILES);
        }
        config.wait_until_no_lag();
    };
    wait_for(1);
    let few = fed(&config);
    assert!(
        few.iter().all(|it| *it <= OPEN) && few.len() == 2,
        "{few:?}"
    );
    write(&mut all);
    wait_for(2);
    for series in &all {
        fs::remove_file(scene.log(&format!("{}.log", series.name))).unwrap();
    }
    let is_none_fed = eventually(|| fed(&config) == [0, 0]);
    assert!(is_none_fed, "{:?}", fed(&config));
    // A few, so that they are told apart from what was there before by their number alone.
    write(&mut all[..5]);
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, 2 * 3 * FILES + 15);
    }
    assert!(eventually(|| fed(&config) == [5, 5]), "{:?}", fed(&config));
    agent.stop_well();
    for backend in Backend::ALL {
        let streams = scene.receiver.summary(backend).streams.len() as u64;
        assert_eq!(streams, FILES, "{backend}");
        scene.assert_flawless(backend);
        for series in &all {
            scene.assert_series_arrived(backend, series);
        }
    }
}
