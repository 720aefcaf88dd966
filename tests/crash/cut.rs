//! A journal of a real run, cut at every length, and the agent started with it: what it delivers
//! again is what the part that was cut off told of, and nothing is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pinnace::fuzzing::journal_lengths;
use pinnace::receiver::Backend;
use serde_json::Value;

use crate::harness::{Config, Numbered, Scene, lines_of};

const LINES: u64 = 6;
const HEADER: usize = 24;
const FRAME_HEAD: usize = 13;

#[test]
fn a_journal_cut_at_any_length_loses_nothing_and_doubles_no_more_than_was_cut_off() {
    let scene = Scene::new();
    let config = Config {
        inputs: vec![scene.input("app", &["*.log"], "")],
        // Without reading back: what a replay costs is seen, and nothing waits.
        outputs: vec![
            scene.loki(""),
            scene.cloudwatch("log_stream: all, verify_after_error: never"),
        ],
        ..scene.empty_config()
    };
    let mut series = Numbered::new("cut");
    let agent = scene.start(&config);
    for _ in 0..LINES {
        // Each line is a batch.
        series.append_to(&scene.log("app.log"), 1);
        for backend in Backend::ALL {
            scene.wait_for_stored(backend, series.next);
        }
        config.wait_until_no_lag();
    }
    agent.kill();
    let whole = fs::read(config.state_dir.join("journal.0")).unwrap();
    // Every length between two of these reads like the smaller one.
    let lengths = journal_lengths(&whole).unwrap();
    let mut most_again = 0;
    for len in [0, HEADER / 2, HEADER].into_iter().chain(lengths) {
        scene.receiver.clear();
        begin_with(&config.state_dir, &whole[..len]);
        let delivered = delivered_by(&whole[..len]);
        let agent = scene.start(&config);
        for (backend, name) in [(Backend::Loki, "loki"), (Backend::Cloudwatch, "cloudwatch")] {
            let none = BTreeSet::new();
            let delivered = delivered.get(name).unwrap_or(&none);
            let expected: Vec<_> = (0..LINES)
                .filter(|number| !delivered.contains(number))
                .map(|number| series.line(number))
                .collect();
            scene.wait_for_stored(backend, u64::try_from(expected.len()).unwrap());
            config.wait_until_no_lag();
            let arrived = lines_of(&scene, backend, |_| true);
            assert_eq!(
                arrived,
                expected,
                "{backend}, cut at {len} of {}",
                whole.len()
            );
            most_again = most_again.max(arrived.len());
        }
        agent.stop_well();
    }
    assert_eq!(
        most_again,
        series.all().len(),
        "with no journal all comes again"
    );
}

/// A state directory with nothing but this segment.
fn begin_with(dir: &Path, segment: &[u8]) {
    fs::remove_dir_all(dir).unwrap();
    fs::create_dir(dir).unwrap();
    fs::write(dir.join("journal.0"), segment).unwrap();
}

/// The numbers of the lines that a segment says are delivered, by output: read as
/// `docs/journal.md` describes it, without the code that is tried. Nothing without a whole
/// checkpoint.
fn delivered_by(segment: &[u8]) -> BTreeMap<String, BTreeSet<u64>> {
    let mut delivered: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut sealed = BTreeMap::new();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut has_checkpoint = false;
    let mut rest = segment.get(HEADER..).unwrap_or_default();
    while let Some(head) = rest.get(..FRAME_HEAD) {
        let len = u32::from_le_bytes(head[4..8].try_into().unwrap());
        let end = FRAME_HEAD + usize::try_from(len).unwrap();
        let Some(payload) = rest.get(FRAME_HEAD..end) else {
            break;
        };
        let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
        let batch = payload["batch"].as_u64();
        match (head[12], batch) {
            (b'E', _) => has_checkpoint = true,
            (b'S', Some(batch)) => {
                let output = payload["output"].as_str().unwrap().to_owned();
                assert_eq!(payload["records"], 1);
                let count = counts.entry(output.clone()).or_default();
                sealed.insert(batch, (output, *count));
                *count += 1;
            }
            (b'A', Some(batch)) => {
                let (output, line) = sealed.remove(&batch).unwrap();
                delivered.entry(output).or_default().insert(line);
            }
            _ => {}
        }
        rest = &rest[end..];
    }
    if has_checkpoint {
        delivered
    } else {
        BTreeMap::new()
    }
}
