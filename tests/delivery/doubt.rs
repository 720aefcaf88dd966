//! Answers that leave open whether a batch is stored. CloudWatch Logs stores everything again
//! that is sent again, so the stream is read back before.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use pinnace::receiver::{Action, Backend, Faults, Summary};

use crate::harness::{Agent, Config, Front, Numbered, Scene, Verdict, get, header};

pub(crate) const PUT: &str = "PutLogEvents";

/// An agent whose only output is CloudWatch Logs, with one stream for all files.
pub(crate) fn start(scene: &Scene, more: &str) -> (Config, Agent) {
    let more = format!("log_stream: all, request_timeout: 500ms, {more}");
    let config = Config {
        outputs: vec![scene.cloudwatch(&more)],
        ..scene.cloudwatch_config()
    }
    .serving();
    let agent = scene.start(&config);
    (config, agent)
}

pub(crate) fn metric(config: &Config, name: &str) -> u64 {
    let (_, text) = get(config.port(), "/metrics").unwrap();
    let line = text
        .lines()
        .find(|line| line.contains(name) && !line.starts_with('#'))
        .unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// Ships lines while the first answers leave their batch's fate open.
fn ship(faults: Faults, more: &str) -> (Scene, u64) {
    let scene = Scene::new();
    let mut series = Numbered::new("doubt");
    let (config, agent) = start(&scene, more);
    // The stream is made first: a batch for one that is missing is never stored.
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Cloudwatch, series.next);
    scene.receiver.set_faults(Backend::Cloudwatch, faults);
    for _ in 0..3 {
        series.append_to(&scene.log("app.log"), 40);
        scene.wait_for_stored(Backend::Cloudwatch, series.next);
    }
    config.wait_until_no_lag();
    let doubtful = metric(&config, "pinnace_doubtful_resends_total");
    assert!(
        metric(&config, "class=\"open\"") > 0,
        "the fault never struck"
    );
    agent.stop_well();
    if doubtful == 0 {
        scene.assert_series_arrived(Backend::Cloudwatch, &series);
    }
    (scene, doubtful)
}

fn looks(summary: &Summary) -> u64 {
    summary.operation("GetLogEvents")
}

#[test]
fn what_was_stored_before_the_answer_was_lost_is_found_and_not_sent_again() {
    for action in [Action::Status(500), Action::Reset, Action::Hang] {
        let faults = Faults::of(action).times(2).on(PUT).after_storing();
        let (scene, doubtful) = ship(faults, "");
        let summary = scene.receiver.summary(Backend::Cloudwatch);
        assert_eq!((doubtful, summary.repeated), (0, 0));
        assert!(looks(&summary) >= 2, "it was read back");
    }
}

#[test]
fn what_becomes_visible_late_is_waited_for() {
    let faults = Faults {
        visibility_delay_ms: 2000,
        ..Faults::of(Action::Status(500))
            .times(1)
            .on(PUT)
            .after_storing()
    };
    let (scene, doubtful) = ship(faults, "");
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    assert_eq!((doubtful, summary.repeated), (0, 0));
    assert!(looks(&summary) >= 3, "it was looked for more than once");
}

#[test]
fn what_was_not_stored_is_sent_again_once_it_would_have_been_visible() {
    let faults = Faults::of(Action::Status(503)).times(1).on(PUT);
    let (scene, doubtful) = ship(faults, "");
    assert_eq!(doubtful, 0);
    assert!(looks(&scene.receiver.summary(Backend::Cloudwatch)) > 1);
}

#[test]
fn without_leave_to_read_it_is_sent_again_and_counted() {
    let faults = || {
        Faults::of(Action::Status(500))
            .times(1)
            .on(PUT)
            .after_storing()
    };
    let (scene, doubtful) = ship(faults(), "verify_after_error: never");
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    assert_eq!((doubtful, looks(&summary)), (1, 0), "no read call is made");
    assert_eq!(summary.repeated, 40, "what is documented and counted");
}

#[test]
fn events_of_another_writer_make_it_undecidable_and_nothing_is_lost() {
    let scene = Scene::new();
    let mut series = Numbered::new("doubt");
    let (config, agent) = start(&scene, "");
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Cloudwatch, 10);
    // The stream cannot be read any more: what that means is not known.
    let refused = Action::Error("InvalidOperationException".to_owned());
    scene.receiver.set_faults(
        Backend::Cloudwatch,
        Faults::of(Action::Status(500)).times(1).on(PUT),
    );
    series.append_to(&scene.log("app.log"), 10);
    agent.wait_for_log("not delivered; nothing is lost");
    scene
        .receiver
        .set_faults(Backend::Cloudwatch, Faults::of(refused).on("GetLogEvents"));
    scene.wait_for_stored(Backend::Cloudwatch, 20);
    config.wait_until_no_lag();
    assert_eq!(metric(&config, "pinnace_doubtful_resends_total"), 1);
    agent.stop_well();
    scene.assert_series_arrived(Backend::Cloudwatch, &series);
}

