//! Files that were deleted or emptied while no agent ran: what was seen of them and not delivered is
//! counted, and that there may have been more is said.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use flate2::{Compression, write::GzEncoder};
use pinnace::receiver::Backend;

use crate::harness::{Config, Numbered, Scene, append, eventually, get};

fn lost(config: &Config) -> Option<u64> {
    lost_for(config, "deleted_while_away")
}

fn lost_for(config: &Config, reason: &str) -> Option<u64> {
    let (_, text) = get(config.port(), "/metrics")?;
    let sample = format!("pinnace_lost_bytes_total{{reason=\"{reason}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&sample))?;
    line.parse().ok()
}

/// Waits until the journal knows so many bytes of a file.
fn wait_until_noted(config: &Config, size: u64) {
    let is_noted = eventually(|| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_pinnace"))
            .args(["journal", "show", "--json", "--state-dir"])
            .arg(&config.state_dir)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).contains(&format!("\"size\":{size}"))
    });
    assert!(is_noted, "the journal never knew of {size} bytes");
}

/// Something that is delivered before the backend goes away.
fn deliver_first(scene: &Scene, config: &Config, series: &mut Numbered) -> crate::harness::Agent {
    series.append_to(&scene.log("app.log"), 10);
    append(&scene.log("other.log"), "stays\n");
    let agent = scene.start(config);
    scene.wait_for_stored(Backend::Loki, 11);
    config.wait_until_all_is_answered();
    agent
}

#[test]
fn what_was_seen_of_a_file_that_was_deleted_after_a_kill_is_counted_to_the_byte() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut series = Numbered::wide("killed", 199);
    let agent = deliver_first(&scene, &config, &mut series);
    scene.receiver.pause(Backend::Loki);
    series.append_to(&scene.log("app.log"), 20_000);
    agent.wait_for_log("not delivered; nothing is lost");
    wait_until_noted(&config, fs::metadata(scene.log("app.log")).unwrap().len());
    agent.kill();
    fs::remove_file(scene.log("app.log")).unwrap();
    scene.receiver.resume(Backend::Loki);
    let agent = scene.start(&config);
    let told = agent.wait_for_log("bytes were lost");
    assert!(
        told.contains("app.log") && told.contains("is not known"),
        "{told}"
    );
    let (_, status) = config.status_text();
    assert!(status.contains("is not known"), "{status}");
    // What was on its way is in the journal, and arrives.
    let missing = lost(&config).unwrap();
    assert!(missing > 1 << 20, "{missing}");
    let mut stored = 0;
    let is_accounted = eventually(|| {
        let records = scene.receiver.records(Backend::Loki);
        let of_series = records.iter().filter(|it| it.line.starts_with("killed"));
        stored = of_series.map(|it| it.line.len() as u64 + 1).sum();
        stored + missing == 20_010 * 200
    });
    assert!(is_accounted, "{stored} stored and {missing} lost");
    scene.assert_flawless(Backend::Loki);
    agent.stop_well();
    // It is told once.
    let agent = scene.start(&config);
    append(&scene.log("other.log"), "again\n");
    wait_for_line(&scene, "again");
    assert_eq!(lost(&config), Some(0));
    assert!(!agent.stop_well().contains("bytes were lost"));
}

fn wait_for_line(scene: &Scene, line: &str) {
    let has_it = eventually(|| {
        let records = scene.receiver.records(Backend::Loki);
        records.iter().any(|it| it.line == line)
    });
    assert!(has_it, "{line} never arrived");
}

#[test]
fn what_is_left_at_a_stop_is_counted_when_its_file_is_deleted_before_the_next_start() {
    let scene = Scene::new();
    let mut config = scene.loki_config().serving();
    config.shutdown = "timeout: 1s, quiet_for: 50ms".to_owned();
    let mut series = Numbered::wide("stopped", 199);
    let agent = deliver_first(&scene, &config, &mut series);
    scene.receiver.pause(Backend::Loki);
    series.append_to(&scene.log("app.log"), 20_000);
    agent.stop_well();
    fs::remove_file(scene.log("app.log")).unwrap();
    let agent = scene.start(&config);
    let told = agent.wait_for_log("bytes were lost");
    assert!(told.contains("app.log"), "{told}");
    assert!(lost(&config).unwrap() > 1 << 20);
    agent.stop_well();
}

#[test]
fn a_file_that_was_delivered_and_deleted_while_away_costs_nothing_that_is_known() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut series = Numbered::new("whole");
    let agent = deliver_first(&scene, &config, &mut series);
    agent.stop_well();
    fs::remove_file(scene.log("app.log")).unwrap();
    let agent = scene.start(&config);
    let told = agent.wait_for_log("whether it was written after");
    assert!(told.contains("INFO") && told.contains("app.log"), "{told}");
    assert_eq!(lost(&config), Some(0));
    let status = config.status_json();
    assert_eq!(status["losses"], serde_json::json!([]), "{status:#}");
    assert!(!agent.stop_well().contains("bytes were lost"));
}

