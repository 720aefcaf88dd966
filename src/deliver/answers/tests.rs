//! The document is what the tables say, and the tables say all that an operator needs.

use std::fmt::Write as _;
use std::path::Path;

use super::*;

const CLASSES: [(Class, &str); 7] = [
    (Class::Delivered, "Stored. The cursor moves."),
    (
        Class::Partial,
        "Stored but for records that are never taken; those go to the dead letters.",
    ),
    (
        Class::Retry,
        "Nothing is stored. The same again, after a wait that grows, or as long as `Retry-After` asks.",
    ),
    (
        Class::Split,
        "Nothing is stored, and nothing will be while the request is that large: it is divided.",
    ),
    (
        Class::Refused,
        "Something in it is not taken: it is divided until the culprit is alone. When nothing is taken, it is held.",
    ),
    (
        Class::Hold,
        "Somebody has to mend something. The same again, after a wait that grows.",
    ),
    (
        Class::Open,
        "It may be stored or not. Loki gets the same bytes again; CloudWatch Logs is read back first.",
    ),
];

fn answers(table: &[Row]) -> String {
    let mut text =
        "| answer | class | reason | what would mend it | besides |\n|---|---|---|---|---|\n"
            .to_owned();
    for row in table {
        let answer = match (row.codes, row.statuses) {
            ([], (least, most)) if least == most => least.to_string(),
            ([], ANY) => "any other".to_owned(),
            ([], (least, u16::MAX)) => format!("{least} and above"),
            ([], (least, most)) => format!("{least} to {most}"),
            (NO_CODE, (least, most)) => format!("{least} to {most} without a code"),
            (NO_SENTENCE, (least, most)) => {
                format!("{least} to {most} with an HTML page or nothing")
            }
            (codes, _) => codes
                .iter()
                .map(|code| format!("`{code}`"))
                .collect::<Vec<_>>()
                .join(", "),
        };
        let reason = match row.reason {
            "" => String::new(),
            reason => format!("`{reason}`"),
        };
        let class = row.class.name();
        let (mending, note) = (row.mending, row.note);
        let _ = writeln!(
            text,
            "| {answer} | {class} | {reason} | {mending} | {note} |"
        );
    }
    text
}

fn document() -> String {
    let mut text = "# What each answer means

Printed from the tables that the program goes by (`src/deliver/answers.rs`); `UPDATE=1 cargo test --lib deliver::answers` writes it again. The classes count in `pinnace_output_requests_total{class}`, the reasons stand in `pinnace_output_blocked{reason}`, and the sentence in `pinnace status` and in the log says what was answered and what would mend it. Of several rows that fit the first one counts.

## Classes

| class | what follows |
|---|---|
"
    .to_owned();
    for (class, meaning) in CLASSES {
        let _ = writeln!(text, "| {} | {meaning} |", class.name());
    }
    let _ = write!(text, "\n## Loki\n\n{}", answers(&LOKI));
    let _ = write!(
        text,
        "\n## CloudWatch Logs\n\nA success is 200 with a JSON object: *delivered*, and *partial* when `rejectedLogEventsInfo` names records.\n\n{}",
        answers(&CLOUDWATCH)
    );
    text.push_str(
        "\n## Without an answer\n\n| what happened | class | reason | what would mend it |\n|---|---|---|---|\n",
    );
    for it in &WITHOUT {
        let _ = writeln!(
            text,
            "| {} | {} | `{}` | {} |",
            it.words,
            it.class.name(),
            it.reason,
            it.mending
        );
    }
    text
}

#[test]
fn the_document_is_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/answers.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, document(), "UPDATE=1 rewrites it");
}

#[test]
fn every_row_can_be_reached() {
    for table in [&LOKI[..], &CLOUDWATCH[..]] {
        for row in table {
            let codes = if row.codes.is_empty() {
                &["SomethingElse"]
            } else {
                row.codes
            };
            for code in codes {
                let (least, most) = row.statuses;
                let mut statuses = (least.max(100)..=most.min(599))
                    .filter(|status| std::ptr::eq(find(table, code, *status), row));
                assert!(statuses.next().is_some(), "{row:?}");
            }
        }
    }
}

#[test]
fn every_row_says_what_would_mend_it() {
    let of_answers = LOKI.iter().chain(&CLOUDWATCH);
    let of_answers = of_answers.map(|row| (row.class, row.reason, row.mending));
    let of_silence = WITHOUT.iter().map(|it| (it.class, it.reason, it.mending));
    for (class, reason, mending) in of_answers.chain(of_silence) {
        assert!(mending.split(' ').count() >= 3, "{reason}: {mending:?}");
        // It stands behind a semicolon, and in a table.
        assert!(
            !mending.ends_with('.') && !mending.contains('|'),
            "{mending}"
        );
        assert!(mending.starts_with(char::is_lowercase), "{mending}");
        assert_eq!(reason.is_empty(), class == Class::Delivered, "{mending}");
    }
}

#[test]
fn every_kind_of_silence_has_its_row() {
    for (place, it) in WITHOUT.iter().enumerate() {
        let first = WITHOUT.iter().position(|other| other.without == it.without);
        assert_eq!(first, Some(place), "{it:?}");
        assert!(std::ptr::eq(without(it.without), it), "{it:?}");
    }
}
