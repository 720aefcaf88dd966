//! Faults of the disk and limits of the system while the agent runs: delivery goes on, it is
//! said, and what is mended is used again.

use std::fs;
use std::path::Path;

use pinnace::receiver::Backend;

use crate::harness::{Agent, Config, Numbered, Scene, SmallVolume, eventually, get, pass};

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
    agent.wait_for_log("serving the control socket now");
    assert_eq!(config.status_text().0, Some(0));
    series.append_to(&path, 10);
    scene.wait_for_stored(Backend::Loki, 30);
    agent.kill();
    let agent = scene.start(&config);
    series.append_to(&path, 10);
    scene.wait_for_stored(Backend::Loki, 40);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn more_files_than_may_be_open_are_all_delivered_oldest_first_and_what_comes_to_them_later() {
    const FILES: u64 = 300;
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
    let name = |number: u64| scene.log(&format!("{number:03}.log"));
    let mut all: Vec<_> = (0..FILES)
        .map(|number| {
            let mut series = Numbered::new(&format!("file{number}"));
            series.append_to(&name(number), 2);
            let file = fs::File::options().write(true).open(name(number)).unwrap();
            let age = std::time::Duration::from_secs(FILES - number);
            file.set_modified(long_ago + age).unwrap();
            series
        })
        .collect();
    scene.receiver.pause(Backend::Loki);
    let agent = Agent::with_descriptors(100, &scene.write(&config));
    agent.wait_for_log("not all files are read at once");
    let (_, text) = get(config.port(), "/readyz").unwrap();
    assert!(text.contains("raise the limit of open files"), "{text}");
    let status = config.status_json();
    let open = status["files"].as_array().unwrap();
    assert_eq!(open.len(), 50, "half of what may be open is kept");
    let is_oldest = |path: &str| (FILES - 50..FILES).any(|it| path == name(it).to_string_lossy());
    assert!(
        open.iter()
            .all(|it| is_oldest(it["path"].as_str().unwrap())),
        "{open:#?}"
    );
    scene.receiver.resume(Backend::Loki);
    scene.wait_for_stored(Backend::Loki, 2 * FILES);
    assert!(eventually(|| config.status_text().0 == Some(0)));
    // Those that were closed to make room are read on when they are written.
    for (number, series) in (0..).zip(&mut all) {
        series.append_to(&name(number), 1);
    }
    scene.wait_for_stored(Backend::Loki, 3 * FILES);
    agent.stop_well();
    // What is known of all of them outlives a restart.
    let agent = Agent::with_descriptors(100, &scene.write(&config));
    all[0].append_to(&name(0), 1);
    scene.wait_for_stored(Backend::Loki, 3 * FILES + 1);
    assert!(eventually(|| config.status_text().0 == Some(0)));
    agent.stop_well();
    for series in &all {
        scene.assert_series_arrived(Backend::Loki, series);
    }
    scene.assert_flawless(Backend::Loki);
}

/// Makes a library with which reads of files in a folder fail with EIO while the file `broken`
/// is beside it.
fn broken_reads(scene: &Scene) -> std::path::PathBuf {
    let source = scene.dir().join("broken.c");
    let library = scene.dir().join("broken.so");
    let (logs, broken) = (scene.log(""), scene.dir().join("broken"));
    let text = format!(
        r#"#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
ssize_t pread64(int fd, void *to, size_t len, off64_t at) {{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(link, path, sizeof path - 1);
    if (got > 0 && strncmp(path, "{logs}", {len}) == 0 && access("{broken}", F_OK) == 0) {{
        errno = EIO;
        return -1;
    }}
    ssize_t (*real)(int, void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pread64");
    return real(fd, to, len, at);
}}
"#,
        logs = logs.display(),
        len = logs.as_os_str().len(),
        broken = broken.display()
    );
    fs::write(&source, text).unwrap();
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status()
        .unwrap();
    assert!(compiled.success());
    library
}

#[test]
fn a_file_that_cannot_be_read_for_a_while_is_told_all_that_time_and_read_on_as_it_is() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let library = broken_reads(&scene);
    let path = scene.log("app.log");
    let mut series = Numbered::new("eio");
    series.append_to(&path, 10);
    let agent = Agent::preloading(&library, &scene.write(&config));
    scene.wait_for_stored(Backend::Loki, 10);
    config.wait_until_all_is_answered();
    let broken = scene.dir().join("broken");
    fs::write(&broken, "").unwrap();
    series.append_to(&path, 10);
    let told = agent.wait_for_log("not all files can be read");
    assert!(
        told.contains("app.log") && told.contains("Input/output error"),
        "{told}"
    );
    // Touched without a change of its size: nobody can tell whether it is the same.
    let file = fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::now()).unwrap();
    // Longer than it takes to look at all names, and to try again.
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(12) {
        let (code, status) = config.status_text();
        assert!(
            code == Some(1) && status.contains("app.log: Input"),
            "{status}"
        );
        series.append_to(&path, 1);
        pass(std::time::Duration::from_millis(100));
    }
    fs::remove_file(&broken).unwrap();
    scene.wait_for_stored(Backend::Loki, series.next);
    assert!(eventually(|| config.status_text().0 == Some(0)));
    let log = agent.stop_well();
    assert_eq!(log.matches("not all files can be read").count(), 1, "{log}");
    assert!(!log.contains("bytes were lost"), "{log}");
    scene.assert_arrived(Backend::Loki, &series.all());
}
