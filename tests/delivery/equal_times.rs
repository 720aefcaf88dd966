//! Records of one and the same millisecond, alike to the letter, over many batches, restarts and
//! kills: each arrives once at both backends, in an order that is kept.

use std::time::{SystemTime, UNIX_EPOCH};

use pinnace::receiver::{Action, Backend, Faults};

use crate::harness::{Agent, Config, PATIENCE, Scene, append};

/// Lines that are written at a time: several batches.
const ROUND: u64 = 200;

/// Some seconds ago, in whole seconds since 1970.
fn moment() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() - 5
}

/// Both outputs, with batches of a few lines.
fn config(scene: &Scene) -> Config {
    let small =
        |output: String| output.replace("max_wait: 20ms", "max_wait: 20ms, max_bytes: 2KiB");
    Config {
        inputs: vec![scene.input("app", &["*.log"], "max_line: 1KiB")],
        outputs: vec![
            small(scene.loki("request_timeout: 1s")),
            small(scene.cloudwatch("log_stream: all, request_timeout: 1s")),
        ],
        ..scene.empty_config()
    }
    .serving()
}

/// Kills the agent while a request to each backend hangs, `stored` or not, and starts it again.
fn kill_on_its_way(
    scene: &Scene,
    config: &Config,
    agent: Agent,
    stored: bool,
    lines: &str,
) -> Agent {
    let hang = Faults::of(Action::Hang).on("push").on("PutLogEvents");
    let hang = if stored { hang.after_storing() } else { hang };
    for backend in Backend::ALL {
        scene.receiver.set_faults(backend, hang.clone());
    }
    append(&scene.log("app.log"), lines);
    for backend in Backend::ALL {
        let hangs = scene
            .receiver
            .wait_for(backend, PATIENCE, |it| it.hanging > 0);
        assert!(hangs, "nothing is on its way to {backend}");
    }
    agent.kill();
    for backend in Backend::ALL {
        scene.receiver.set_faults(backend, Faults::default());
    }
    scene.start(config)
}

fn wait_for_all(scene: &Scene, count: u64) {
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, count);
    }
}

#[test]
fn equal_records_of_one_millisecond_are_counted_exactly_over_batches_restarts_and_kills() {
    let scene = Scene::new();
    let config = config(&scene);
    let path = scene.log("app.log");
    let line = format!(
        "{{\"ts\":{}.123,\"level\":\"info\",\"msg\":\"the same\"}}\n",
        moment()
    );
    let lines = line.repeat(usize::try_from(ROUND).unwrap());
    append(&path, &lines);
    let agent = scene.start(&config);
    wait_for_all(&scene, ROUND);
    append(&path, &lines);
    wait_for_all(&scene, 2 * ROUND);
    agent.stop_well();
    append(&path, &lines);
    let mut agent = scene.start(&config);
    wait_for_all(&scene, 3 * ROUND);
    let mut count = 3 * ROUND;
    for stored in [true, false, true] {
        agent = kill_on_its_way(&scene, &config, agent, stored, &lines);
        count += ROUND;
        wait_for_all(&scene, count);
        config.wait_until_no_lag();
    }
    agent.stop_well();
    for backend in Backend::ALL {
        let records = scene.receiver.records(backend);
        assert_eq!(records.len() as u64, count, "{backend}");
        assert!(records.iter().all(|it| it.line == line.trim_end()));
        let times: Vec<_> = records.iter().map(|it| it.timestamp_ns).collect();
        assert!(times.is_sorted(), "{backend}");
        let apart = times[times.len() - 1] - times[0];
        assert!(apart < 1_000_000_000, "{apart} ns at {backend}");
        scene.assert_flawless(backend);
    }
}
