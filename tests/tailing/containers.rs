//! Logs of containers: what is meant is a link, and rotation happens in the folder where the chain
//! of links ends.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::{Compression, write::GzEncoder};
use pinnace::receiver::Backend;

use crate::harness::{Agent, Config, Numbered, Scene, append, eventually, lines_of};

/// Makes a gzip of a file beside it.
pub(crate) fn gzip(plain: &Path, compressed: &Path) {
    let mut encoder = GzEncoder::new(File::create(compressed).unwrap(), Compression::fast());
    io::copy(&mut File::open(plain).unwrap(), &mut encoder).unwrap();
    encoder.finish().unwrap();
}

/// A log that `links` links lead to, as its runtime treats it.
struct Container {
    scene: Scene,
    config: Config,
    series: Numbered,
    end: PathBuf,
    rotated: Vec<PathBuf>,
}

impl Container {
    fn new(links: usize, keys: &str) -> Self {
        let scene = Scene::new();
        let config = Config {
            inputs: vec![scene.input("app", &["*.log"], keys)],
            ..scene.loki_config()
        };
        let mut end = scene.log("app_default_0a1b.log");
        for hop in 1..=links {
            let folder = scene.dir().join(format!("hop{hop}/app"));
            fs::create_dir_all(&folder).unwrap();
            let next = folder.join("0.log");
            symlink(&next, &end).unwrap();
            end = next;
        }
        Self {
            scene,
            config,
            series: Numbered::wide("container", 300),
            end,
            rotated: Vec::new(),
        }
    }

    fn write(&mut self, count: u64) {
        self.series.append_to(&self.end, count);
    }

    /// The next name of a rotated file, which is free.
    fn next_rotated(&mut self) -> PathBuf {
        let second = self.rotated.len();
        let name = self
            .end
            .with_file_name(format!("0.log.20261127-1015{second:02}"));
        self.rotated.push(name.clone());
        name
    }

    fn rotate(&mut self) {
        let rotated = self.next_rotated();
        fs::rename(&self.end, rotated).unwrap();
    }

    fn copy_and_empty(&mut self) {
        let rotated = self.next_rotated();
        fs::copy(&self.end, rotated).unwrap();
        fs::write(&self.end, "").unwrap();
    }

    /// Compresses a rotated file as the kubelet does.
    fn compress(&mut self, which: usize) {
        let plain = &self.rotated[which];
        let compressed = PathBuf::from(format!("{}.gz", plain.display()));
        let temporary = PathBuf::from(format!("{}.tmp", plain.display()));
        gzip(plain, &temporary);
        fs::rename(&temporary, &compressed).unwrap();
        fs::remove_file(plain).unwrap();
        self.rotated[which] = compressed;
    }

    fn start(&self) -> Agent {
        self.scene.start(&self.config)
    }

    fn wait_for_all(&self) {
        self.scene.wait_for_stored(Backend::Loki, self.series.next);
        self.config.wait_until_no_lag();
    }

    /// All that was written is there once and in order, in the stream of the link; nothing was told
    /// to be lost, and nothing comes again with the next run.
    fn end_well(mut self, agent: Agent) {
        let log = agent.stop_well();
        assert!(!log.contains("bytes were lost"), "{log}");
        let agent = self.start();
        self.write(1);
        self.wait_for_all();
        agent.stop_well();
        self.scene.assert_arrived(Backend::Loki, &self.series.all());
        let summary = self.scene.receiver.summary(Backend::Loki);
        let names: Vec<_> = summary.streams.iter().map(|it| &*it.name).collect();
        let link = self.scene.loki_stream_of("app_default_0a1b.log", "app");
        assert_eq!(names, [link]);
    }
}

#[test]
fn what_was_rotated_behind_links_while_no_agent_ran_is_read() {
    for (links, are_compressed) in [(1, false), (1, true), (2, false), (2, true)] {
        let mut container = Container::new(links, "");
        container.write(20);
        let agent = container.start();
        container.wait_for_all();
        agent.stop_well();
        for rotation in 0..3 {
            container.write(60);
            container.rotate();
            if are_compressed {
                container.compress(rotation);
            }
        }
        container.write(20);
        let agent = container.start();
        container.wait_for_all();
        container.end_well(agent);
    }
}

#[test]
fn rotations_behind_links_between_two_looks_lose_nothing() {
    for (links, are_compressed) in [(1, false), (1, true), (2, false), (2, true)] {
        let mut container = Container::new(links, "");
        container.write(20);
        let agent = container.start();
        container.wait_for_all();
        for round in 0..3 {
            agent.freeze();
            for rotation in 0..3 {
                container.write(20);
                container.rotate();
                if are_compressed {
                    container.compress(3 * round + rotation);
                }
            }
            container.write(20);
            agent.thaw();
            container.wait_for_all();
        }
        container.end_well(agent);
    }
}

