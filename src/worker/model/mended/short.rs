//! The same of contents that are shorter than what proves them, and begin alike.

use super::super::acts::{Act, Labels, Outcome, Setup};
use super::{append, assert_well, gzip, labels, pass, stop, to_loki_alone};

fn setup(means_all: bool, banner_lines: usize, batch_bytes: usize) -> Setup {
    Setup {
        own_lines: 0,
        ..super::setup(means_all, banner_lines, batch_bytes)
    }
}

#[test]
fn what_begins_like_another_is_read_although_the_clock_was_set_back() {
    assert_well(
        setup(false, 16, 3000),
        vec![
            append(0, 1, 0),
            Act::Rename { log: 0 },
            append(0, 3, 0),
            Act::Link { log: 0 },
            Act::Delete { log: 0 },
            Act::Jump { seconds: -3600 },
            append(0, 1, 0),
        ],
    );
}

#[test]
fn a_log_that_was_emptied_behind_its_banner_does_not_go_on_in_one_that_was_read_before() {
    assert_well(
        setup(false, 30, 700),
        vec![
            append(0, 4, 200),
            Act::Jump { seconds: -3600 },
            stop(labels(false, 0), false, vec![Act::Rename { log: 0 }]),
            stop(labels(false, 0), false, vec![append(0, 3, 0)]),
            Act::Truncate { log: 0, lines: 0 },
            append(1, 1, 0),
        ],
    );
}

#[test]
fn a_log_that_was_emptied_behind_its_banner_does_not_go_on_in_a_compressed_one() {
    assert_well(
        setup(false, 16, 700),
        vec![
            append(0, 7, 237),
            stop(
                labels(false, 0),
                false,
                vec![append(0, 7, 40), Act::Rename { log: 0 }, append(0, 3, 0)],
            ),
            Act::CopyTruncate { log: 0 },
            gzip(1, false),
        ],
    );
}

#[test]
fn of_rotated_logs_with_nothing_but_the_same_banner_each_is_read() {
    for means_all in [false, true] {
        assert_well(
            setup(means_all, 1, 700),
            vec![
                append(0, 3, 0),
                pass(1),
                Act::Rename { log: 0 },
                append(0, 3, 0),
                Act::Rename { log: 0 },
            ],
        );
    }
}

#[test]
fn a_banner_that_was_given_up_with_its_output_is_lost_with_its_file() {
    assert_well(
        setup(false, 1, 3000),
        vec![
            stop(
                labels(false, 1),
                false,
                vec![Act::AppendPart { log: 1 }, append(0, 1, 0)],
            ),
            pass(1100),
            stop(labels(false, 0), true, vec![]),
            append(1, 1, 0),
            Act::Delete { log: 1 },
            Act::Jump { seconds: -1 },
            Act::Answer {
                output: 1,
                which: 2,
                outcome: Outcome::Delivered,
            },
            stop(
                Labels {
                    version: 1,
                    ..to_loki_alone()
                },
                false,
                vec![],
            ),
        ],
    );
}

#[test]
fn the_time_of_a_stream_goes_on_from_a_batch_that_was_stored_before_an_earlier_one() {
    let renamed = |away: Vec<Act>| stop(labels(false, 1), false, away);
    let bad = Act::AppendBad {
        log: 1,
        lines: 1,
        mask: 1,
    };
    assert_well(
        setup(false, 0, 700),
        vec![
            bad,
            Act::AnswerAll { output: 0 },
            Act::Jump { seconds: -3600 },
            renamed(vec![append(1, 1, 0)]),
            Act::Jump { seconds: -1 },
            renamed(vec![Act::Truncate { log: 1, lines: 1 }]),
        ],
    );
}

#[test]
fn a_log_that_was_emptied_and_renamed_is_not_taken_for_the_one_before() {
    assert_well(
        setup(false, 1, 700),
        vec![
            Act::Truncate { log: 0, lines: 9 },
            pass(1),
            Act::Delete { log: 0 },
            append(0, 1, 0),
            append(0, 1, 0),
            pass(20),
            stop(
                labels(false, 0),
                false,
                vec![Act::Truncate { log: 0, lines: 1 }, Act::Rename { log: 0 }],
            ),
        ],
    );
}

#[test]
fn a_copied_banner_is_no_more_than_the_next_content_begins_with() {
    assert_well(
        setup(true, 1, 700),
        vec![
            Act::Truncate { log: 0, lines: 1 },
            stop(
                to_loki_alone(),
                false,
                vec![Act::AppendToRotated { log: 0 }],
            ),
            Act::Rename { log: 0 },
            append(0, 9, 0),
            pass(1),
            Act::Copy { log: 0 },
            append(0, 1, 0),
            pass(20),
            Act::Truncate { log: 0, lines: 1 },
        ],
    );
}

#[test]
fn a_copy_is_not_taken_for_a_deleted_log_that_was_the_banner_alone() {
    let setup = Setup {
        has_records: true,
        max_wait: 1000,
        ..setup(false, 1, 3000)
    };
    assert_well(
        setup,
        vec![
            append(0, 3, 0),
            Act::Rename { log: 0 },
            stop(labels(false, 1), false, vec![]),
            Act::DeleteOldest { log: 0 },
            Act::Jump { seconds: -1 },
            Act::Truncate { log: 0, lines: 1 },
            Act::CopyTruncate { log: 0 },
        ],
    );
}

#[test]
fn a_rotated_banner_that_was_to_be_judged_when_its_folder_went_away_is_read_when_it_is_back() {
    assert_well(
        setup(false, 1, 700),
        vec![
            append(0, 1, 0),
            append(0, 1, 0),
            append(0, 1, 0),
            Act::Rename { log: 0 },
            Act::AnswerAll { output: 0 },
            append(0, 3, 0),
            Act::Rename { log: 0 },
            append(0, 1, 0),
            Act::FolderFlickers {
                meanwhile: vec![],
                millis: 400_000,
                is_empty: false,
            },
        ],
    );
}

