//! The fuzz targets over their corpus, and over a fixed number of mutations of it. Finds less than
//! a fuzzer, but each time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use pinnace::fuzzing::{TARGETS, Target};

/// Mutated inputs for each target; `FUZZ_MUTATIONS` asks for another number.
const MUTATIONS: usize = 4000;
/// The mutations are the same in each run; `FUZZ_SEED` gives others.
const SEED: u64 = 0x0070_696e_6e61_6365;

/// Numbers that need no quality (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit.max(1)
    }
}

fn from_environment<N: std::str::FromStr>(name: &str, usual: N) -> N {
    let asked = std::env::var(name).ok();
    asked.and_then(|it| it.parse().ok()).unwrap_or(usual)
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let entries = fs::read_dir(folder.join(target)).unwrap();
    let mut paths: Vec<_> = entries.map(|it| it.unwrap().path()).collect();
    paths.sort();
    let inputs = paths.into_iter().map(|path| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    });
    inputs.collect()
}

fn holds(target: Target, input: &[u8], name: &str) {
    let outcome = catch_unwind(AssertUnwindSafe(|| target(input)));
    let failure = match outcome {
        Ok(Ok(())) => return,
        Ok(Err(failure)) => failure,
        Err(_) => "a panic".to_owned(),
    };
    panic!(
        "{name}: {failure}\ninput: {:?}",
        input.escape_ascii().to_string()
    );
}

fn mutate(chance: &mut Chance, input: &mut Vec<u8>, others: &[(PathBuf, Vec<u8>)]) {
    let at = chance.below(input.len() + 1);
    match chance.below(6) {
        0 if at < input.len() => input[at] ^= 1 << chance.below(8),
        1 if at < input.len() => input[at] = u8::try_from(chance.below(256)).unwrap(),
        2 => input.truncate(at),
        3 => {
            let until = input.len().min(at + 1 + chance.below(16));
            input.drain(at..until);
        }
        4 => {
            let until = input.len().min(at + 1 + chance.below(64));
            let copy = input[at..until].to_vec();
            let to = chance.below(input.len() + 1);
            input.splice(to..to, copy);
        }
        _ => {
            let other = &others[chance.below(others.len())].1;
            let from = chance.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
    }
}

#[test]
fn every_target_holds_over_its_corpus_and_mutations_of_it() {
    let mutations = from_environment("FUZZ_MUTATIONS", MUTATIONS);
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has no corpus");
        for (path, input) in &corpus {
            holds(target, input, &path.display().to_string());
        }
        let mut chance = Chance(from_environment("FUZZ_SEED", SEED) | 1);
        for number in 0..mutations {
            let mut input = corpus[chance.below(corpus.len())].1.clone();
            for _ in 0..=chance.below(6) {
                mutate(&mut chance, &mut input, &corpus);
            }
            holds(target, &input, &format!("{name}, mutation {number}"));
        }
    }
}

#[test]
fn every_target_has_a_fuzzer_and_a_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")));
        let source = fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            source.contains(&format!("pinnace::fuzzing::{name}(")),
            "{name}"
        );
    }
}
