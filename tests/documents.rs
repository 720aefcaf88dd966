//! The documents name what is there, and nothing that is not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_path_in_the_documents_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = read(document);
        let paths = quoted(&text)
            .filter(|word| {
                let folders = [
                    "src/",
                    "tests/",
                    "docs/",
                    "deploy/",
                    "helm/",
                    "localstack/",
                    "benches/",
                ];
                folders.iter().any(|folder| word.starts_with(folder)) && !word.contains(['*', ' '])
            })
            .filter(|path| !root.join(path).exists());
        let missing: Vec<_> = paths.collect();
        assert!(missing.is_empty(), "{document} names {missing:?}");
    }
}

#[test]
fn the_code_map_names_every_stage() {
    let map = read("ARCHITECTURE.md");
    let lib = read("src/lib.rs");
    for module in lib
        .lines()
        .filter_map(|line| line.split("mod ").nth(1)?.strip_suffix(';'))
    {
        assert!(
            map.contains(&format!("`src/{module}.rs`")),
            "src/{module}.rs is on no map"
        );
    }
}

#[test]
fn every_source_file_says_what_it_owns() {
    fn visit(folder: &Path, silent: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, silent);
            } else if path.extension().is_some_and(|it| it == "rs")
                && !std::fs::read_to_string(&path).unwrap().starts_with("//!")
            {
                silent.push(path.display().to_string());
            }
        }
    }
    let mut silent = Vec::new();
    visit(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut silent,
    );
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_the_reference() {
    let rows = |document: &str| {
        let text = read(document);
        let section = text.split("## Exit codes").nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with('|'));
        rows.map(str::to_owned).collect::<Vec<_>>()
    };
    let [readme, reference] = ["README.md", "docs/configuration.md"].map(rows);
    assert!(readme.len() > 5, "{readme:?}");
    assert_eq!(readme, reference);
}
