//! Dead letters for which there is no room.

use std::fs;

use pinnace::receiver::Backend;

use crate::harness::{Account, Config, Scene, append, get, lines_of};
use crate::refused::{BAD, poison, texts};

#[test]
fn full_dead_letters_hold_the_stream_until_there_is_room() {
    let scene = Scene::new();
    let config = Config {
        top: "dead_letters: { max_bytes: 64KiB }".to_owned(),
        ..scene.config_of(Backend::Loki, "").serving()
    };
    scene.receiver.set_faults(Backend::Loki, poison());
    let path = scene.log("app.log");
    let bad: Vec<_> = (0..3)
        .map(|number| format!("{number} {BAD} {}", "y".repeat(30_000)))
        .collect();
    append(&path, format!("good\n{}\nlast\n", bad.join("\n")));
    let agent = scene.start(&config);
    let said = agent.wait_for_log("dead_letters.max_bytes");
    assert!(said.contains("move the file away"), "{said}");
    assert_eq!(config.dead_letters().len(), 2);
    let (ready, sentence) = get(config.port(), "/readyz").unwrap();
    assert_eq!(ready, 503, "{sentence}");
    let letters = config.state_dir.join("dead-letters.ndjson");
    fs::rename(&letters, scene.dir().join("moved")).unwrap();
    config.wait_until_no_lag();
    assert_eq!(get(config.port(), "/readyz").unwrap().0, 200);
    agent.stop_well();
    assert_eq!(texts(&config.dead_letters()), bad[2..]);
    let good = ["good", "last"].map(str::to_owned);
    let arrived = lines_of(&scene, Backend::Loki, |_| true);
    Account::of(&good, &arrived).assert_exact("loki");
}

#[test]
fn full_dead_letters_drop_and_count_where_that_is_configured() {
    let scene = Scene::new();
    let config = Config {
        top: "dead_letters: { max_bytes: 64KiB, when_full: drop }".to_owned(),
        ..scene.config_of(Backend::Cloudwatch, "").serving()
    };
    scene.receiver.set_faults(Backend::Cloudwatch, poison());
    let bad: Vec<_> = (0..4)
        .map(|number| format!("{number} {BAD} {}", "y".repeat(30_000)))
        .collect();
    let text = format!("good\n{}\nlast\n", bad.join("\n"));
    append(&scene.log("app.log"), text);
    let agent = scene.start(&config);
    config.wait_until_no_lag();
    assert_eq!(
        config.metric_sum("pinnace_dead_letters_total", "refused"),
        2
    );
    let dropped = "pinnace_dead_letters_dropped_total";
    assert_eq!(config.metric_sum(dropped, "refused"), 2);
    agent.stop_well();
    assert_eq!(texts(&config.dead_letters()), bad[..2]);
}