#[test]
fn of_a_record_in_two_parts_both_are_there_though_one_could_come_again() {
    let setup = Setup {
        max_wait: 50,
        has_records: true,
        ..setup(true, 0, 700)
    };
    let one = Labels {
        is_one_stream: true,
        ..labels(false, 0)
    };
    assert_well(
        setup,
        vec![
            Act::AppendBad {
                log: 0,
                lines: 1,
                mask: 2,
            },
            stop(
                one,
                false,
                vec![
                    append(0, 1, 0),
                    Act::Rename { log: 0 },
                    Act::AppendTrace {
                        log: 0,
                        lines: 0,
                        is_whole: false,
                    },
                ],
            ),
            pass(1100),
            Act::AnswerAll { output: 1 },
            stop(to_loki_alone(), false, vec![]),
        ],
    );
}

#[test]
fn a_compressed_log_that_is_read_is_not_taken_for_one_with_the_same_banner() {
    assert_well(
        setup(true, 30, 3000),
        vec![
            stop(
                labels(false, 0),
                false,
                vec![append(0, 7, 32), Act::Rename { log: 0 }],
            ),
            append(0, 3, 0),
            pass(1),
            gzip(1, false),
            append(0, 1, 0),
            Act::Turn,
            gzip(0, false),
            Act::CopyTruncate { log: 0 },
            Act::Rename { log: 0 },
            stop(labels(false, 0), true, vec![]),
        ],
    );
}

#[test]
fn a_log_that_was_emptied_behind_its_banner_does_not_go_on_in_a_compressed_one_that_is_on_its_way()
{
    assert_well(
        setup(true, 16, 700),
        vec![
            append(0, 7, 286),
            Act::Rename { log: 0 },
            append(0, 3, 0),
            gzip(0, true),
            Act::Truncate { log: 0, lines: 0 },
            Act::AppendToRotated { log: 0 },
        ],
    );
}

#[test]
fn what_lies_in_a_longer_file_is_not_held_with_a_short_copy() {
    assert_well(
        setup(true, 0, 700),
        vec![
            append(0, 4, 317),
            Act::Jump { seconds: 3600 },
            Act::Rename { log: 0 },
            append(0, 4, 9),
            Act::Reload {
                labels: labels(true, 0),
            },
            Act::Copy { log: 0 },
            append(0, 4, 24),
            stop(
                labels(true, 1),
                false,
                vec![
                    Act::DeleteOldest { log: 0 },
                    append(1, 4, 27),
                    append(1, 6, 4),
                    Act::AppendTrace {
                        log: 0,
                        lines: 4,
                        is_whole: false,
                    },
                ],
            ),
            Act::DeleteOldest { log: 0 },
            Act::CopyTruncate { log: 0 },
        ],
    );
}

#[test]
fn a_record_that_came_in_parts_may_come_again_as_a_whole_in_a_short_log() {
    let begin = || Act::AppendTrace {
        log: 0,
        lines: 0,
        is_whole: false,
    };
    let rotated = vec![Act::Rename { log: 0 }, gzip(2, false)];
    assert_well(
        super::super::acts::Setup {
            own_lines: 0,
            max_wait: 50,
            has_records: true,
            ..setup(false, 0, 700)
        },
        vec![
            Act::AppendSame { log: 0, lines: 2 },
            begin(),
            pass(1),
            Act::Copy { log: 0 },
            Act::Jump { seconds: -1 },
            stop(to_loki_alone(), true, vec![begin()]),
            stop(labels(false, 0), false, rotated),
        ],
    );
}

#[test]
fn a_log_that_one_output_has_read_further_than_its_copy_is_known_once_it_is_compressed() {
    assert_well(
        super::super::acts::Setup {
            own_lines: 0,
            ..setup(false, 30, 700)
        },
        vec![
            append(0, 1, 0),
            pass(1),
            Act::Copy { log: 0 },
            append(0, 2, 26),
            Act::Reload {
                labels: labels(false, 0),
            },
            Act::AppendTrace {
                log: 0,
                lines: 5,
                is_whole: false,
            },
            stop(labels(false, 0), true, vec![Act::Rename { log: 0 }]),
            stop(labels(false, 1), false, vec![gzip(0, false)]),
        ],
    );
}

#[test]
fn a_log_that_was_emptied_does_not_go_on_in_an_older_one_with_the_same_banner() {
    assert_well(
        setup(false, 16, 700),
        vec![
            Act::AppendSame { log: 0, lines: 2 },
            Act::DeleteOldest { log: 0 },
            Act::AnswerAll { output: 1 },
            Act::CopyTruncate { log: 0 },
            stop(labels(false, 0), false, vec![append(0, 9, 0)]),
            gzip(0, false),
            append(0, 1, 200),
            pass(1),
            Act::Truncate { log: 0, lines: 0 },
        ],
    );
}

#[test]
fn the_copy_of_a_run_that_wrote_all_that_the_one_before_did_is_its_own() {
    let same = |lines| Act::AppendSame { log: 0, lines };
    let restart = || stop(labels(false, 1), false, vec![Act::CopyTruncate { log: 0 }]);
    assert_well(
        super::super::acts::Setup {
            max_wait: 50,
            has_records: true,
            ..setup(false, 30, 700)
        },
        vec![
            Act::FolderFlickers {
                millis: 700,
                is_empty: false,
                meanwhile: vec![same(7)],
            },
            restart(),
            Act::AppendToRotated { log: 0 },
            same(9),
            restart(),
        ],
    );
}
