//! Texts that try to be too much, and places in texts that are not ASCII.

use super::*;

fn first_problem(text: &str) -> Option<String> {
    let mut problems = Vec::new();
    parse(text, &mut problems);
    problems.first().map(Problem::headline)
}

#[test]
fn aliases_cannot_blow_up_a_small_text() {
    let wide: String = (1..20).fold("a0: &a0 [x, x, x, x]\n".to_owned(), |text, n| {
        let m = n - 1;
        format!("{text}a{n}: &a{n} [*a{m}, *a{m}, *a{m}, *a{m}]\n")
    });
    assert_eq!(
        first_problem(&wide).as_deref(),
        Some("the text holds too many values")
    );
    let deep: String = (1..5_000).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        format!("{text}a{n}: &a{n} [*a{}]\n", n - 1)
    });
    assert_eq!(
        first_problem(&deep).as_deref(),
        Some("the text is nested too deeply")
    );
}

#[test]
fn a_long_text_is_parsed_or_refused_in_good_time() {
    for text in [
        "[", "a: b\n", "- ", "{a: ", "&a ", "\"", "'", "? ", "!", "a", "\n", "#", "- x\n",
    ] {
        // Only that it comes back: a quadratic scanner would hang here.
        first_problem(&text.repeat((1 << 20) / text.len()));
    }
}

#[test]
fn places_count_characters_from_one() {
    let mut problems = Vec::new();
    let node = parse("é: { ключ: значение }\n", &mut problems).unwrap();
    let Content::Map(entries) = node.content else {
        panic!("no mapping")
    };
    assert_eq!(
        entries[0].key_place,
        Place::Text {
            line: 1,
            column: 1,
            length: 1
        }
    );
    let Content::Map(inner) = &entries[0].value.content else {
        panic!("no mapping")
    };
    assert_eq!(
        inner[0].value.place,
        Place::Text {
            line: 1,
            column: 12,
            length: 8
        }
    );
}
