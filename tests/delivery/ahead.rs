//! Files that say they are from the future, and lines that say so with them: nothing that is sent
//! lies further ahead of the clock than a destination takes, and nothing waits until it would.

use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pinnace::receiver::Backend;

use crate::harness::{Config, Scene, append, lines_of};

const HOUR: u64 = 3600;

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A line of JSON that says its time.
fn says(time: SystemTime, text: &str) -> String {
    format!(r#"{{"ts":{},"msg":"{text}"}}"#, unix(time))
}

/// Writes lines into a file that was last written so far ahead of the clock.
fn write_ahead(scene: &Scene, name: &str, ahead: Duration, lines: &[String]) {
    let path = scene.log(name);
    append(&path, lines.join("\n") + "\n");
    let file = File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() + ahead).unwrap();
}

fn both(scene: &Scene, input: &str) -> Config {
    Config {
        inputs: vec![scene.input("app", &["*.log"], input)],
        outputs: vec![scene.loki(""), scene.cloudwatch("log_stream: \"{file}\"")],
        ..scene.empty_config()
    }
    .serving()
}

#[test]
fn what_comes_from_the_future_is_from_now() {
    // Each way that lines are taken.
    for input in ["", "format: plain, multiline: off"] {
        let scene = Scene::new();
        let config = both(&scene, input);
        let now = SystemTime::now();
        let hours = |count: u64| Duration::from_secs(count * HOUR);
        let plain: Vec<_> = (0..20).map(|it| format!("no time {it:02}")).collect();
        // Further ahead than either destination takes.
        write_ahead(&scene, "plain.log", hours(30), &plain);
        let own = [
            says(now - hours(1), "an hour ago"),
            says(now + hours(29), "tomorrow"),
            says(now - hours(1), "an hour ago again"),
        ];
        write_ahead(&scene, "own.log", hours(30), &own);
        let agent = scene.start(&config);
        for backend in Backend::ALL {
            scene.wait_for_stored(backend, 23);
        }
        // One that comes now is not behind them.
        let live = says(now, "live");
        append(&scene.log("own.log"), format!("{live}\n"));
        append(&scene.log("plain.log"), "live\n");
        for backend in Backend::ALL {
            scene.wait_for_stored(backend, 25);
        }
        config.wait_until_no_lag();
        let of_plain = plain.len() as u64;
        let expected = of_plain + if input.is_empty() { 1 } else { 3 };
        for backend in Backend::ALL {
            let sign = format!("output=\"{backend}\"");
            let ahead = config.metric_sum("pinnace_times_ahead_total", &sign);
            assert_eq!(ahead, expected, "{backend} {input}");
        }
        agent.stop_well();
        assert_eq!(config.dead_letters(), [] as [serde_json::Value; 0]);
        let after = SystemTime::now();
        for backend in Backend::ALL {
            scene.assert_flawless(backend);
            let mut lines = lines_of(&scene, backend, |_| true);
            lines.sort_unstable();
            let mut all = [&plain[..], &own, &[live.clone(), "live".to_owned()]].concat();
            all.sort_unstable();
            assert_eq!(lines, all, "{backend} {input}");
            for record in scene.receiver.records(backend) {
                let time = u64::try_from(record.timestamp_ns / 1_000_000_000).unwrap();
                let is_own = input.is_empty() && record.line.contains("an hour ago");
                let expected = if is_own { unix(now) - HOUR } else { unix(now) };
                let latest = if is_own { expected } else { unix(after) + 1 };
                assert!(
                    (expected..=latest).contains(&time),
                    "{time} of {}, not {expected} to {latest}: {backend} {input}",
                    record.line
                );
            }
        }
    }
}
