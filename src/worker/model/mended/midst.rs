//! The same where something happened in the midst of a look.

use super::super::acts::{Act, Setup, Work};
use super::{append, assert_well, labels, pass, setup, stop};

fn copy_and_empty() -> Act {
    Act::CopyTruncate { log: 0 }
}

fn midst(steps: usize, work: Work, meanwhile: Vec<Act>) -> Act {
    Act::Midst {
        steps,
        work,
        meanwhile,
    }
}

fn reload() -> Act {
    Act::Reload {
        labels: labels(false, 0),
    }
}

#[test]
fn a_log_that_is_copied_and_emptied_before_anybody_saw_it_is_not_lost() {
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 1, 0),
            append(0, 1, 0),
            stop(labels(false, 0), false, vec![append(0, 1, 0)]),
            midst(0, Work::Pass(12_000), vec![copy_and_empty()]),
            pass(1),
            Act::Truncate { log: 0, lines: 1 },
            midst(1, Work::Turn, vec![copy_and_empty(), append(0, 9, 0)]),
        ],
    );
}

#[test]
fn a_copy_that_is_met_when_its_log_was_written_on_and_is_emptied_just_now_is_known() {
    assert_well(
        Setup {
            max_wait: 50,
            has_records: true,
            ..setup(false, 0, 3000)
        },
        vec![
            append(1, 1, 0),
            append(0, 1, 0),
            append(0, 1, 0),
            midst(0, Work::Turn, vec![Act::CopyTruncate { log: 1 }]),
            append(0, 1, 0),
            Act::Copy { log: 0 },
            append(0, 1, 0),
            midst(
                5,
                Work::Pass(1100),
                vec![copy_and_empty(), append(0, 1, 27)],
            ),
        ],
    );
}

#[test]
fn an_empty_log_that_is_filled_while_it_is_opened_is_known_by_what_was_read_of_it() {
    let trace = Act::AppendTrace {
        log: 0,
        lines: 0,
        is_whole: false,
    };
    assert_well(
        Setup {
            takers: [false, true],
            ..setup(true, 0, 700)
        },
        vec![
            trace,
            pass(1),
            copy_and_empty(),
            midst(3, Work::Start, vec![append(0, 1, 0)]),
            Act::AnswerAll { output: 1 },
            copy_and_empty(),
        ],
    );
}

#[test]
fn a_log_that_was_emptied_and_is_renamed_under_the_first_look_is_read() {
    assert_well(
        Setup {
            max_wait: 50,
            has_records: true,
            ..setup(false, 0, 700)
        },
        vec![
            append(0, 1, 0),
            reload(),
            copy_and_empty(),
            midst(0, Work::Turn, vec![Act::Rename { log: 0 }]),
            append(0, 1, 0),
            reload(),
            Act::Copy { log: 0 },
            pass(400_000),
            Act::Truncate { log: 0, lines: 1 },
            midst(1, Work::Start, vec![Act::Rename { log: 0 }]),
        ],
    );
}

#[test]
fn a_log_that_begins_and_ends_like_one_that_was_compressed_is_read() {
    let same = |lines| Act::AppendSame { log: 0, lines };
    let rotated = || midst(0, Work::Pass(1100), vec![Act::Rename { log: 0 }, same(16)]);
    assert_well(
        Setup {
            max_wait: 50,
            has_records: true,
            ..setup(false, 16, 700)
        },
        vec![
            append(0, 1, 0),
            rotated(),
            copy_and_empty(),
            super::gzip(0, true),
            append(0, 1, 0),
            Act::CopyTruncate { log: 1 },
            stop(labels(false, 0), false, vec![append(0, 1, 0)]),
            rotated(),
        ],
    );
}

#[test]
fn what_lies_in_a_copy_that_was_made_in_the_midst_of_a_look_is_not_said_to_be_lost() {
    let rotate = |which| Act::Gzip {
        log: 0,
        which,
        is_slow: false,
    };
    assert_well(
        setup(true, 0, 700),
        vec![
            append(0, 1, 0),
            append(0, 1, 0),
            Act::FolderFlickers {
                millis: 700,
                is_empty: false,
                meanwhile: vec![
                    Act::Rename { log: 0 },
                    append(0, 1, 0),
                    Act::Rename { log: 0 },
                    append(0, 1, 0),
                ],
            },
            rotate(0),
            Act::Midst {
                steps: 0,
                work: Work::Pass(1100),
                meanwhile: vec![rotate(0)],
            },
            Act::Truncate { log: 0, lines: 3 },
            Act::Midst {
                steps: 7,
                work: Work::Turn,
                meanwhile: vec![Act::CopyTruncate { log: 0 }, append(0, 1, 0)],
            },
            append(0, 1, 0),
            append(0, 1, 0),
        ],
    );
}
