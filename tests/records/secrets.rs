//! What no log should hold, through the whole agent: at the destinations, in the state directory
//! while they are away, and in the dead letters.

use std::fs;

use pinnace::receiver::{Action, Backend, Faults};

use crate::harness::{Config, Scene, append, eventually};
use crate::texts;

const SECRETS: [&str; 5] = [
    "AKIAIOSFODNN7EXAMPLE",
    "s3cr3t-password",
    "abcdefghijklmnopqrst",
    "MIIEbody",
    "C-123456",
];
const KINDS: [&str; 5] = [
    "aws_key",
    "url_password",
    "bearer_token",
    "private_key",
    "customer",
];

/// A log that holds each of the secrets.
fn log() -> String {
    let [key, password, token, body, customer] = SECRETS;
    format!(
        "key {key} in use\nconnect to postgres://app:{password}@db/x\nAuthorization: Bearer {token}\n\
         -----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\nfor {customer} done\n"
    )
}

/// Both backends, with bodies that can be read as they are.
fn both(scene: &Scene, inputs: Vec<String>) -> Config {
    Config {
        inputs,
        outputs: vec![
            scene.loki("too_old: rescue, compression: none"),
            scene.cloudwatch("log_stream: all, too_old: rescue, compression: none"),
        ],
        ..scene.empty_config()
    }
}

/// All that lies in the state directory.
fn state(config: &Config) -> String {
    let files = fs::read_dir(&config.state_dir).unwrap();
    let texts = files.map(|entry| fs::read(entry.unwrap().path()).unwrap_or_default());
    texts
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

/// No secret is in a text, and a mark for each of them is.
fn assert_redacted(what: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{what}: {secret} in\n{text}");
    }
    for kind in KINDS {
        let mark = format!("[redacted {kind}]");
        assert!(text.contains(&mark), "{what}: {mark} is not in\n{text}");
    }
}

#[test]
fn no_secret_lies_in_the_state_while_the_backends_are_away_or_leaves_the_process() {
    let scene = Scene::new();
    let inputs = [
        ("plain.log", "format: plain, multiline: off"),
        ("auto.log", "multiline_wait: 50ms"),
    ];
    let of = |(file, keys): (&str, &str)| {
        let name = file.trim_end_matches(".log");
        let keys = format!("{keys}, redact_patterns: {{ customer: 'C-\\d{{6}}' }}");
        scene.input(name, &[file], &keys)
    };
    let config = both(&scene, inputs.map(of).to_vec());
    for (file, _) in inputs {
        append(&scene.log(file), log());
    }
    for backend in Backend::ALL {
        scene
            .receiver
            .set_faults(backend, Faults::of(Action::Status(503)));
    }
    let agent = scene.start(&config);
    // The last records of both files are sealed for both outputs.
    let mut sealed = String::new();
    let is_sealed = eventually(|| {
        sealed = state(&config);
        sealed.matches("for [redacted customer] done").count() == 4
    });
    assert!(is_sealed, "{sealed}");
    assert_redacted("the state directory", &sealed);
    agent.kill();
    for backend in Backend::ALL {
        assert_eq!(scene.receiver.summary(backend).stored, 0, "{backend}");
        scene.receiver.set_faults(backend, Faults::default());
    }
    let agent = scene.start(&config);
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, 12);
        let records = scene.receiver.records(backend);
        assert_redacted(&backend.to_string(), &texts(&records).join("\n"));
        scene.assert_flawless(backend);
    }
    agent.stop_well();
}

#[test]
fn no_secret_is_in_a_dead_letter() {
    let scene = Scene::new();
    let keys = "multiline: off, redact_patterns: { customer: 'C-\\d{6}' }";
    let config = both(&scene, vec![scene.input("app", &["*.log"], keys)]);
    let poison = Faults {
        poison: Some("redacted".to_owned()),
        ..Faults::default()
    };
    for backend in Backend::ALL {
        scene.receiver.set_faults(backend, poison.clone());
    }
    append(&scene.log("app.log"), format!("before\n{}after\n", log()));
    let agent = scene.start(&config);
    let read = || fs::read_to_string(config.state_dir.join("dead-letters.ndjson"));
    let mut letters = String::new();
    // Six lines hold something, and go to the letters of each output.
    let are_there = eventually(|| {
        letters = read().unwrap_or_default();
        letters.lines().count() == 12
    });
    assert!(are_there, "{letters}");
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, 3);
        let records = scene.receiver.records(backend);
        let stored = ["before", "-----END RSA PRIVATE KEY-----", "after"];
        assert_eq!(texts(&records), stored, "{backend}");
    }
    config.wait_until_all_is_answered();
    agent.kill();
    assert_redacted("the dead letters", &letters);
    assert_redacted("the state directory", &state(&config));
}

#[test]
fn what_is_looked_for_when_asked_is_replaced_and_counted_and_what_only_looks_like_it_stays() {
    let scene = Scene::new();
    let keys = "redact: [email, card_number, iban], multiline_wait: 50ms, \
         redact_patterns: { customer: 'C-\\d{6}' }";
    let config = both(&scene, vec![scene.input("app", &["*.log"], keys)]).serving();
    let table = [
        (
            "to jean.dupont+x@example.org, cc a@b.fr",
            "to [redacted email], cc [redacted email]",
        ),
        (
            "card 4111 1111 1111 1111 and 5500-0000-0000-0004",
            "card [redacted card_number] and [redacted card_number]",
        ),
        ("order 4111 1111 1111 1112", "order 4111 1111 1111 1112"),
        (
            "from FR14 2004 1010 0505 0001 3M02 606",
            "from [redacted iban]",
        ),
        (
            "from FR14 2004 1010 0505 0001 3M02 607",
            "from FR14 2004 1010 0505 0001 3M02 607",
        ),
        ("key AKIAIOSFODNN7EXAMPLE", "key AKIAIOSFODNN7EXAMPLE"),
        ("for C-123456 and C-12", "for [redacted customer] and C-12"),
    ];
    let written = table.map(|it| it.0).join("\n");
    append(&scene.log("app.log"), written + "\n");
    let agent = scene.start(&config);
    for backend in Backend::ALL {
        scene.wait_for_stored(backend, 7);
        let records = scene.receiver.records(backend);
        assert_eq!(texts(&records), table.map(|it| it.1), "{backend}");
    }
    for output in ["loki", "cloudwatch"] {
        let counts = [
            ("email", 2),
            ("card_number", 2),
            ("iban", 1),
            ("customer", 1),
        ];
        config.wait_for_samples(&counts.map(|(kind, count)| {
            format!("pinnace_redacted_total{{output=\"{output}\",kind=\"{kind}\"}} {count}")
        }));
    }
    agent.stop_well();
}
