//! Files that other programs put in the place of what they held, folders that are made anew, and
//! names that do not tell where a file comes from.

use std::fs;

use pinnace::receiver::Backend;

use crate::harness::{Numbered, Scene};

#[test]
fn a_log_that_is_brought_from_elsewhere_again_and_again_arrives_once() {
    let scene = Scene::new();
    let agent = scene.start(&scene.loki_config());
    let mut series = Numbered::wide("brought", 100);
    let mut content = String::new();
    for _ in 0..5 {
        content += &series.take(100);
        // As rsync does.
        fs::write(scene.log(".app.log.Xq7Zk2"), &content).unwrap();
        fs::rename(scene.log(".app.log.Xq7Zk2"), scene.log("app.log")).unwrap();
        scene.wait_for_stored(Backend::Loki, series.next);
    }
    agent.stop_well();
    scene.assert_series_arrived(Backend::Loki, &series);
    scene.assert_flawless(Backend::Loki);
}