#[test]
fn required_reading_holds_the_batch_until_it_can_be_told() {
    let scene = Scene::new();
    let mut series = Numbered::new("doubt");
    let refused = || Action::Error("AccessDeniedException".to_owned());
    let (config, agent) = start(&scene, "verify_after_error: require");
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Cloudwatch, 10);
    scene.receiver.set_faults(
        Backend::Cloudwatch,
        Faults::of(Action::Status(500))
            .times(1)
            .on(PUT)
            .after_storing(),
    );
    series.append_to(&scene.log("app.log"), 10);
    agent.wait_for_log("not delivered; nothing is lost");
    scene.receiver.set_faults(
        Backend::Cloudwatch,
        Faults::of(refused()).on("GetLogEvents"),
    );
    agent.wait_for_log("cannot tell whether a batch is stored");
    let before = scene.receiver.summary(Backend::Cloudwatch).operation(PUT);
    scene
        .receiver
        .set_faults(Backend::Cloudwatch, Faults::default());
    series.append_to(&scene.log("app.log"), 10);
    scene.wait_for_stored(Backend::Cloudwatch, series.next);
    config.wait_until_no_lag();
    agent.stop_well();
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    assert_eq!(summary.repeated, 0);
    assert_eq!(
        summary.operation(PUT),
        before + 1,
        "only the new lines were put"
    );
    scene.assert_series_arrived(Backend::Cloudwatch, &series);
}

#[test]
fn after_a_kill_a_batch_on_its_way_is_looked_for_before_it_is_sent_again() {
    for is_stored in [true, false] {
        let scene = Scene::new();
        let mut series = Numbered::new("doubt");
        let hang = Faults::of(Action::Hang).on(PUT);
        let hang = if is_stored {
            hang.after_storing()
        } else {
            hang
        };
        let (_, agent) = start(&scene, "");
        series.append_to(&scene.log("app.log"), 10);
        scene.wait_for_stored(Backend::Cloudwatch, 10);
        scene.receiver.set_faults(Backend::Cloudwatch, hang);
        series.append_to(&scene.log("app.log"), 10);
        let hangs = |it: &Summary| it.hanging > 0;
        assert!(
            scene
                .receiver
                .wait_for(Backend::Cloudwatch, Duration::from_mins(1), hangs)
        );
        agent.kill();
        scene
            .receiver
            .set_faults(Backend::Cloudwatch, Faults::default());
        let (config, agent) = start(&scene, "");
        series.append_to(&scene.log("app.log"), 10);
        scene.wait_for_stored(Backend::Cloudwatch, series.next);
        config.wait_until_no_lag();
        assert_eq!(metric(&config, "pinnace_replayed_batches_total"), 1);
        agent.stop_well();
        assert_eq!(scene.receiver.summary(Backend::Cloudwatch).repeated, 0);
        scene.assert_series_arrived(Backend::Cloudwatch, &series);
    }
}

#[test]
fn a_put_that_lands_after_the_client_has_given_up_is_found_and_not_sent_again() {
    for action in [Action::Status(500), Action::Hang] {
        let faults = Faults {
            late_ms: Some(2000),
            ..Faults::of(action).times(1).on(PUT)
        };
        let (scene, doubtful) = ship(faults, "");
        let summary = scene.receiver.summary(Backend::Cloudwatch);
        assert_eq!((doubtful, summary.repeated), (0, 0));
        assert!(looks(&summary) >= 3, "it was looked for more than once");
    }
}

#[test]
fn behind_a_mask_nothing_is_lost_and_what_is_there_twice_is_counted() {
    let faults = |is_stored| Faults {
        mask: true,
        store: is_stored,
        ..Faults::of(Action::Status(500)).times(1).on(PUT)
    };
    let (scene, doubtful) = ship(faults(true), "");
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    assert_eq!((doubtful, summary.repeated), (1, 40), "counted as doubtful");

    let (scene, doubtful) = ship(faults(false), "");
    let summary = scene.receiver.summary(Backend::Cloudwatch);
    assert_eq!((doubtful, summary.repeated), (0, 0), "nothing was there");
}

/// A front that stores the second put and answers it with 500, and gives `empty` to whoever reads
/// back until what is stored must be visible.
fn front_that_reads_nothing(scene: &Scene, empty: &'static str) -> Front {
    let puts: Mutex<Vec<Instant>> = Mutex::default();
    Front::scripted(scene.receiver.address(), move |parts, _| {
        let target = header(parts, "x-amz-target");
        let mut puts = puts.lock().unwrap();
        if target.ends_with(PUT) {
            puts.push(Instant::now());
            // The first one finds no stream.
            if puts.len() == 3 {
                return Verdict::CarryOutAndAnswer(500, String::new());
            }
        }
        let is_soon = |put: &Instant| put.elapsed() < Duration::from_secs(7);
        if target.ends_with("GetLogEvents") && puts.last().is_some_and(is_soon) {
            return Verdict::Answer(200, empty.to_owned());
        }
        Verdict::PassOn
    })
}

#[test]
fn a_read_that_is_answered_with_nothing_does_not_mean_that_nothing_is_stored() {
    for empty in ["", "{}"] {
        let scene = Scene::new();
        let front = front_that_reads_nothing(&scene, empty);
        let output = scene
            .cloudwatch("log_stream: all, request_timeout: 500ms")
            .replace(&scene.receiver.cloudwatch_url(), &front.url("http"));
        let config = Config {
            outputs: vec![output],
            ..scene.cloudwatch_config()
        }
        .serving();
        let mut series = Numbered::new("doubt");
        let agent = scene.start(&config);
        series.append_to(&scene.log("app.log"), 10);
        scene.wait_for_stored(Backend::Cloudwatch, series.next);
        config.wait_until_no_lag();
        series.append_to(&scene.log("app.log"), 10);
        scene.wait_for_stored(Backend::Cloudwatch, series.next);
        config.wait_until_no_lag();
        agent.stop_well();
        let summary = scene.receiver.summary(Backend::Cloudwatch);
        assert_eq!(summary.repeated, 0, "{empty:?}");
        scene.assert_series_arrived(Backend::Cloudwatch, &series);
    }
}
