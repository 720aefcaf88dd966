//! Lives that went wrong once, found by chance and cut down to what matters.

use super::acts::{Act, Labels, Outcome, Setup};
use super::{Life, live};

mod emptied;
mod in_place;
mod midst;
mod outputs;
mod short;
mod unseen;

fn setup(means_all: bool, banner_lines: usize, batch_bytes: usize) -> Setup {
    Setup {
        means_all,
        banner_lines,
        own_lines: 12,
        batch_bytes,
        max_wait: 0,
        has_records: false,
        takers: [true, true],
    }
}

fn append(log: usize, lines: usize, width: usize) -> Act {
    Act::Append { log, lines, width }
}

fn gzip(which: usize, is_slow: bool) -> Act {
    Act::Gzip {
        log: 0,
        which,
        is_slow,
    }
}

fn pass(millis: u64) -> Act {
    Act::Pass { millis }
}

fn labels(is_one_stream: bool, version: u8) -> Labels {
    Labels {
        is_one_stream,
        version,
        takers: [true, true],
    }
}

fn to_loki_alone() -> Labels {
    Labels {
        takers: [true, false],
        ..labels(false, 0)
    }
}

fn stop(labels: Labels, is_kill: bool, away: Vec<Act>) -> Act {
    Act::Stop {
        labels,
        is_kill,
        away,
    }
}

fn assert_well(setup: Setup, life: Vec<Act>) {
    if let Err(error) = live(setup, &Life(life)) {
        panic!("{error}");
    }
}

#[test]
fn a_copy_is_left_for_the_longer_one_that_was_compressed_meanwhile() {
    assert_well(
        setup(true, 0, 700),
        vec![
            append(0, 1, 0),
            pass(1),
            Act::Copy { log: 0 },
            stop(
                labels(false, 1),
                false,
                vec![append(0, 1, 0), Act::Rename { log: 0 }, gzip(2, false)],
            ),
        ],
    );
}

#[test]
fn a_file_that_was_renamed_before_its_first_bytes_is_known_by_them() {
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 1, 0),
            Act::CopyTruncate { log: 0 },
            pass(1),
            append(0, 1, 0),
            Act::DeleteOldest { log: 0 },
            Act::Rename { log: 0 },
            stop(labels(false, 0), false, vec![gzip(0, false)]),
        ],
    );
}

#[test]
fn a_copy_older_than_the_compressed_original_is_a_copy() {
    assert_well(
        setup(false, 0, 700),
        vec![
            Act::Truncate { log: 0, lines: 1 },
            pass(1),
            stop(
                labels(false, 0),
                false,
                vec![
                    Act::Copy { log: 0 },
                    append(0, 1, 0),
                    Act::Rename { log: 0 },
                    gzip(0, false),
                ],
            ),
        ],
    );
}

#[test]
fn a_copy_that_one_output_overtook_is_known_beside_a_new_content_with_its_banner() {
    assert_well(
        setup(false, 16, 700),
        vec![
            append(0, 1, 0),
            stop(
                labels(false, 0),
                false,
                vec![Act::Rename { log: 0 }, append(0, 1, 0)],
            ),
            stop(
                labels(false, 0),
                true,
                vec![Act::Copy { log: 0 }, Act::AppendSame { log: 0, lines: 2 }],
            ),
            stop(
                labels(false, 1),
                false,
                vec![Act::Truncate { log: 0, lines: 1 }],
            ),
            stop(labels(false, 0), true, vec![]),
        ],
    );
}

#[test]
fn a_file_of_which_little_was_read_is_known_compressed_by_its_end() {
    assert_well(
        setup(true, 0, 700),
        vec![
            stop(labels(false, 0), false, vec![append(0, 1, 0)]),
            stop(
                labels(false, 0),
                false,
                vec![
                    Act::Rename { log: 0 },
                    append(0, 1, 0),
                    Act::Rename { log: 0 },
                ],
            ),
            Act::AppendPart { log: 0 },
            pass(1),
            Act::Copy { log: 0 },
            stop(labels(false, 0), true, vec![gzip(1, false)]),
        ],
    );
}

#[test]
fn a_compressed_file_waits_for_the_plain_one_that_is_still_to_be_judged() {
    assert_well(
        setup(true, 16, 700),
        vec![
            stop(labels(false, 0), false, vec![append(0, 1, 0)]),
            Act::CopyTruncate { log: 0 },
            append(0, 1, 0),
            Act::CopyTruncate { log: 0 },
            Act::Rename { log: 0 },
            append(0, 1, 0),
            Act::Rename { log: 0 },
            pass(20),
            pass(20),
            gzip(1, true),
        ],
    );
}

#[test]
fn of_copies_with_the_same_banner_the_right_one_is_read_on() {
    assert_well(
        setup(false, 16, 700),
        vec![
            stop(labels(false, 0), false, vec![append(0, 4, 200)]),
            Act::CopyTruncate { log: 0 },
            append(0, 1, 0),
            Act::Rename { log: 0 },
            append(0, 1, 0),
            Act::Rename { log: 0 },
            pass(20),
            pass(20),
            gzip(2, true),
        ],
    );
}

#[test]
fn a_log_that_is_emptied_and_filled_further_behind_its_banner_is_noticed() {
    assert_well(
        setup(false, 16, 3000),
        vec![
            stop(
                labels(true, 0),
                false,
                vec![append(1, 1, 0), append(0, 1, 0)],
            ),
            Act::CopyTruncate { log: 0 },
            append(0, 1, 1),
            append(0, 1, 0),
        ],
    );
}

