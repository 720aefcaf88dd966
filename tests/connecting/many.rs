//! Many streams at once, over TLS: memory has its ceiling.

use pinnace::receiver::{Backend, Faults};

use crate::authority::Authority;
use crate::harness::{Agent, Config, Front, MEMORY_CEILING, Numbered, Scene};

const STREAMS: u64 = 1000;
const LINES: u64 = 60;

#[test]
fn a_thousand_streams_at_once_keep_within_the_ceiling_at_both_backends() {
    let scene = Scene::of_digests();
    let authority = Authority::new("ours");
    let tls = || Some(authority.signs(&["localhost"]).server(None));
    let ca = authority.write(scene.dir().join("ca.pem"));
    let tls_keys = format!("tls: {{ ca_file: \"{}\" }}", ca.display());
    let before = scene.receiver.address();
    let (loki, cloudwatch) = (Front::before(before, tls()), Front::before(before, tls()));
    // One request of each stream and all streams at once: the slower the answers, the more is on
    // its way.
    for backend in [Backend::Loki, Backend::Cloudwatch] {
        let faults = Faults {
            latency_ms: 2,
            ..Faults::default()
        };
        scene.receiver.set_faults(backend, faults);
    }
    let config = Config {
        outputs: vec![
            format!(
                "{{ name: loki, type: loki, url: \"{}\", batch: {{ max_wait: 100ms }}, {tls_keys} }}",
                loki.url("https")
            ),
            format!(
                "{{ name: cloudwatch, type: cloudwatch_logs, endpoint_url: \"{}\", region: eu-west-1, \
                 log_group: /apps/test, log_stream: \"{{file}}\", create: {{ log_group: true }}, \
                 batch: {{ max_wait: 100ms }}, {tls_keys} }}",
                cloudwatch.url("https")
            ),
        ],
        ..scene.loki_config()
    };
    let mut all: Vec<_> = (0..STREAMS)
        .map(|number| Numbered::wide(&format!("s{number:04}"), 200))
        .collect();
    for series in &mut all {
        series.append_to(&scene.log(&format!("{}.log", series.name)), LINES / 2);
    }
    let agent = Agent::start(&scene.write(&config));
    for series in &mut all {
        series.append_to(&scene.log(&format!("{}.log", series.name)), LINES / 2);
    }
    for backend in [Backend::Loki, Backend::Cloudwatch] {
        scene.wait_for_stored(backend, STREAMS * LINES);
    }
    let peak = agent.peak_memory();
    agent.stop_well();
    for backend in [Backend::Loki, Backend::Cloudwatch] {
        let summary = scene.receiver.summary(backend);
        assert_eq!(summary.stored, STREAMS * LINES, "{backend}");
        assert_eq!(summary.streams.len() as u64, STREAMS, "{backend}");
        for series in &all {
            let expected = crate::harness::expected_digest(series, LINES);
            let stream = summary
                .streams
                .iter()
                .find(|it| it.name.contains(&series.name));
            assert_eq!(
                stream.map(|it| it.digest),
                Some(expected),
                "{}",
                series.name
            );
        }
        scene.assert_flawless(backend);
    }
    assert!(
        peak < MEMORY_CEILING,
        "{peak} bytes of memory at the peak, the ceiling is {MEMORY_CEILING}"
    );
}
