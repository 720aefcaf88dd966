//! The day ends while the agent runs: a log with the date in its name goes on under the next
//! date, or gets the date when it is rotated.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use pinnace::receiver::Backend;

use crate::harness::{Config, Numbered, Scene, append, eventually, lines_of};

/// To both backends, each file in a stream of its own at Loki and all in one at CloudWatch Logs.
fn config(scene: &Scene, globs: &[&str], keys: &str) -> Config {
    Config {
        inputs: vec![scene.input("app", globs, keys)],
        outputs: vec![scene.loki(""), scene.cloudwatch("log_stream: all")],
        ..scene.empty_config()
    }
    .serving()
}

fn wait_for_all(scene: &Scene, count: u64) {
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, count);
    }
}

#[test]
fn a_new_file_for_each_day_is_followed_and_the_days_before_go_once_they_are_delivered() {
    let scene = Scene::new();
    let keys = "after_delivery: { rotated: delete, keep: 2, still_for: 0s }";
    let config = config(&scene, &["app-*.log"], keys);
    let day = |day: u32| scene.log(&format!("app-2026-11-{day}.log"));
    let agent = scene.start(&config);
    let mut all: Vec<Numbered> = Vec::new();
    let mut count = 0;
    for today in 26..=30 {
        let mut series = Numbered::new(&format!("day{today}"));
        series.append_to(&day(today), 20);
        count += 20;
        // A line that was begun before midnight ends after it, in the file of the day before.
        if let Some(before) = all.last_mut() {
            before.append_to(&day(today - 1), 5);
            count += 5;
        }
        series.append_to(&day(today), 20);
        count += 20;
        all.push(series);
        wait_for_all(&scene, count);
    }
    // The file that was written last is never past: it must not be that of the day before.
    all[4].append_to(&day(30), 1);
    wait_for_all(&scene, count + 1);
    // Today's, and two of those that are past.
    for (number, is_kept) in (26..=30).zip([false, false, true, true, true]) {
        let is_so = eventually(|| day(number).exists() == is_kept);
        assert!(is_so, "{} kept: {is_kept}", day(number).display());
    }
    agent.stop_well();
    let agent = scene.start(&config);
    all[4].append_to(&day(30), 1);
    wait_for_all(&scene, count + 2);
    agent.stop_well();
    for backend in Backend::ALL {
        assert_eq!(scene.receiver.summary(backend).stored, count + 2);
        for series in &all {
            scene.assert_series_arrived(backend, series);
        }
        scene.assert_flawless(backend);
    }
}

#[test]
fn midnight_while_the_agent_is_away_costs_neither_the_old_day_nor_the_new_one() {
    let scene = Scene::new();
    let config = config(&scene, &["app-*.log"], "");
    let mut series = Numbered::new("night");
    series.append_to(&scene.log("app-2026-11-27.log"), 20);
    let agent = scene.start(&config);
    wait_for_all(&scene, 20);
    agent.stop_well();
    series.append_to(&scene.log("app-2026-11-27.log"), 20);
    series.append_to(&scene.log("app-2026-11-28.log"), 20);
    let agent = scene.start(&config);
    wait_for_all(&scene, 60);
    series.append_to(&scene.log("app-2026-11-28.log"), 20);
    wait_for_all(&scene, 80);
    agent.stop_well();
    for backend in Backend::ALL {
        scene.assert_series_arrived(backend, &series);
        scene.assert_flawless(backend);
    }
}

#[test]
fn a_log_that_gets_its_date_at_midnight_is_read_to_its_end_whether_dated_names_are_meant_or_not() {
    for glob in ["app.log", "app*.log"] {
        let scene = Scene::new();
        let config = config(&scene, &[glob], "");
        let path = scene.log("app.log");
        let mut series = Numbered::new("dated");
        let agent = scene.start(&config);
        for day in 26..=29 {
            series.append_to(&path, 20);
            wait_for_all(&scene, series.next);
            let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
            fs::rename(&path, scene.log(&format!("app-2026-11-{day}.log"))).unwrap();
            // Until it is told to open its log anew, the application goes on in the old file.
            writer.write_all(series.take(10).as_bytes()).unwrap();
            series.append_to(&path, 20);
            wait_for_all(&scene, series.next);
        }
        agent.stop_well();
        let agent = scene.start(&config);
        append(&path, series.take(1));
        wait_for_all(&scene, series.next);
        agent.stop_well();
        for backend in Backend::ALL {
            let arrived = lines_of(&scene, backend, |_| true);
            assert_eq!(arrived, series.all(), "{glob} at {backend}");
            scene.assert_flawless(backend);
        }
    }
}

#[test]
fn the_last_line_of_a_day_before_is_shipped_without_its_end_and_what_comes_later_all_the_same() {
    let scene = Scene::new();
    let config = config(&scene, &["job-*.log"], "");
    let (before, today) = (
        scene.log("job-2026-11-26.log"),
        scene.log("job-2026-11-27.log"),
    );
    append(&before, "one\nthe script was kil");
    let agent = scene.start(&config);
    wait_for_all(&scene, 1);
    append(&today, "two\nhalf");
    wait_for_all(&scene, 3);
    agent.kill();
    // Its writer was not dead: a line of its own, however slowly it comes, and before a restart or
    // after it.
    append(&before, "le");
    let agent = scene.start(&config);
    let is_left = || {
        let outputs = &config.status_json()["outputs"];
        (0..2).all(|it| outputs[it]["lag_bytes"] == 6 && outputs[it]["in_flight_batches"] == 0)
    };
    assert!(eventually(is_left), "{:#}", config.status_json());
    append(&before, "d\n");
    wait_for_all(&scene, 4);
    append(&today, " of today\n");
    wait_for_all(&scene, 5);
    agent.stop_well();
    for backend in Backend::ALL {
        let mut arrived = lines_of(&scene, backend, |_| true);
        arrived.sort();
        let expected = ["half of today", "led", "one", "the script was kil", "two"];
        assert_eq!(arrived, expected, "{backend}");
        scene.assert_flawless(backend);
    }
}

#[test]
fn a_day_before_that_is_still_open_for_writing_keeps_its_last_line_until_it_ends() {
    let scene = Scene::new();
    let config = config(&scene, &["*.log"], "");
    let held = scene.log("held-2026-11-26.log");
    append(&held, "half of");
    append(&scene.log("job-2026-11-26.log"), "killed");
    let mut writer = OpenOptions::new().append(true).open(&held).unwrap();
    let agent = scene.start(&config);
    // Later than the days before, as the clock of the file system sees it.
    for name in ["held", "job"] {
        append(&scene.log(&format!("{name}-2026-11-27.log")), "today\n");
    }
    // Both are judged in one look.
    wait_for_all(&scene, 3);
    writer.write_all(b" a line\n").unwrap();
    wait_for_all(&scene, 4);
    agent.stop_well();
    for backend in Backend::ALL {
        let mut arrived = lines_of(&scene, backend, |_| true);
        arrived.sort();
        assert_eq!(arrived, ["half of a line", "killed", "today", "today"]);
        scene.assert_flawless(backend);
    }
}
