//! Somebody else who writes into the agent's stream: after an open answer nothing is lost, whatever
//! he wrote, and what is there twice is counted.

use std::time::SystemTime;

use pinnace::receiver::{Action, Backend, Faults};
use serde_json::{Value, json};

use crate::doubt::{PUT, metric, start};
use crate::harness::{Numbered, Scene, append, ask_aws, lines_of};

fn now_millis() -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    i64::try_from(now).unwrap()
}

/// Puts events into the agent's stream.
fn put_all(scene: &Scene, events: &[(i64, String)]) {
    for events in events.chunks(10_000) {
        let events: Vec<Value> = events
            .iter()
            .map(|(time, text)| json!({ "timestamp": time, "message": text }))
            .collect();
        let body = json!({
            "logGroupName": "/apps/test", "logStreamName": "all", "logEvents": events,
        });
        ask_aws(scene.receiver.address(), PUT, &body);
    }
}

/// Puts events into the agent's stream, so many at each millisecond of the last ones.
fn put_as_another(scene: &Scene, at_each: usize, millis: i64) {
    let now = now_millis();
    let events: Vec<_> = (now - millis..now)
        .flat_map(|time| std::iter::repeat_n((time, "of another writer".to_owned()), at_each))
        .collect();
    put_all(scene, &events);
}

#[test]
fn beside_a_second_writer_nothing_is_lost_and_nothing_is_there_twice_uncounted() {
    for (is_stored, at_each) in [(true, 2), (true, 15), (false, 2), (false, 15)] {
        let scene = Scene::new();
        let mut series = Numbered::new("doubt");
        let (config, agent) = start(&scene, "");
        series.append_to(&scene.log("app.log"), 10);
        scene.wait_for_stored(Backend::Cloudwatch, 10);
        config.wait_until_no_lag();
        let faults = Faults {
            store: is_stored,
            ..Faults::of(Action::Status(500)).times(1).on(PUT)
        };
        scene.receiver.set_faults(Backend::Cloudwatch, faults);
        series.append_to(&scene.log("app.log"), 10);
        agent.wait_for_log("not delivered; nothing is lost");
        put_as_another(&scene, at_each, 600);
        series.append_to(&scene.log("app.log"), 10);
        config.wait_until_no_lag();
        let doubtful = metric(&config, "pinnace_doubtful_resends_total");
        agent.stop_well();
        let arrived = scene.receiver.records(Backend::Cloudwatch);
        let times = |line: &String| arrived.iter().filter(|it| it.line == *line).count();
        let counts: Vec<_> = series.all().iter().map(times).collect();
        let most = if doubtful > 0 { 2 } else { 1 };
        assert!(
            counts.iter().all(|count| (1..=most).contains(count)),
            "stored {is_stored}, {at_each} at each: {counts:?}, {doubtful} doubtful"
        );
    }
}

/// A line that is the same whoever writes it in this second.
fn line(second: i64) -> String {
    let time = jiff::Timestamp::from_second(second).unwrap();
    format!(
        "{} the same here and there",
        time.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
}

/// Writes two lines whose put gets an open answer, with this time limit, while another writer puts some events before it
/// and some after it. Returns how often each line is there, and how many batches were counted.
fn write_beside(
    limit: &str,
    is_stored: bool,
    before: impl Fn(i64) -> Vec<(i64, String)>,
    after: impl Fn(i64) -> Vec<(i64, String)>,
) -> ([usize; 2], u64) {
    let scene = Scene::new();
    let second = now_millis() / 1000 - 30;
    let limit = format!("request_timeout: {limit}");
    let config = scene.config_of(Backend::Cloudwatch, &limit).serving();
    let agent = scene.start(&config);
    let log = scene.log("app.log");
    // The last one waits for lines that may belong to it.
    let first = [line(second - 60), line(second - 59)].map(|it| it + "\n");
    append(&log, first.concat());
    scene.wait_for_stored(Backend::Cloudwatch, 2);
    config.wait_until_no_lag();
    put_all(&scene, &before(second * 1000));
    let faults = Faults {
        store: is_stored,
        ..Faults::of(Action::Status(500)).times(1).on(PUT)
    };
    scene.receiver.set_faults(Backend::Cloudwatch, faults);
    let batch = [line(second), line(second + 1)];
    append(
        &log,
        [&batch[..], &[line(second + 2)]].concat().join("\n") + "\n",
    );
    agent.wait_for_log("not delivered; nothing is lost");
    put_all(&scene, &after(second * 1000));
    config.wait_until_no_lag();
    let doubtful = metric(&config, "pinnace_doubtful_resends_total");
    agent.stop_well();
    let arrived = lines_of(&scene, Backend::Cloudwatch, |_| true);
    let times = batch.map(|line| arrived.iter().filter(|it| **it == line).count());
    (times, doubtful)
}

fn none(_: i64) -> Vec<(i64, String)> {
    Vec::new()
}

#[test]
fn equal_lines_of_a_second_writer_are_not_taken_for_a_batch_that_was_not_stored() {
    let equal = |at: i64, number: i64| (at + number * 1000, line(at / 1000 + number));
    let other = |at: i64| (at + 500, "of another writer".to_owned());
    let after = |at| vec![equal(at, 0), other(at), equal(at, 1)];
    assert_eq!(write_beside("500ms", false, none, after), ([2, 2], 1));
    let after = |at| vec![equal(at, 0), other(at)];
    assert_eq!(write_beside("500ms", false, none, after), ([2, 1], 1));
}

#[test]
fn a_part_that_no_refusal_explains_is_not_taken_for_a_batch_that_was_not_stored() {
    let after = |at: i64| vec![(at + 1000, line(at / 1000 + 1))];
    assert_eq!(write_beside("500ms", false, none, after), ([1, 2], 1));
}

#[test]
fn behind_more_events_of_a_second_writer_than_are_read_it_cannot_be_told() {
    let before = |at: i64| vec![(at, "of another writer".to_owned()); 35_000];
    assert_eq!(write_beside("10s", true, before, none), ([2, 2], 1));
}
