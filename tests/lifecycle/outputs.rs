//! Which output gets what: one that is added between two runs, and one that gets a file twice.

use std::process::Command;

use pinnace::receiver::Backend;

use crate::harness::{Config, Numbered, Scene, append};

/// Writes so many lines more and waits until both backends have as many as they should.
fn write(scene: &Scene, series: &mut Numbered, count: u64, at_both: [u64; 2]) {
    series.append_to(&scene.log("app.log"), count);
    for (backend, stored) in Backend::ALL.into_iter().zip(at_both) {
        scene.wait_for_stored(backend, stored);
    }
}

#[test]
fn an_output_that_is_added_between_two_runs_begins_where_read_from_says() {
    for (read_from, of_earlier) in [("beginning", 150), ("end", 0)] {
        let scene = Scene::new();
        let one = Config {
            inputs: vec![scene.input("app", &["*.log"], &format!("read_from: {read_from}"))],
            ..scene.loki_config()
        };
        let mut both = one.clone();
        both.outputs.push(scene.cloudwatch("log_stream: all"));
        let mut series = Numbered::new("line");
        let agent = scene.start(&one);
        // Who answers has looked at all there is: what comes now came later.
        one.wait_until_no_lag();
        write(&scene, &mut series, 100, [100, 0]);
        agent.stop_well();
        // While nobody runs: what is owed to the one that was there, and past to the new one.
        series.append_to(&scene.log("app.log"), 50);

        let agent = scene.start(&both);
        write(&scene, &mut series, 0, [150, of_earlier]);
        write(&scene, &mut series, 50, [200, of_earlier + 50]);
        let late = scene.log("late.log");
        let mut later = Numbered::new("late");
        later.append_to(&late, 10);
        for (backend, stored) in Backend::ALL.into_iter().zip([210, of_earlier + 60]) {
            scene.wait_for_stored(backend, stored);
        }
        agent.stop_well();

        // From then on it is one as the other: nothing is skipped, and nothing comes again.
        series.append_to(&scene.log("app.log"), 25);
        let agent = scene.start(&both);
        write(&scene, &mut series, 25, [260, of_earlier + 110]);
        agent.stop_well();
        for (backend, stored) in Backend::ALL.into_iter().zip([260, of_earlier + 110]) {
            assert_eq!(
                scene.receiver.summary(backend).stored,
                stored,
                "{read_from}"
            );
            scene.assert_flawless(backend);
        }
        scene.assert_series_arrived(Backend::Loki, &series);
        scene.assert_series_arrived(Backend::Loki, &later);
        scene.assert_series_arrived(Backend::Cloudwatch, &later);
        let lines = crate::harness::lines_of(&scene, Backend::Cloudwatch, |it| {
            it.line.starts_with("line ")
        });
        let from = usize::try_from(150 - of_earlier).unwrap();
        assert_eq!(lines, series.all()[from..], "{read_from}");
    }
}

#[test]
fn a_file_that_two_inputs_read_for_one_output_is_told_by_check_and_in_the_log() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![
            scene.input("app", &["app.log"], ""),
            scene.input("all", &["*.log"], ""),
            scene.input("rest", &["*.log"], &exclude(&scene, "app.log")),
        ],
        outputs: vec![
            scene.loki("inputs: [app, all]"),
            scene.cloudwatch("log_stream: all, inputs: [app, rest]"),
        ],
        ..scene.empty_config()
    };
    let told = format!(
        "inputs app and all both read {}, and output loki takes both: it sends the lines twice",
        scene.log("app.log").display()
    );
    let check = || {
        let output = Command::new(env!("CARGO_BIN_EXE_pinnace"))
            .args(["check", "--config"])
            .arg(scene.write(&config))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stderr).unwrap()
    };
    append(&scene.log("other.log"), "a line\n");
    assert!(!check().contains("twice"), "the file is not there");
    append(&scene.log("app.log"), "a line\n");
    let warned = check();
    assert!(warned.contains(&format!("warning: {told}")), "{warned}");
    assert_eq!(warned.matches("twice").count(), 1, "{warned}");
    let agent = scene.start(&config);
    agent.wait_for_log(&told);
    scene.wait_for_stored(Backend::Loki, 3);
    append(&scene.log("app.log"), "another line\n");
    scene.wait_for_stored(Backend::Loki, 5);
    let log = agent.stop_well();
    assert_eq!(log.matches("twice").count(), 1, "{log}");
}

fn exclude(scene: &Scene, name: &str) -> String {
    format!("exclude: [\"{}\"]", scene.log(name).display())
}
