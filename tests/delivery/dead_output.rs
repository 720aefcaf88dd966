//! One output is dead, with more waiting for it than the agent has room for: the other one does not
//! notice.

use std::time::{Duration, Instant};

use pinnace::receiver::Backend;

use crate::harness::{Config, MEMORY_CEILING, Numbered, PATIENCE, Scene, eventually};

const WIDTH: usize = 199;
/// Lines of 24 MB: more than `memory_limit` permits.
const BACKLOG: u64 = 120_000;
/// Lines by which the living output is measured, and how often: the best time counts, since
/// anything may happen on a machine that others use too.
const MEASURED: u64 = 10_000;
const TIMES: usize = 3;

/// How long the living output takes for some lines at best.
fn measure(scene: &Scene, series: &mut Numbered) -> Duration {
    let times = (0..TIMES).map(|_| {
        let begun = Instant::now();
        series.append_to(&scene.log("app.log"), MEASURED);
        scene.wait_for_stored(Backend::Loki, series.next);
        begun.elapsed()
    });
    times.min().unwrap()
}

fn of<T: std::str::FromStr + Default>(config: &Config, metric: &str, output: &str) -> T {
    let sample = format!("pinnace_{metric}{{output=\"{output}\"}}");
    config.metric(&sample).unwrap_or_default()
}

#[test]
fn a_dead_output_with_a_backlog_larger_than_the_memory_disturbs_nobody() {
    let scene = Scene::of_digests();
    let mut config = scene.loki_config().serving();
    config.outputs.push(scene.cloudwatch("log_stream: all"));
    let mut series = Numbered::wide("both", WIDTH);
    let agent = scene.start(&config);
    let alive = measure(&scene, &mut series);
    scene.wait_for_stored(Backend::Cloudwatch, series.next);
    config.wait_until_no_lag();

    scene.receiver.pause(Backend::Cloudwatch);
    let delivered = series.next;
    for _ in 0..10 {
        series.append_to(&scene.log("app.log"), BACKLOG / 10);
    }
    scene.wait_for_stored(Backend::Loki, series.next);
    let with_backlog = measure(&scene, &mut series);
    assert!(
        with_backlog < alive * 3,
        "{alive:?} while both lived, {with_backlog:?} with one of them dead"
    );
    assert_eq!(
        scene.receiver.summary(Backend::Cloudwatch).stored,
        delivered
    );
    let owed: u64 = of(&config, "lag_bytes", "cloudwatch");
    assert_eq!(owed, (series.next - delivered) * (WIDTH as u64 + 1));
    let is_even = eventually(|| of::<u64>(&config, "lag_bytes", "loki") == 0);
    assert!(is_even, "what is stored is not acknowledged");

    let blocked = || of::<f64>(&config, "output_blocked_seconds", "cloudwatch");
    let first = blocked();
    assert!(first > 0.0, "it is blocked since it was paused");
    assert!(eventually(|| blocked() > first + 0.5), "it does not grow");
    assert!(of::<f64>(&config, "output_blocked_seconds", "loki") <= 0.0);

    scene.receiver.resume(Backend::Cloudwatch);
    let all = scene
        .receiver
        .wait_for(Backend::Cloudwatch, 2 * PATIENCE, |it| {
            it.stored >= series.next
        });
    assert!(all, "{:#?}", scene.receiver.summary(Backend::Cloudwatch));
    config.wait_until_no_lag();
    assert!(blocked() <= 0.0, "it delivers again");
    let peak = agent.peak_memory();
    agent.stop_well();
    assert!(
        peak < MEMORY_CEILING,
        "{peak} bytes of memory at the peak, the ceiling is {MEMORY_CEILING}"
    );
    let expected = crate::harness::expected_digest(&series, series.next);
    for backend in Backend::ALL {
        assert_eq!(
            scene.receiver.summary(backend).digest,
            expected,
            "{backend}"
        );
        scene.assert_flawless(backend);
    }
}
