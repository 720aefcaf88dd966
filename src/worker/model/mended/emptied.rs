//! The same of logs that were emptied when nobody looked.

use super::super::acts::Act;
use super::{append, assert_well, labels, pass, setup, stop};

#[test]
fn a_log_that_was_emptied_behind_its_banner_is_not_taken_for_what_it_was_after_a_restart() {
    for is_kill in [false, true] {
        assert_well(
            setup(false, 16, 700),
            vec![
                append(0, 1, 0),
                pass(1),
                Act::CopyTruncate { log: 0 },
                Act::DeleteOldest { log: 0 },
                stop(labels(false, 0), is_kill, vec![append(0, 1, 0)]),
            ],
        );
    }
}

#[test]
fn a_log_that_was_emptied_and_renamed_before_a_kill_is_read_when_its_writer_goes_on() {
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 1, 0),
            pass(400_000),
            Act::AnswerAll { output: 0 },
            Act::CopyTruncate { log: 0 },
            Act::Rename { log: 0 },
            stop(labels(false, 0), true, vec![]),
            Act::AppendToRotated { log: 0 },
            append(0, 1, 0),
        ],
    );
}

#[test]
fn the_end_of_a_line_that_was_begun_when_its_log_was_copied_is_lost_when_that_is_emptied() {
    let flicker = Act::FolderFlickers {
        millis: 700,
        is_empty: false,
        meanwhile: vec![],
    };
    assert_well(
        setup(false, 0, 700),
        vec![
            stop(labels(false, 0), false, vec![Act::AppendPart { log: 1 }]),
            Act::Copy { log: 1 },
            flicker,
            Act::CopyTruncate { log: 1 },
            append(0, 1, 0),
        ],
    );
}
