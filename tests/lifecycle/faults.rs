//! Faults of the disk and limits of the system while the agent runs: delivery goes on, it is
//! said, and what is mended is used again.

use std::fs;
use std::path::Path;

use pinnace::receiver::Backend;

use crate::harness::{Agent, Config, Numbered, Scene, SmallVolume, eventually, get};

fn is_unprotected(config: &Config) -> bool {
    let (_, text) = get(config.port(), "/metrics").unwrap();
    text.contains("pinnace_journal_unprotected 1\n")
}

#[expect(clippy::print_stderr, reason = "whoever reads the log should know")]
fn skipped(reason: &str) {
    eprintln!("not tried: {reason}");
}

fn start_at(volume: &SmallVolume, config: &Path) -> Agent {
    let agent = Agent::launch_at(volume, config, &["--on-error=exit"]);
    agent.wait_for_log("started version=");
    agent
}

#[test]
fn a_full_state_directory_holds_up_nothing_and_protects_again_once_there_is_room() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let Some(volume) = SmallVolume::mount(&config.state_dir, 2 << 20) else {
        return skipped("no volume of one's own can be mounted here");
    };
    let path = scene.log("app.log");
    let mut series = Numbered::wide("full", 199);
    let agent = start_at(&volume, &scene.write(&config));
    series.append_to(&path, 100);
    scene.wait_for_stored(Backend::Loki, 100);
    volume.fill();
    // What is allocated can still be written.
    let is_told = eventually(|| {
        series.append_to(&path, 500);
        scene.wait_for_stored(Backend::Loki, series.next);
        is_unprotected(&config)
    });
    assert!(is_told, "{}", agent.log_text());
    let (status, text) = get(config.port(), "/readyz").unwrap();
    assert!(
        status == 503 && text.contains("the journal cannot be written"),
        "{text}"
    );
    for _ in 0..10 {
        series.append_to(&path, 500);
        scene.wait_for_stored(Backend::Loki, series.next);
    }
    volume.clear();
    agent.wait_for_log("the journal can be written again");
    assert!(!is_unprotected(&config));
    series.append_to(&path, 500);
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.kill();
    let agent = start_at(&volume, &scene.write(&config));
    series.append_to(&path, 500);
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.stop_well();
    // The last answer may have come too late to be noted before the kill: the same bytes again,
    // which Loki drops.
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_state_directory_that_is_removed_is_told_and_made_anew() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let path = scene.log("app.log");
    let mut series = Numbered::new("removed");
    let agent = scene.start(&config);
    series.append_to(&path, 10);
    scene.wait_for_stored(Backend::Loki, 10);
    fs::remove_dir_all(&config.state_dir).unwrap();
    series.append_to(&path, 10);
    scene.wait_for_stored(Backend::Loki, 20);
    agent.wait_for_log("the state directory was removed or replaced");
    agent.wait_for_log("the journal can be written again");
    series.append_to(&path, 10);
    scene.wait_for_stored(Backend::Loki, 30);
    agent.kill();
    let agent = scene.start(&config);
    series.append_to(&path, 10);
    scene.wait_for_stored(Backend::Loki, 40);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}
