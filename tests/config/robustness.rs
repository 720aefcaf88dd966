//! No bytes make loading panic or hang: arbitrary ones, YAML-like ones, good ones with damage.

use std::fs;

use pinnace::config::{Environment, Source, load};
use proptest::prelude::*;

use super::{VARIABLES, yaml_files};

/// Loads and, when that fails, prints: both must come to an end.
fn survives(text: String) {
    let environment = Environment::from(VARIABLES);
    if let Err(problems) = load(&Source::Text(text), &environment) {
        assert!(!problems.is_empty());
        assert!(!problems.to_string().is_empty());
    }
}

fn samples() -> Vec<String> {
    ["tests/config/good", "tests/config/wrong"]
        .into_iter()
        .flat_map(yaml_files)
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

/// Signs that mean something in YAML or to us, and some that mean nothing anywhere.
const SIGNS: [&str; 34] = [
    "{", "}", "[", "]", ":", ": ", ",", "\"", "'", "\n", "\n  ", "\t", "- ", "? ", "#", " #",
    "&a ", "*a", "!", "!!str ", "|", ">", "%", "@", "`", "---", "...", "${", "$$", "\\", "é",
    "\u{2028}", "\u{feff}", "<<: ",
];

/// `PROPTEST_CASES` may ask for more.
fn cases(least: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: default.cases.max(least),
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn arbitrary_text_is_survived(text in any::<String>()) {
        survives(text);
    }

    #[test]
    fn text_of_signs_that_mean_something_is_survived(
        signs in prop::collection::vec(prop::sample::select(SIGNS.to_vec()), 0..40)
    ) {
        survives(signs.concat());
    }

    #[test]
    fn damaged_configurations_are_survived(
        sample in prop::sample::select(samples()),
        damage in prop::collection::vec(
            (any::<prop::sample::Index>(), 0usize..12, prop::sample::select(SIGNS.to_vec())),
            1..6
        )
    ) {
        let mut signs: Vec<char> = sample.chars().collect();
        for (at, cut, insert) in damage {
            let at = at.index(signs.len() + 1);
            let end = signs.len().min(at + cut);
            signs.splice(at..end, insert.chars());
        }
        survives(signs.into_iter().collect());
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn arbitrary_bytes_in_a_file_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), &bytes).unwrap();
        if let Err(problems) = load(&Source::File(file.path().to_owned()), &Environment::default()) {
            assert!(!problems.to_string().is_empty());
        }
    }
}