#[test]
fn a_file_whose_folder_is_gone_is_not_missing_and_is_read_on_when_it_is_back() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut series = Numbered::new("back");
    let agent = deliver_first(&scene, &config, &mut series);
    agent.stop_well();
    let (logs, aside) = (scene.dir().join("logs"), scene.dir().join("aside"));
    fs::rename(&logs, &aside).unwrap();
    let agent = scene.start(&config);
    series.append_to(&aside.join("app.log"), 10);
    fs::rename(&aside, &logs).unwrap();
    scene.wait_for_stored(Backend::Loki, 21);
    assert!(!agent.stop_well().contains("is not known"));
    scene.assert_series_arrived(Backend::Loki, &series);
}

/// Kills an agent that owes lines of logs with these names, and has noted how long they are.
fn kill_owing(scene: &Scene, config: &Config, names: &[&str]) -> Vec<Numbered> {
    let agent = deliver_first(scene, config, &mut Numbered::wide("killed", 199));
    scene.receiver.pause(Backend::Loki);
    // Of lengths that are told apart.
    let owed = (20_000..).zip(names).map(|(count, name)| {
        let mut series = Numbered::wide(name, 199);
        series.append_to(&scene.log(name), count);
        wait_until_noted(config, fs::metadata(scene.log(name)).unwrap().len());
        series
    });
    let owed = owed.collect();
    agent.kill();
    scene.receiver.resume(Backend::Loki);
    owed
}

/// One that is deleted too says when it was decided.
#[test]
fn a_log_whose_compression_is_not_finished_is_not_missing_and_holds_up_no_other() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let owed = kill_owing(&scene, &config, &["packed.log", "gone.log"]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let content = fs::read(scene.log("packed.log")).unwrap();
    encoder.write_all(&content).unwrap();
    let compressed = encoder.finish().unwrap();
    let (half, rest) = compressed.split_at(compressed.len() / 2);
    append(&scene.log("packed.log.1.gz"), half);
    for name in ["packed.log", "gone.log"] {
        fs::remove_file(scene.log(name)).unwrap();
    }
    let agent = scene.start(&config);
    let told = agent.wait_for_log("bytes were lost");
    assert!(told.contains("gone.log"), "{told}");
    let gone = lost(&config).unwrap();
    append(&scene.log("packed.log.1.gz"), rest);
    wait_for_line(&scene, owed[0].all().last().unwrap());
    scene.assert_series_arrived(Backend::Loki, &owed[0]);
    assert_eq!(lost(&config), Some(gone));
    let log = agent.stop_well();
    assert_eq!(log.matches("bytes were lost").count(), 1, "{log}");
}

#[test]
fn what_was_seen_of_a_log_that_was_emptied_after_a_kill_is_counted() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    kill_owing(&scene, &config, &["emptied.log"]);
    fs::write(scene.log("emptied.log"), "anew\n").unwrap();
    let agent = scene.start(&config);
    let told = agent.wait_for_log("bytes were lost");
    assert!(
        told.contains("emptied.log") && told.contains("was emptied"),
        "{told}"
    );
    assert!(lost_for(&config, "truncated").unwrap() > 1 << 20);
    assert_eq!(lost(&config), Some(0));
    wait_for_line(&scene, "anew");
    agent.stop_well();
}

#[test]
fn what_was_counted_of_an_emptied_log_is_not_counted_again_by_another_run() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let agent = deliver_first(&scene, &config, &mut Numbered::wide("killed", 199));
    scene.receiver.pause(Backend::Loki);
    Numbered::wide("owed", 199).append_to(&scene.log("app.log"), 20_000);
    wait_until_noted(&config, fs::metadata(scene.log("app.log")).unwrap().len());
    fs::write(scene.log("app.log"), "anew\n").unwrap();
    agent.wait_for_log("bytes were lost");
    // What an agent tells is on disk.
    config.status_text();
    agent.kill();
    scene.receiver.resume(Backend::Loki);
    fs::remove_file(scene.log("other.log")).unwrap();
    let agent = scene.start(&config);
    // Two looks for what is missing are over then.
    agent.wait_for_log("whether it was written after");
    assert_eq!(lost_for(&config, "truncated"), Some(0));
    assert!(!agent.stop_well().contains("bytes were lost"));
}

#[test]
fn a_log_that_nobody_may_read_before_it_is_deleted_is_counted() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let path = scene.log("secret.log");
    append(&scene.log("other.log"), "stays\n");
    append(&path, "0123456789\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let Some(agent) = scene.launch_powerless(&config, &["--on-error=degrade"]) else {
        return;
    };
    agent.wait_for_log("secret.log");
    fs::remove_file(&path).unwrap();
    let told = agent.wait_for_log("bytes were lost");
    let says = ["secret.log", "for want of permission", "is deleted"];
    assert!(says.iter().all(|it| told.contains(it)), "{told}");
    assert_eq!(lost_for(&config, "unreadable"), Some(11));
    agent.stop_well();
}
