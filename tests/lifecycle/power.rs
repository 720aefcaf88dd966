//! What the power takes with it: the ends of logs that had not reached the disk.

use std::fs;
use std::time::Duration;

use pinnace::receiver::{Action, Backend, Faults, Summary};

use crate::harness::{Agent, Config, Numbered, PATIENCE, Scene, eventually, lines_of};

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

#[test]
fn what_was_on_its_way_and_lost_its_body_with_the_power_is_sent_again_and_counted() {
    let scene = Scene::new();
    let config = scene.config_of(Backend::Cloudwatch, "").serving();
    let mut series = Numbered::new("power");
    let agent = scene.start(&config);
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Cloudwatch, 10);
    let hang = Faults::of(Action::Hang).on("PutLogEvents").after_storing();
    scene.receiver.set_faults(Backend::Cloudwatch, hang);
    series.append_to(&scene.log("app.log"), 10);
    let hangs = |it: &Summary| it.hanging > 0;
    let receiver = &scene.receiver;
    assert!(receiver.wait_for(Backend::Cloudwatch, PATIENCE, hangs));
    agent.kill();
    receiver.set_faults(Backend::Cloudwatch, Faults::default());
    // Bodies are never synced.
    fs::write(config.state_dir.join("batches"), "").unwrap();
    let agent = scene.start(&config);
    agent.wait_for_log("its body was not kept");
    config.wait_until_no_lag();
    assert_eq!(config.metric_sum("pinnace_doubtful_resends_total", ""), 1);
    agent.stop_well();
    let arrived = lines_of(&scene, Backend::Cloudwatch, |_| true);
    let times = |line: &String| arrived.iter().filter(|it| *it == line).count();
    let counts: Vec<_> = series.all().iter().map(times).collect();
    assert_eq!(counts, [vec![1; 10], vec![2; 10]].concat());
}
