//! A stream of which a backend takes nothing: it waits, and nothing is poured into the dead letters.

use pinnace::receiver::{Action, Backend, Faults};

use crate::harness::{Config, PATIENCE, Scene, append, eventually, get};
use crate::refused::{assert_settled, file_of, lines, poison, texts};

#[test]
fn when_all_is_refused_it_is_held_and_not_poured_into_the_dead_letters() {
    for (backend, action) in [
        (Backend::Loki, Action::Status(400)),
        (
            Backend::Cloudwatch,
            Action::Error("InvalidParameterException".to_owned()),
        ),
    ] {
        let scene = Scene::new();
        let config = scene.config_of(backend, "").serving();
        let (good, _) = lines(300, &[]);
        append(&scene.log("app.log"), file_of(&good, &[]));
        let refusing = Faults::of(action).on("push").on("PutLogEvents");
        scene.receiver.set_faults(backend, refusing);
        let agent = scene.start(&config);
        agent.wait_for_log("it is not the records");
        let (ready, sentence) = get(config.port(), "/readyz").unwrap();
        assert_eq!(ready, 503);
        assert!(
            sentence.contains("dead_letters.when_all_refused"),
            "{sentence}"
        );
        let reason = "reason=\"all_refused\"";
        assert_eq!(config.metric_sum("pinnace_output_blocked", reason), 1);
        let requests = scene.receiver.summary(backend).requests;
        assert!(requests < 100, "{requests} requests");
        scene.receiver.set_faults(backend, Faults::default());
        config.wait_until_no_lag();
        assert_eq!(get(config.port(), "/readyz").unwrap().0, 200);
        agent.stop_well();
        assert_settled(&scene, backend, &config, &good, &[]);
    }
}

#[test]
fn where_it_is_configured_all_that_is_refused_is_written() {
    let scene = Scene::new();
    let config = Config {
        top: "dead_letters: { when_all_refused: write }".to_owned(),
        ..scene.config_of(Backend::Loki, "").serving()
    };
    let (good, bad) = lines(300, &(0..300).collect::<Vec<_>>());
    append(&scene.log("app.log"), file_of(&good, &bad));
    scene.receiver.set_faults(Backend::Loki, poison());
    let agent = scene.start(&config);
    config.wait_until_no_lag();
    agent.stop_well();
    let mut buried = texts(&config.dead_letters());
    buried.sort_unstable();
    assert_eq!(buried, bad);
}

#[test]
fn a_held_stream_goes_on_when_the_running_agent_is_told_to_write_what_is_refused() {
    let scene = Scene::new();
    let config = scene.config_of(Backend::Loki, "").serving();
    let (_, bad) = lines(300, &(0..300).collect::<Vec<_>>());
    append(&scene.log("app.log"), file_of(&[], &bad));
    scene.receiver.set_faults(Backend::Loki, poison());
    let agent = scene.start(&config);
    agent.wait_for_log("or set dead_letters.when_all_refused: write");
    assert_eq!(config.dead_letters().len(), 0);
    let writing = Config {
        top: "dead_letters: { when_all_refused: write }".to_owned(),
        ..config.clone()
    };
    let said = scene.change(&agent, &writing);
    assert!(said.contains("dead_letters"), "{said}");
    config.wait_until_no_lag();
    assert_eq!(get(config.port(), "/readyz").unwrap().0, 200);
    agent.stop_well();
    let mut buried = texts(&config.dead_letters());
    buried.sort_unstable();
    assert_eq!(buried, bad);
}

#[test]
fn a_single_bad_line_in_a_quiet_log_waits_for_the_next_line_alone() {
    for backend in Backend::ALL {
        let scene = Scene::new();
        let config = scene.config_of(backend, "").serving();
        scene.receiver.set_faults(backend, poison());
        let path = scene.log("app.log");
        append(&path, "first BAD\n");
        let agent = scene.start(&config);
        agent.wait_for_log("it waits for one");
        append(&path, "second BAD\n");
        let two = |it: &pinnace::receiver::Summary| it.requests >= 3;
        assert!(scene.receiver.wait_for(backend, PATIENCE, two));
        append(&path, "third\n");
        config.wait_until_no_lag();
        // Now the stream is known to work: a bad line waits for nothing.
        append(&path, "fourth BAD\n");
        let is_buried = || config.dead_letters().len() == 3;
        assert!(eventually(is_buried));
        config.wait_until_no_lag();
        agent.stop_well();
        let good = ["third".to_owned()];
        let bad = ["first BAD", "second BAD", "fourth BAD"].map(str::to_owned);
        assert_settled(&scene, backend, &config, &good, &bad);
    }
}

#[test]
fn a_stream_that_is_refused_holds_up_no_other() {
    let scene = Scene::new();
    let config = Config {
        outputs: vec![scene.loki("structured_metadata: { file: \"{path}\" }")],
        ..scene.config_of(Backend::Loki, "").serving()
    };
    scene.receiver.set_faults(Backend::Loki, poison());
    let (good, _) = lines(50, &[]);
    let (_, bad) = lines(50, &(0..50).collect::<Vec<_>>());
    append(&scene.log("bad.log"), file_of(&[], &bad));
    append(&scene.log("good.log"), file_of(&good, &[]));
    let agent = scene.start(&config);
    agent.wait_for_log("it is not the records");
    scene.wait_for_stored(Backend::Loki, 50);
    append(&scene.log("good.log"), "one more\n");
    scene.wait_for_stored(Backend::Loki, 51);
    let (ready, sentence) = get(config.port(), "/readyz").unwrap();
    assert_eq!(ready, 503, "one stream waits, and that is said: {sentence}");
    assert_eq!(config.dead_letters().len(), 0);
    agent.kill();
}
