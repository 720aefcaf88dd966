//! Batches whose lines are in no file any more: they are kept, or what is lost with them is counted.

use std::fs;
use std::path::Path;

use super::acts::Setup;
use super::lost::{self, LATER, SOON, append, lines};
use super::stage::Stage;

/// Lines of each of two batches: more than the 4 KiB by which a file is known, since what is seen
/// of a longer one is not noted at once.
const LINES: usize = 50;

fn setup() -> Setup {
    Setup {
        batch_bytes: 1 << 16,
        ..lost::setup()
    }
}

/// An agent that has sent all of a log, and heard nothing.
fn all_on_its_way() -> (Stage, String) {
    let mut stage = Stage::new(setup());
    let log = stage.path("a.log");
    let text = ["one", "two"].map(|name| {
        let text = lines(name, LINES);
        append(&log, &text);
        stage.pass(SOON);
        text
    });
    let read: usize = stage.backends[0].sealed.values().sum();
    assert_eq!(read, 2 * LINES, "all of it is read");
    (stage, text.concat())
}

fn empty(stage: &mut Stage) {
    fs::write(stage.path("a.log"), "").unwrap();
    stage.pass(SOON);
}

/// Everything is answered: each line is stored, once, and none counts as lost.
fn assert_all_stored(mut stage: Stage, text: &str) {
    stage.stop([true, true]);
    let stored = stage.backends[0].stored();
    let stored: Vec<_> = stored.iter().map(|it| it.line.as_str()).collect();
    assert_eq!(stored, text.lines().collect::<Vec<_>>());
    assert_eq!(stage.said_lost, 0);
}

#[test]
fn what_is_ahead_of_the_clock_and_in_its_file_is_read_again() {
    let (mut stage, text) = all_on_its_way();
    let before = stage.on_the_way();
    assert!(stage.refuse_as_ahead());
    stage.reload(setup().labels());
    stage.pass(SOON);
    let after = stage.on_the_way();
    assert!(!after.is_empty() && after.iter().all(|id| !before.contains(id)));
    assert_all_stored(stage, &text);
}

#[test]
fn what_is_ahead_of_the_clock_and_in_no_file_is_kept() {
    let (mut stage, text) = all_on_its_way();
    empty(&mut stage);
    assert!(!stage.refuse_as_ahead());
    stage.reload(setup().labels());
    assert_all_stored(stage, &text);
}

#[test]
fn what_is_ahead_of_the_clock_is_kept_when_its_file_is_emptied_before_it_is_given_up() {
    let (mut stage, text) = all_on_its_way();
    assert!(stage.refuse_as_ahead());
    fs::write(stage.path("a.log"), "").unwrap();
    stage.reload(setup().labels());
    assert_all_stored(stage, &text);
}

/// The agent dies, and its batches do not outlive that, while something becomes of the log; then
/// another one starts.
fn lose_bodies(stage: &mut Stage, meanwhile: impl FnOnce(&Path)) {
    stage.kill();
    fs::write(stage.folder("state").join("batches"), "").unwrap();
    meanwhile(&stage.path("a.log"));
    stage.start(setup().labels());
    stage.pass(LATER);
}

#[test]
fn what_was_in_lost_bodies_and_in_a_file_that_was_emptied_is_counted() {
    let (mut stage, text) = all_on_its_way();
    lose_bodies(&mut stage, |log| fs::write(log, "").unwrap());
    stage.kill();
    assert_eq!(stage.said_lost, text.len() as u64);
}

#[test]
fn what_was_in_lost_bodies_and_in_a_file_that_was_deleted_is_counted() {
    let (mut stage, text) = all_on_its_way();
    append(&stage.path("another.log"), "another\n");
    lose_bodies(&mut stage, |log| fs::remove_file(log).unwrap());
    stage.kill();
    assert_eq!(stage.said_lost, text.len() as u64);
}

#[test]
fn what_was_in_lost_bodies_is_read_again_and_is_no_loss() {
    let (mut stage, text) = all_on_its_way();
    lose_bodies(&mut stage, |_| {});
    assert_all_stored(stage, &text);
}
