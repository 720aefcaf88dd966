//! One content under several names, and names that change what they point to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use pinnace::receiver::{Backend, Record};

use crate::harness::{Config, Numbered, Scene, append, eventually, lines_of};

/// Makes `link` point to `target` in one step, as Kubernetes does.
fn swap(target: &Path, link: &Path) {
    let fresh = link.with_file_name("fresh");
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

/// Publishes a version of a projected volume, as Kubernetes does: a folder of its own, to which
/// `..data` is swapped; the folder before it is removed.
fn publish(mount: &Path, version: u32, files: &[(&str, String)]) {
    let folder = mount.join(format!("..2026_11_27_{version}"));
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        append(&folder.join(name), text);
        let link = mount.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("..data").join(name), link).unwrap();
        }
    }
    swap(&folder, &mount.join("..data"));
    if let Some(before) = version.checked_sub(1) {
        let before = mount.join(format!("..2026_11_27_{before}"));
        if before.exists() {
            fs::remove_dir_all(before).unwrap();
        }
    }
}

#[test]
fn each_version_of_a_projected_volume_is_read_through_its_chain_of_links() {
    let scene = Scene::new();
    let mount = scene.log("mount");
    let text = |name: &str, version: u32| {
        let mut series = Numbered::new(&format!("{name}-{version}"));
        series.take(20)
    };
    let both = |version| ["a.log", "b.log"].map(|name| (name, text(name, version)));
    publish(&mount, 0, &both(0));
    let config = Config {
        inputs: vec![scene.input("app", &["mount/*.log"], "")],
        ..scene.loki_config()
    };
    let agent = scene.start(&config);
    scene.wait_for_stored(Backend::Loki, 40);
    for version in 1..=4 {
        publish(&mount, version, &both(version));
        scene.wait_for_stored(Backend::Loki, u64::from(version + 1) * 40);
    }
    // A file that was not there before, and one that grows where the chain ends.
    let mut files = both(5).to_vec();
    files.push(("c.log", text("c.log", 5)));
    publish(&mount, 5, &files);
    scene.wait_for_stored(Backend::Loki, 260);
    append(&mount.join("..data/c.log"), "at the end of the chain\n");
    scene.wait_for_stored(Backend::Loki, 261);
    agent.stop_well();
    // Swapped while nobody looks, with the same beginning and more.
    let longer = both(5).map(|(name, text)| (name, text + "one more\n"));
    publish(&mount, 6, &longer);
    let agent = scene.start(&config);
    append(&mount.join("a.log"), "the end\n");
    let has_end = |it: &Record| it.line == "the end";
    assert!(eventually(|| {
        scene.receiver.records(Backend::Loki).iter().any(has_end)
    }));
    agent.stop_well();
    let arrived = lines_of(&scene, Backend::Loki, |it| {
        it.line.starts_with(char::is_alphanumeric)
    });
    for version in 0..=4 {
        for (name, text) in both(version) {
            let of_version: Vec<_> = arrived
                .iter()
                .filter(|line| line.starts_with(&format!("{name}-{version} ")))
                .collect();
            assert!(of_version.into_iter().eq(text.lines()), "{name}-{version}");
        }
    }
}

#[test]
fn a_log_that_is_rotated_by_linking_and_unlinking_arrives_once() {
    for glob in ["app.log", "app.log*"] {
        let scene = Scene::new();
        let config = Config {
            inputs: vec![scene.input("app", &[glob], "")],
            ..scene.loki_config()
        };
        let path = scene.log("app.log");
        let mut series = Numbered::new("unlinked");
        let agent = scene.start(&config);
        for rotation in 1..=5 {
            series.append_to(&path, 20);
            let rotated = scene.log(&format!("app.log.{rotation}"));
            fs::hard_link(&path, &rotated).unwrap();
            // Both names lead to it, and it is still written.
            series.append_to(&path, 20);
            scene.wait_for_stored(Backend::Loki, series.next);
            fs::remove_file(&path).unwrap();
            series.append_to(&rotated, 20);
            series.append_to(&path, 20);
            scene.wait_for_stored(Backend::Loki, series.next);
        }
        agent.stop_well();
        let agent = scene.start(&config);
        series.append_to(&path, 1);
        scene.wait_for_stored(Backend::Loki, series.next);
        agent.stop_well();
        assert_eq!(scene.receiver.summary(Backend::Loki).stored, series.next);
        scene.assert_series_arrived(Backend::Loki, &series);
        scene.assert_flawless(Backend::Loki);
    }
}

#[test]
fn a_content_that_is_emptied_under_one_of_its_names_begins_anew_once() {
    let scene = Scene::new();
    let mut series = Numbered::new("emptied");
    series.append_to(&scene.log("a.log"), 20);
    fs::hard_link(scene.log("a.log"), scene.log("b.log")).unwrap();
    let agent = scene.start(&scene.loki_config());
    scene.wait_for_stored(Backend::Loki, 20);
    for name in ["b.log", "a.log", "b.log"] {
        fs::write(scene.log(name), series.take(30)).unwrap();
        scene.wait_for_stored(Backend::Loki, series.next);
    }
    fs::remove_file(scene.log("a.log")).unwrap();
    fs::write(scene.log("b.log"), series.take(30)).unwrap();
    scene.wait_for_stored(Backend::Loki, series.next);
    agent.stop_well();
    assert_eq!(scene.receiver.summary(Backend::Loki).stored, series.next);
    scene.assert_series_arrived(Backend::Loki, &series);
    scene.assert_flawless(Backend::Loki);
}
