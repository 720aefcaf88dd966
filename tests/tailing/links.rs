//! One content under several names, and names that change what they point to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use pinnace::receiver::Backend;

use crate::harness::{Config, Numbered, Scene, append, lines_of};

/// Makes `link` point to `target` in one step, as Kubernetes does.
fn swap(target: &Path, link: &Path) {
    let fresh = link.with_extension("fresh");
    symlink(target, &fresh).unwrap();
    fs::rename(&fresh, link).unwrap();
}

#[test]
fn a_link_that_is_swapped_ends_one_content_and_begins_another() {
    let scene = Scene::new();
    fs::create_dir(scene.dir().join("real")).unwrap();
    let real = |number: u32| scene.dir().join(format!("real/{number}.txt"));
    let link = scene.log("app.log");
    let mut series = Numbered::new("swapped");
    series.append_to(&real(0), 10);
    swap(&real(0), &link);
    let agent = scene.start(&scene.loki_config());
    for number in 1..=4 {
        series.append_to(&real(number - 1), 10);
        scene.wait_for_stored(Backend::Loki, series.next);
        series.append_to(&real(number), 10);
        swap(&real(number), &link);
        scene.wait_for_stored(Backend::Loki, series.next);
    }
    agent.stop_well();
    scene.assert_arrived(Backend::Loki, &series.all());
}

#[test]
fn a_folder_link_that_is_swapped_as_in_a_projected_volume_is_followed() {
    let scene = Scene::new();
    for version in ["v1", "v2"] {
        fs::create_dir(scene.log(version)).unwrap();
    }
    append(&scene.log("v1/app.log"), "one\n");
    append(&scene.log("v2/app.log"), "two\n");
    symlink("v1", scene.log("current")).unwrap();
    let config = Config {
        inputs: vec![scene.input("app", &["current/*.log"], "")],
        ..scene.loki_config()
    };
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 1);
    swap(Path::new("v2"), &scene.log("current"));
    scene.wait_for_stored(Backend::Loki, 2);
    append(&scene.log("v2/app.log"), "three\n");
    scene.wait_for_stored(Backend::Loki, 3);
    agent.stop_well();
    let arrived = lines_of(&scene, Backend::Loki, |_| true);
    assert_eq!(arrived, ["one", "two", "three"]);
}

#[test]
fn what_a_link_points_to_is_followed_as_it_grows() {
    let scene = Scene::new();
    let target = scene.dir().join("elsewhere.txt");
    append(&target, "one\n");
    symlink(&target, scene.log("app.log")).unwrap();
    let agent = scene.start(&scene.loki_config());
    scene.wait_for_stored(Backend::Loki, 1);
    for (count, line) in [(2, "two\n"), (3, "three\n")] {
        append(&target, line);
        scene.wait_for_stored(Backend::Loki, count);
    }
    agent.stop_well();
    let arrived = lines_of(&scene, Backend::Loki, |_| true);
    assert_eq!(arrived, ["one", "two", "three"]);
}

#[test]
fn a_content_with_several_names_arrives_once() {
    let scene = Scene::new();
    let mut series = Numbered::new("linked");
    series.append_to(&scene.log("a.log"), 10);
    fs::hard_link(scene.log("a.log"), scene.log("b.log")).unwrap();
    symlink(scene.log("a.log"), scene.log("c.log")).unwrap();
    let config = scene.loki_config();
    let agent = scene.start(&config);
    series.append_to(&scene.log("b.log"), 10);
    series.append_to(&scene.log("c.log"), 10);
    scene.wait_for_stored(Backend::Loki, 30);
    fs::remove_file(scene.log("a.log")).unwrap();
    series.append_to(&scene.log("b.log"), 10);
    scene.wait_for_stored(Backend::Loki, 40);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
    let agent = scene.start(&config);
    series.append_to(&scene.log("b.log"), 10);
    scene.wait_for_stored(Backend::Loki, 50);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
    assert_eq!(scene.receiver.summary(Backend::Loki).stored, 50);
}

#[test]
fn links_in_a_circle_and_links_to_nothing_harm_nobody() {
    let scene = Scene::new();
    symlink(scene.log("circle.log"), scene.log("circle.log")).unwrap();
    symlink(scene.log("nothing"), scene.log("dangling.log")).unwrap();
    symlink(scene.dir(), scene.log("up")).unwrap();
    let config = Config {
        inputs: vec![scene.input("app", &["**/*.log"], "")],
        ..scene.loki_config()
    };
    append(&scene.log("app.log"), "one\n");
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 1);
    append(&scene.log("nothing"), "two\n");
    scene.wait_for_stored(Backend::Loki, 2);
    agent.stop_well();
    let mut arrived = lines_of(&scene, Backend::Loki, |_| true);
    arrived.sort();
    assert_eq!(arrived, ["one", "two"]);
}
