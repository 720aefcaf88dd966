//! Faults of the disk and limits of the system while the agent runs: delivery goes on, it is
//! said, and what is mended is used again.

use std::fs;
use std::path::Path;

use pinnace::receiver::Backend;

use crate::harness::{
    Agent, Config, Numbered, Scene, SmallVolume, eventually, get, lines_of, pass, skipped, stand_in,
};

pub(crate) fn is_unprotected(config: &Config) -> bool {
    let (_, text) = get(config.port(), "/metrics").unwrap();
    text.contains("pinnace_journal_unprotected 1\n")
}

fn start_at(volume: &SmallVolume, config: &Path) -> Agent {
    let agent = Agent::launch_at(volume, config, &["--on-error=exit"]);
    agent.wait_for_log("started version=");
    agent
}

/// While the scene holds a file `read-only`, nothing can be written to the state directory, as
/// after an error of its disk.
pub(crate) const READ_ONLY_STATE: &str = r#"
static int fails(int is_state) {
    if (!is_state || !is_asked_for("read-only")) return 0;
    errno = EROFS;
    return 1;
}
ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at) {
    return fails(is_in(fd, STATE)) ? -1 : REAL(pwrite64)(fd, from, len, at);
}
ssize_t write(int fd, const void *from, size_t len) {
    return fails(is_in(fd, STATE)) ? -1 : REAL(write)(fd, from, len);
}
int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    int is_written = (flags & O_ACCMODE) != O_RDONLY;
    return fails(is_written && is_below(path, STATE)) ? -1 : REAL(open64)(path, flags, mode);
}
"#;

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
fn a_read_only_state_directory_holds_up_nothing_and_protects_again_once_it_is_writable() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let library = stand_in(&scene, READ_ONLY_STATE);
    let asked = scene.dir().join("read-only");
    let path = scene.log("app.log");
    let mut series = Numbered::new("writable");
    let agent = Agent::preloading(&library, &scene.write(&config));
    for is_read_only in [false, true, false] {
        if is_read_only {
            fs::write(&asked, "").unwrap();
        } else {
            let _ = fs::remove_file(&asked);
        }
        let is_so = eventually(|| {
            series.append_to(&path, 10);
            scene.wait_for_stored(Backend::Loki, series.next);
            is_unprotected(&config) == is_read_only
        });
        assert!(is_so, "{}", agent.log_text());
        let (code, status) = config.status_text();
        assert_eq!(code, Some(i32::from(is_read_only)), "{status}");
        assert_eq!(status.contains("Read-only"), is_read_only, "{status}");
    }
    agent.wait_for_log("the journal can be written again");
    agent.kill();
    series.append_to(&path, 10);
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.stop_well();
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

/// While the scene holds a file `broken`, reads of logs fail with EIO.
const BROKEN_READS: &str = r#"
ssize_t pread64(int fd, void *to, size_t len, off64_t at) {
    if (is_in(fd, LOGS) && is_asked_for("broken")) {
        errno = EIO;
        return -1;
    }
    return REAL(pread64)(fd, to, len, at);
}
"#;

/// While the scene holds a file `broken`, folders of logs cannot be listed; with a file `empty`
/// nothing is in them.
const BROKEN_LISTINGS: &str = r#"
DIR *opendir(const char *path) {
    if (is_below(path, LOGS) && is_asked_for("broken")) {
        errno = EIO;
        return NULL;
    }
    return REAL(opendir)(path);
}
struct dirent64 *readdir64(DIR *folder) {
    if (is_in(dirfd(folder), LOGS) && is_asked_for("empty")) {
        errno = 0;
        return NULL;
    }
    errno = 0;
    return REAL(readdir64)(folder);
}
"#;

#[test]
fn a_file_that_cannot_be_read_for_a_while_is_told_all_that_time_and_read_on_as_it_is() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let library = stand_in(&scene, BROKEN_READS);
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

#[test]
fn folders_that_cannot_be_listed_or_are_empty_for_a_while_cost_nothing() {
    for fault in ["broken", "empty"] {
        let scene = Scene::new();
        let config = Config {
            inputs: vec![scene.input("app", &["*.log", "*/*.log"], "")],
            ..scene.loki_config().serving()
        };
        let library = stand_in(&scene, BROKEN_LISTINGS);
        let path = scene.log("app.log");
        let mut series = Numbered::new("listed");
        series.append_to(&path, 10);
        fs::create_dir(scene.log("deep")).unwrap();
        fs::write(scene.log("deep/app.log"), "deep one\n").unwrap();
        let agent = Agent::preloading(&library, &scene.write(&config));
        scene.wait_for_stored(Backend::Loki, 11);
        config.wait_until_all_is_answered();
        fs::write(scene.dir().join(fault), "").unwrap();
        // A folder that comes asks for a look at everything.
        fs::create_dir(scene.log("new")).unwrap();
        if fault == "broken" {
            let told = agent.wait_for_log("not all files can be read");
            assert!(told.contains("Input/output error"), "{told}");
        }
        // What is open is followed, rotated and made anew.
        for _ in 0..3 {
            series.append_to(&path, 10);
            scene.wait_for_stored(Backend::Loki, series.next + 1);
            fs::rename(&path, scene.log("app.log.1")).unwrap();
        }
        series.append_to(&path, 10);
        scene.wait_for_stored(Backend::Loki, series.next + 1);
        let files = config.status_json()["files"].as_array().map(Vec::len);
        assert!(files >= Some(2), "nothing counts as deleted: {files:?}");
        fs::remove_file(scene.dir().join(fault)).unwrap();
        fs::create_dir(scene.log("newer")).unwrap();
        fs::write(scene.log("new/app.log"), "new one\n").unwrap();
        fs::write(scene.log("deep/app.log"), "deep one\ndeep two\n").unwrap();
        scene.wait_for_stored(Backend::Loki, series.next + 3);
        assert!(eventually(|| config.status_text().0 == Some(0)));
        let log = agent.stop_well();
        assert!(!log.contains("bytes were lost"), "{log}");
        scene.assert_series_arrived(Backend::Loki, &series);
        let mut others = lines_of(&scene, Backend::Loki, |it| !it.line.starts_with("listed"));
        others.sort();
        assert_eq!(others, ["deep one", "deep two", "new one"], "{fault}");
    }
}

#[test]
fn a_start_with_folders_that_cannot_be_listed_counts_nothing_as_deleted() {
    for fault in ["broken", "empty"] {
        let scene = Scene::new();
        let config = scene.loki_config().serving();
        let library = stand_in(&scene, BROKEN_LISTINGS);
        let path = scene.log("app.log");
        let mut series = Numbered::new("started");
        series.append_to(&path, 10);
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, 10);
        agent.stop_well();
        series.append_to(&path, 10);
        fs::write(scene.dir().join(fault), "").unwrap();
        let agent = Agent::preloading(&library, &scene.write(&config));
        assert!(eventually(|| config.status_json()["files"].is_array()));
        fs::remove_file(scene.dir().join(fault)).unwrap();
        fs::create_dir(scene.log("asks for a look")).unwrap();
        scene.wait_for_stored(Backend::Loki, 20);
        let log = agent.stop_well();
        assert!(!log.contains("bytes were lost"), "{log}");
        scene.assert_arrived(Backend::Loki, &series.all());
    }
}
