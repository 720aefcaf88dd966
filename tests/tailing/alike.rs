//! A job that writes the very same each time, without a time in its lines: each run counts.

use std::fs;

use pinnace::receiver::Backend;

use crate::harness::{Config, Scene, append};

/// A job writes so many lines each time that it runs. The first run is delivered, the others are while
/// no agent is there.
fn each_run_arrives(glob: &str, is_dated: bool, runs: [usize; 3]) {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("app", &[glob], "")],
        outputs: vec![scene.loki(""), scene.cloudwatch("")],
        ..scene.empty_config()
    }
    .serving();
    let run = |lines: usize| {
        let text = "nothing to do for this customer today\n".repeat(lines);
        assert!(text.len() > 4096, "less proves nothing");
        append(&scene.log("app.log"), text);
    };
    let [first, others @ ..] = runs;
    let agent = scene.start(&config);
    run(first);
    wait_for(&scene, first);
    config.wait_until_no_lag();
    agent.stop_well();
    for (lines, rotated) in others.into_iter().zip(0..) {
        if is_dated {
            let dated = scene.log(&format!("app.log-2026112{rotated}"));
            fs::rename(scene.log("app.log"), dated).unwrap();
        } else {
            scene.rotate(rotated);
        }
        run(lines);
    }
    let agent = scene.start(&config);
    wait_for(&scene, runs.iter().sum());
    config.wait_until_no_lag();
    agent.stop_well();
    for backend in Backend::ALL {
        let stored = scene.receiver.summary(backend).stored;
        let all: usize = runs.iter().sum();
        assert_eq!(stored, all as u64, "{backend}, {glob}, {is_dated}");
    }
}

fn wait_for(scene: &Scene, lines: usize) {
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, lines as u64);
    }
}

#[test]
fn each_of_several_runs_that_write_the_same_while_no_agent_is_there_arrives() {
    for glob in ["app.log", "app.log*"] {
        for is_dated in [false, true] {
            for runs in [[200, 200, 200], [200, 210, 220], [200, 190, 180]] {
                each_run_arrives(glob, is_dated, runs);
            }
        }
    }
}
