//! A long way to the backends: what an application writes is kept up with on both of them.

use std::time::{Duration, Instant};

use pinnace::receiver::{Backend, Faults};

use crate::harness::{Numbered, Scene, expected_digest, pass};

/// What the application writes, in bytes a second, and how long a round trip takes, in milliseconds;
/// one request of a stream is under way at a time. A build without optimisation, beside other
/// tests, does not read, encode and take 6 MB/s: there the application is slower and the way as much
/// longer, so that no less must go out with each request.
const RATE: u64 = 6_000_000 / SLOWER;
const ROUND_TRIP: u64 = 100 * SLOWER;
const SLOWER: u64 = if cfg!(debug_assertions) { 15 } else { 1 };
/// For so long it is looked at, after the first seconds.
const LOOKED_AT: Duration = Duration::from_secs(24);
const BEFORE: Duration = Duration::from_secs(4);
/// Who keeps up is behind by what is on its way and what waits for the next request, however long
/// it goes on. Who lacks a quarter of the rate is behind by more than these bytes more in the
/// second half.
const MOST_MORE: u64 = 1_000_000;
const TICK: Duration = Duration::from_millis(20);
/// Bytes of a line, with its end.
const LINE: u64 = 200;

/// Bytes written and not yet stored, tick by tick.
type Lags = Vec<u64>;

/// Writes at the rate, and notes how far each backend is behind.
fn write_and_look(scene: &Scene, series: &mut Numbered) -> [Lags; 2] {
    let path = scene.log("app.log");
    let mut lags = [Lags::new(), Lags::new()];
    let begun = Instant::now();
    while begun.elapsed() < BEFORE + LOOKED_AT {
        let due = begun.elapsed().as_millis() * u128::from(RATE / LINE) / 1000;
        let due = u64::try_from(due).unwrap();
        series.append_to(&path, due.saturating_sub(series.next));
        if begun.elapsed() >= BEFORE {
            for (lags, backend) in lags.iter_mut().zip(Backend::ALL) {
                let stored = scene.receiver.summary(backend).stored;
                lags.push((series.next - stored) * LINE);
            }
        }
        pass(TICK);
    }
    lags
}

fn median(lags: &[u64]) -> u64 {
    let mut sorted = lags.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[test]
fn over_100_milliseconds_a_writer_of_6_megabytes_a_second_is_kept_up_with_on_both_outputs() {
    let scene = Scene::of_digests();
    let mut config = scene.loki_config();
    config.outputs.push(scene.cloudwatch("log_stream: all"));
    let far = Faults {
        latency_ms: ROUND_TRIP,
        ..Faults::default()
    };
    let faults = far.on("push").on("PutLogEvents");
    for backend in Backend::ALL {
        scene.receiver.set_faults(backend, faults.clone());
    }
    let agent = scene.start(&config);
    let mut series = Numbered::wide("far", usize::try_from(LINE).unwrap() - 1);
    let lags = write_and_look(&scene, &mut series);
    for (lags, backend) in lags.iter().zip(Backend::ALL) {
        let (first, second) = lags.split_at(lags.len() / 2);
        let (first, second) = (median(first), median(second));
        assert!(
            second < first + MOST_MORE,
            "{backend}: {first} bytes behind in the first half, {second} in the second"
        );
    }
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, series.next);
        let digest = scene.receiver.summary(backend).digest;
        assert_eq!(digest, expected_digest(&series, series.next), "{backend}");
        scene.assert_flawless(backend);
    }
    agent.stop_well();
}
