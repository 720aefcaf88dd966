//! What the power takes with it: the ends of logs that had not reached the disk.

use std::fs;
use std::time::Duration;

use pinnace::receiver::Backend;

use crate::harness::{Agent, Config, Numbered, Scene, eventually};

#[test]
fn a_log_that_lost_its_end_with_the_power_is_read_on_where_it_ends() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], "")],
        outputs: vec![scene.loki(""), scene.cloudwatch("log_stream: all")],
        ..scene.empty_config()
    }
    .serving();
    let log = scene.log("app.log");
    let mut series = Numbered::wide("power", 199);
    series.append_to(&log, 30);
    let agent = scene.start(&config);
    for _ in 0..2 {
        for backend in Backend::ALL {
            scene.wait_for_stored(backend, series.next);
        }
        series.append_to(&log, 30);
    }
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, series.next);
    }
    config.wait_until_all_is_answered();
    agent.kill();
    let metadata = fs::metadata(&log).unwrap();
    let written = metadata.modified().unwrap();
    if metadata.created().is_err() {
        return eprintln!("not tried: the file system does not say when a file was made");
    }
    // In the middle of a line.
    let file = fs::File::options().write(true).open(&log).unwrap();
    file.set_len(10_101).unwrap();
    file.set_modified(written).unwrap();
    // The machine is started a second ago at most.
    let is_past = || written.elapsed().unwrap() > Duration::from_millis(1200);
    assert!(eventually(is_past));
    let Some(agent) = Agent::after_a_boot(&scene.write(&config)) else {
        return eprintln!("not tried: there is no namespace for the time of the boot");
    };
    let told = agent.wait_for_log("has lost its end");
    assert!(
        told.contains("app.log") && told.contains("bytes=7899"),
        "{told}"
    );
    series.append_to(&log, 10);
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, series.next);
    }
    agent.stop_well();
    for backend in Backend::ALL {
        scene.assert_series_arrived(backend, &series);
    }
    // And the next start knows it as it is.
    let agent = scene.start(&config);
    series.append_to(&log, 1);
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, series.next);
        scene.assert_series_arrived(backend, &series);
    }
    agent.stop_well();
}