#[test]
fn a_copy_is_left_for_the_longer_one_after_a_kill() {
    assert_well(
        setup(false, 0, 700),
        vec![
            stop(labels(false, 0), false, vec![append(0, 1, 0)]),
            Act::Copy { log: 0 },
            append(0, 1, 0),
            Act::Rename { log: 0 },
            gzip(0, true),
            stop(labels(false, 0), true, vec![]),
        ],
    );
}

#[test]
fn the_copy_of_another_content_is_not_read_on() {
    assert_well(
        setup(true, 16, 700),
        vec![
            append(0, 1, 0),
            pass(1),
            Act::CopyTruncate { log: 0 },
            append(0, 1, 0),
            gzip(0, true),
            Act::Truncate { log: 0, lines: 0 },
            gzip(0, false),
        ],
    );
}

#[test]
fn a_rotated_file_is_not_taken_for_one_with_the_same_banner() {
    assert_well(
        setup(true, 16, 700),
        vec![
            stop(
                labels(false, 0),
                false,
                vec![
                    Act::AppendSame { log: 0, lines: 2 },
                    Act::Rename { log: 0 },
                    append(0, 1, 0),
                ],
            ),
            Act::Rename { log: 0 },
            append(0, 1, 0),
            gzip(2, true),
            Act::Truncate { log: 0, lines: 1 },
            Act::Rename { log: 0 },
            gzip(0, false),
            stop(labels(false, 0), false, vec![gzip(0, false)]),
        ],
    );
}

#[test]
fn what_is_written_alike_after_a_rotation_is_not_taken_for_the_rotated_one() {
    assert_well(
        setup(false, 16, 700),
        vec![
            Act::AppendSame { log: 0, lines: 27 },
            Act::Rename { log: 0 },
            pass(1),
            Act::AnswerAll { output: 0 },
            stop(labels(false, 0), false, vec![]),
            Act::AppendToRotated { log: 1 },
            Act::AppendSame { log: 0, lines: 27 },
        ],
    );
}

#[test]
fn a_file_with_two_names_is_first_seen_at_its_own() {
    assert_well(
        setup(true, 0, 700),
        vec![
            append(0, 1, 0),
            Act::Link { log: 0 },
            pass(1),
            Act::CopyTruncate { log: 0 },
            append(0, 1, 0),
        ],
    );
}

#[test]
fn what_is_made_by_a_clock_that_was_set_back_in_an_earlier_run_is_no_older_for_it() {
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 1, 0),
            Act::Jump { seconds: -3600 },
            stop(labels(false, 0), false, vec![]),
            Act::Copy { log: 0 },
            Act::Jump { seconds: 3600 },
            append(0, 1, 0),
        ],
    );
}

#[test]
fn what_was_copied_before_a_clock_was_put_forward_in_the_absence_is_no_older_for_it() {
    assert_well(
        setup(true, 0, 700),
        vec![
            Act::Truncate { log: 0, lines: 1 },
            Act::Jump { seconds: -3600 },
            pass(1),
            stop(
                labels(false, 0),
                false,
                vec![
                    Act::Copy { log: 0 },
                    append(0, 1, 0),
                    Act::Jump { seconds: 3600 },
                ],
            ),
        ],
    );
}

#[test]
fn the_banner_of_a_log_that_was_deleted_in_the_absence_is_not_taken_for_that_of_the_next() {
    for is_kill in [false, true] {
        assert_well(
            setup(false, 16, 700),
            vec![
                Act::AppendSame { log: 0, lines: 16 },
                Act::Rename { log: 0 },
                gzip(0, true),
                append(0, 1, 0),
                stop(
                    labels(false, 0),
                    is_kill,
                    vec![
                        Act::Delete { log: 0 },
                        Act::AppendSame { log: 0, lines: 16 },
                    ],
                ),
            ],
        );
    }
}

#[test]
fn a_line_without_an_end_that_was_stored_unheard_comes_again_to_an_output_that_comes_back() {
    assert_well(
        setup(false, 0, 700),
        vec![
            Act::AppendPart { log: 0 },
            Act::CopyTruncate { log: 0 },
            Act::Jump { seconds: -1 },
            Act::Answer {
                output: 1,
                which: 0,
                outcome: Outcome::Delivered,
            },
            stop(to_loki_alone(), true, vec![]),
        ],
    );
}

#[test]
fn a_file_without_a_name_is_not_held_for_an_output_that_is_configured_no_longer() {
    assert_well(
        setup(false, 0, 700),
        vec![
            stop(labels(false, 0), false, vec![append(0, 1, 0)]),
            Act::Reload {
                labels: to_loki_alone(),
            },
            Act::Rename { log: 0 },
            Act::DeleteOldest { log: 0 },
            Act::AnswerAll { output: 0 },
            pass(12_000),
            Act::Reload {
                labels: labels(false, 0),
            },
        ],
    );
}

#[test]
fn what_a_refilled_log_is_longer_by_is_not_said_to_be_lost() {
    assert_well(
        setup(false, 0, 3000),
        vec![
            Act::AppendSame { log: 0, lines: 2 },
            Act::Jump { seconds: -1 },
            Act::Truncate { log: 0, lines: 2 },
            Act::Jump { seconds: -1 },
        ],
    );
}

#[test]
fn a_linked_log_that_was_renamed_and_compressed_is_read_by_an_output_that_was_away() {
    let away = Labels {
        takers: [false, true],
        ..labels(false, 0)
    };
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 1, 0),
            Act::Reload {
                labels: labels(false, 0),
            },
            Act::Link { log: 0 },
            stop(away, true, vec![Act::Copy { log: 0 }, append(0, 1, 0)]),
            Act::Rename { log: 0 },
            Act::AnswerAll { output: 1 },
            pass(400_000),
            gzip(0, false),
        ],
    );
}