#[test]
fn a_log_behind_links_that_is_copied_and_emptied_goes_on_in_the_copy() {
    for links in [1, 2] {
        let mut container = Container::new(links, "");
        container.write(20);
        let agent = container.start();
        for _ in 0..3 {
            container.wait_for_all();
            agent.freeze();
            container.write(60);
            container.copy_and_empty();
            container.write(10);
            agent.thaw();
        }
        container.wait_for_all();
        container.copy_and_empty();
        container.write(30);
        container.wait_for_all();
        agent.stop_well();
        container.write(60);
        container.copy_and_empty();
        container.write(20);
        let agent = container.start();
        container.wait_for_all();
        container.end_well(agent);
    }
}

/// Lets a file be last written so many hours ago.
fn age(path: &Path, hours: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(hours))
        .unwrap();
}

#[test]
fn files_behind_links_are_read_and_never_deleted() {
    let keys = "after_delivery: { rotated: delete, keep: 0, still_for: 0s }, \
                disk: { max_bytes: 1KiB, when_full: drop_oldest }";
    let mut container = Container::new(1, keys);
    container.write(20);
    let agent = container.start();
    container.wait_for_all();
    for _ in 0..3 {
        container.write(20);
        container.rotate();
    }
    container.write(20);
    container.wait_for_all();
    for (number, file) in container.rotated.iter().enumerate() {
        age(file, 9 - u64::try_from(number).unwrap());
    }
    // What is looked through with the others, and may be deleted.
    let witness = container.scene.log("witness.log.1");
    append(&witness, "older\n");
    age(&witness, 1);
    append(&container.scene.log("witness.log"), "younger\n");
    assert!(eventually(|| !witness.exists()), "nothing is deleted");
    agent.stop_well();
    for file in &container.rotated {
        assert!(file.exists(), "{}", file.display());
    }
}

#[test]
fn a_file_that_is_named_like_a_rotation_belongs_to_the_link_that_leads_to_it() {
    let scene = Scene::new();
    let folder = scene.dir().join("real");
    fs::create_dir(&folder).unwrap();
    let names = [("a.log", "app.log"), ("b.log", "app-1.log")];
    for (link, end) in names {
        symlink(folder.join(end), scene.log(link)).unwrap();
    }
    let mut all = names.map(|(link, _)| Numbered::new(&link.replace('.', "-")));
    let write = |all: &mut [Numbered]| {
        for ((_, end), series) in names.iter().zip(all) {
            series.append_to(&folder.join(end), 20);
        }
    };
    let config = scene.loki_config();
    for round in 1..=2 {
        write(&mut all);
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, 80 * round - 40);
        write(&mut all);
        scene.wait_for_stored(Backend::Loki, 80 * round);
        agent.stop_well();
    }
    for ((link, _), series) in names.iter().zip(&all) {
        let stream = scene.loki_stream_of(link, "app");
        let arrived = lines_of(&scene, Backend::Loki, |it| *it.stream == *stream);
        assert_eq!(arrived, series.all());
    }
}

#[test]
fn a_link_that_appears_is_followed_at_once() {
    let mut first = Container::new(1, "");
    first.write(20);
    let agent = first.start();
    first.wait_for_all();
    let folder = first.scene.dir().join("later");
    fs::create_dir(&folder).unwrap();
    let end = folder.join("0.log");
    let mut later = Numbered::new("later");
    later.append_to(&end, 20);
    symlink(&end, first.scene.log("later.log")).unwrap();
    let wait_for_both = |first: &Container, later: &Numbered| {
        let count = first.series.next + later.next;
        first.scene.wait_for_stored(Backend::Loki, count);
    };
    wait_for_both(&first, &later);
    for rotation in 0..3 {
        later.append_to(&end, 20);
        fs::rename(&end, folder.join(format!("0.log.{rotation}"))).unwrap();
        later.append_to(&end, 20);
        // Other files are looked at meanwhile, and what was made before that is no news.
        for _ in 0..3 {
            let stored = first.scene.receiver.summary(Backend::Loki).stored;
            first.write(1);
            first.scene.wait_for_stored(Backend::Loki, stored + 1);
        }
    }
    wait_for_both(&first, &later);
    agent.stop_well();
    first
        .scene
        .assert_series_arrived(Backend::Loki, &first.series);
    first.scene.assert_series_arrived(Backend::Loki, &later);
}
