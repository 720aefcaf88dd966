//! A writer that makes its file longer beforehand puts its lines over the NULs at the end: these are
//! no line, and what is behind the text is none of the file's content.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;

use flate2::{Compression, write::GzEncoder};
use pinnace::receiver::Backend;

use crate::harness::{Config, Numbered, Scene};

/// A log that is made longer by so much whenever its text reaches its end.
struct Preallocated {
    file: File,
    region: u64,
    len: u64,
    text: u64,
}

impl Preallocated {
    fn create(scene: &Scene, region: u64) -> Self {
        let file = File::create(scene.log("app.log")).unwrap();
        file.set_len(region).unwrap();
        Self {
            file,
            region,
            len: region,
            text: 0,
        }
    }

    fn write(&mut self, text: &str) {
        while self.text + text.len() as u64 > self.len {
            self.len += self.region;
            self.file.set_len(self.len).unwrap();
        }
        self.file.write_all_at(text.as_bytes(), self.text).unwrap();
        self.text += text.len() as u64;
    }

    /// Cuts off what is not used.
    fn trim(&self) {
        self.file.set_len(self.text).unwrap();
    }
}

fn assert_nothing_is_missed(config: &Config) {
    for sample in [
        "pinnace_lost_bytes_total{reason=\"truncated\"} ",
        "pinnace_hole_bytes_total ",
    ] {
        assert_eq!(config.metric::<u64>(sample).unwrap_or(0), 0, "{sample}");
    }
}

#[test]
fn lines_that_are_written_over_nuls_arrive_once_whatever_the_length_of_these() {
    for region in [20_000, 64 << 10, 1 << 20] {
        let scene = Scene::new();
        let config = scene.loki_config().serving();
        let mut series = Numbered::wide("over", 100);
        let mut log = Preallocated::create(&scene, region);
        let agent = scene.start(&config);
        for count in [1, 3, 100, 1000, 4000, 2] {
            log.write(&series.take(count));
            scene.wait_for_stored(Backend::Loki, series.next);
            config.wait_until_no_lag();
        }
        for _ in 0..3000 {
            log.write(&series.take(1));
        }
        scene.wait_for_stored(Backend::Loki, series.next);
        config.wait_until_no_lag();
        agent.stop_well();
        log.write(&series.take(3));
        let agent = scene.start(&config);
        log.write(&series.take(300));
        scene.wait_for_stored(Backend::Loki, series.next);
        log.trim();
        log.write(&series.take(30));
        scene.wait_for_stored(Backend::Loki, series.next);
        config.wait_until_no_lag();
        assert_nothing_is_missed(&config);
        agent.stop_well();
        scene.assert_arrived(Backend::Loki, &series.all());
    }
}

#[test]
fn a_line_before_nuls_waits_for_its_end() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut log = Preallocated::create(&scene, 1 << 20);
    log.write("first\nsec");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 1);
    log.write("ond\n");
    scene.wait_for_stored(Backend::Loki, 2);
    config.wait_until_no_lag();
    assert_nothing_is_missed(&config);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &["first".to_owned(), "second".to_owned()]);
}

#[test]
fn a_rotated_file_is_delivered_without_the_nuls_at_its_end() {
    let scene = Scene::new();
    let config = scene.loki_config().serving();
    let mut series = Numbered::wide("rotated", 100);
    let agent = scene.start(&config);
    let mut log = Preallocated::create(&scene, 1 << 20);
    log.write(&series.take(50));
    scene.wait_for_stored(Backend::Loki, series.next);
    log.write(series.take(1).trim_end());
    fs::rename(scene.log("app.log"), scene.log("app.log.1")).unwrap();
    let mut next = Preallocated::create(&scene, 1 << 20);
    next.write(&series.take(50));
    scene.wait_for_stored(Backend::Loki, series.next);
    config.wait_until_no_lag();
    assert_nothing_is_missed(&config);
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn copies_with_nuls_at_their_end_are_known() {
    for is_gzip in [false, true] {
        let scene = Scene::new();
        let config = scene.loki_config().serving();
        let mut series = Numbered::wide("copied", 100);
        let mut log = Preallocated::create(&scene, 300_000);
        log.write(&series.take(1000));
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, series.next);
        config.wait_until_no_lag();
        agent.stop_well();
        log.write(&series.take(500));
        let content = fs::read(scene.log("app.log")).unwrap();
        if is_gzip {
            let file = File::create(scene.log("app.log.1.gz")).unwrap();
            let mut encoder = GzEncoder::new(file, Compression::fast());
            std::io::Write::write_all(&mut encoder, &content).unwrap();
            encoder.finish().unwrap();
        } else {
            fs::write(scene.log("app.log.1"), &content).unwrap();
        }
        let path = scene.log("app.log");
        let emptied = OpenOptions::new().write(true).truncate(true).open(path);
        (log.len, log.text) = (0, 0);
        drop(emptied.unwrap());
        log.write(&series.take(100));
        let agent = scene.start(&config);
        scene.wait_for_stored(Backend::Loki, series.next);
        config.wait_until_no_lag();
        assert_nothing_is_missed(&config);
        agent.stop_well();
        scene.assert_arrived(Backend::Loki, &series.all());
    }
}
