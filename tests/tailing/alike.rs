//! A job that writes the very same each time, without a time in its lines: each run counts. So does one
//! that overwrites its report, although nothing but a word in the midst of it is another.

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

/// Overwrites a report, of which the first and last lines and the length are the same each time: in
/// its file, or with another one.
fn report(scene: &Scene, run: u32, is_in_place: bool) {
    let steps = |what: &str| {
        let step = |number| format!("{what} customer {number:03}: nothing to do\n");
        (0..120).map(step).collect::<String>()
    };
    let middle = format!("charged in all: {run:06} EUR\n");
    let text = steps("looked at") + &middle + &steps("wrote to");
    let path = scene.log("report.log");
    if is_in_place {
        fs::write(&path, text).unwrap();
    } else {
        let new = scene.log("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &path).unwrap();
    }
}

#[test]
fn a_report_that_differs_from_the_one_before_in_its_midst_alone_arrives() {
    const LINES: usize = 241;
    for is_in_place in [true, false] {
        let scene = Scene::new();
        let config = Config {
            inputs: vec![scene.input("report", &["report.log"], "")],
            outputs: vec![scene.loki(""), scene.cloudwatch("")],
            ..scene.empty_config()
        }
        .serving();
        let mut agent = scene.start(&config);
        for run in 0..6 {
            // Written under the agent and while it is away by turns.
            if run % 2 == 1 {
                config.wait_until_no_lag();
                agent.stop_well();
                report(&scene, run, is_in_place);
                agent = scene.start(&config);
            } else {
                report(&scene, run, is_in_place);
            }
            wait_for(&scene, LINES * (run as usize + 1));
        }
        config.wait_until_no_lag();
        agent.stop_well();
        for backend in Backend::ALL {
            let stored = scene.receiver.summary(backend).stored;
            assert_eq!(stored, 6 * LINES as u64, "{backend}, {is_in_place}");
        }
    }
}
