//! The same where a folder or a file could not be looked at for a while.

use super::super::acts::{Act, Labels, Setup};
use super::{append, assert_well, labels, pass, setup, stop};

fn rename() -> Act {
    Act::Rename { log: 0 }
}

fn restart(away: Vec<Act>) -> Act {
    stop(labels(false, 0), false, away)
}

fn away(is_empty: bool, meanwhile: Vec<Act>) -> Act {
    Act::FolderFlickers {
        millis: 60_000,
        is_empty,
        meanwhile,
    }
}

fn rotate_twice() -> Vec<Act> {
    vec![
        pass(12_000),
        rename(),
        append(0, 3, 0),
        pass(12_000),
        rename(),
        append(0, 3, 0),
    ]
}

#[test]
fn what_was_made_and_rotated_in_a_folder_that_was_away_is_news_when_it_is_back() {
    for is_empty in [false, true] {
        assert_well(
            setup(false, 0, 3000),
            vec![append(0, 3, 0), pass(2500), away(is_empty, rotate_twice())],
        );
    }
}

#[test]
fn it_is_news_to_an_agent_that_was_started_meanwhile_too() {
    let mut meanwhile = rotate_twice();
    meanwhile.push(pass(60_000));
    for is_kill in [false, true] {
        meanwhile.push(stop(labels(false, 0), is_kill, vec![]));
        meanwhile.push(pass(60_000));
    }
    for is_empty in [false, true] {
        assert_well(
            setup(false, 0, 3000),
            vec![
                append(0, 3, 0),
                pass(2500),
                away(is_empty, meanwhile.clone()),
            ],
        );
    }
}

#[test]
fn a_log_that_could_not_be_opened_is_owed_under_a_rotated_name() {
    let restart = || stop(labels(false, 0), true, vec![]);
    for restarts in [None, Some(restart())] {
        let mut life = vec![
            append(0, 3, 0),
            pass(1100),
            rename(),
            append(0, 3, 0),
            Act::Deny { log: 0 },
            pass(12_000),
            pass(12_000),
            pass(12_000),
            rename(),
            append(0, 3, 0),
            pass(12_000),
        ];
        life.extend(restarts);
        life.extend([pass(12_000), pass(12_000), Act::Allow, pass(12_000)]);
        assert_well(setup(false, 0, 3000), life);
    }
}

#[test]
fn what_was_filled_anew_and_rotated_while_no_agent_ran_and_nobody_could_open_it_is_read() {
    assert_well(
        Setup {
            own_lines: 0,
            ..setup(false, 0, 700)
        },
        vec![
            append(1, 1, 0),
            pass(12_000),
            append(0, 1, 0),
            append(0, 1, 0),
            Act::Deny { log: 1 },
            stop(
                labels(false, 0),
                false,
                vec![Act::Refill { log: 1 }, Act::Rename { log: 1 }],
            ),
        ],
    );
}

#[test]
fn a_log_that_was_read_in_its_copy_goes_on_in_its_own_file_once_that_can_be_opened() {
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 1, 0),
            append(1, 1, 0),
            pass(1),
            Act::Deny { log: 1 },
            Act::Copy { log: 1 },
            stop(labels(false, 0), true, vec![]),
            Act::Allow,
            append(1, 3, 0),
        ],
    );
}

#[test]
fn a_log_of_which_a_copy_was_met_is_known_once_it_can_be_opened() {
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 1, 0),
            Act::Deny { log: 0 },
            stop(labels(false, 0), false, vec![]),
            stop(labels(false, 0), false, vec![Act::Copy { log: 0 }]),
        ],
    );
}

#[test]
fn a_record_that_was_begun_in_a_copy_goes_on_in_the_log_once_that_can_be_opened() {
    let begin = || Act::AppendTrace {
        log: 0,
        lines: 0,
        is_whole: false,
    };
    let lives = [
        (
            12,
            vec![append(0, 1, 0), pass(1), Act::Deny { log: 0 }],
            vec![begin(), Act::Copy { log: 0 }, append(0, 1, 0)],
        ),
        (
            0,
            vec![begin(), pass(1), Act::Deny { log: 0 }],
            vec![append(0, 1, 0), Act::Copy { log: 0 }],
        ),
    ];
    for (own_lines, before, away) in lives {
        let setup = Setup {
            max_wait: 50,
            has_records: true,
            own_lines,
            ..setup(false, 0, 700)
        };
        let mut life = before;
        life.extend([stop(labels(false, 0), false, away), pass(1100)]);
        assert_well(setup, life);
    }
}

#[test]
fn two_logs_that_begin_and_end_alike_are_two_where_both_are_met_under_rotated_names() {
    let away = |meanwhile| Act::FolderFlickers {
        millis: 700,
        is_empty: false,
        meanwhile,
    };
    let same = |lines| Act::AppendSame { log: 0, lines };
    assert_well(
        Setup {
            max_wait: 50,
            has_records: true,
            ..setup(false, 16, 700)
        },
        vec![
            away(vec![same(17)]),
            away(vec![rename(), same(16), rename()]),
        ],
    );
}

#[test]
fn a_log_that_was_read_in_its_copy_by_two_runs_goes_on_in_its_own_file_too() {
    assert_well(
        setup(true, 0, 700),
        vec![
            append(0, 1, 0),
            pass(1),
            Act::Deny { log: 0 },
            Act::Truncate { log: 0, lines: 1 },
            pass(20),
            restart(vec![Act::Copy { log: 0 }, append(0, 1, 0)]),
            restart(vec![]),
        ],
    );
}

#[test]
fn a_log_that_was_read_to_its_end_in_its_copy_is_known_by_a_later_run() {
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 1, 0),
            pass(1),
            Act::Deny { log: 0 },
            restart(vec![append(0, 1, 0), Act::Copy { log: 0 }]),
            restart(vec![]),
        ],
    );
}

#[test]
fn a_log_that_nobody_could_open_any_more_is_not_lost_once_it_was_read_in_its_copy() {
    let deleted = vec![Act::DeleteOldest { log: 0 }, Act::Delete { log: 0 }];
    assert_well(
        setup(true, 0, 700),
        vec![
            append(0, 1, 0),
            pass(1),
            Act::Deny { log: 0 },
            restart(vec![Act::Copy { log: 0 }]),
            restart(deleted),
        ],
    );
}

#[test]
fn a_log_that_was_read_in_its_copy_is_known_under_a_rotated_name() {
    for means_all in [false, true] {
        assert_well(
            setup(means_all, 0, 700),
            vec![
                restart(vec![append(0, 1, 0)]),
                Act::Deny { log: 0 },
                restart(vec![Act::Copy { log: 0 }, append(0, 1, 0)]),
                restart(vec![rename()]),
            ],
        );
    }
}

#[test]
fn a_log_that_nobody_could_open_is_not_lost_once_it_was_compressed_and_read() {
    for means_all in [false, true] {
        assert_well(
            setup(means_all, 0, 700),
            vec![
                append(0, 1, 0),
                Act::Deny { log: 0 },
                pass(1),
                rename(),
                super::gzip(0, false),
                Act::AnswerAll { output: 0 },
                Act::DeleteOldest { log: 0 },
                append(0, 1, 0),
            ],
        );
    }
}

#[test]
fn a_log_that_goes_on_in_the_copy_of_another_banner_is_known_by_what_was_read_behind_it() {
    let setup = Setup {
        own_lines: 0,
        max_wait: 50,
        has_records: true,
        ..setup(false, 16, 700)
    };
    // As it was, or emptied and filled anew behind its banner.
    for meanwhile in [vec![], vec![Act::Truncate { log: 0, lines: 1 }]] {
        assert_well(
            setup,
            vec![
                restart(vec![append(0, 1, 0)]),
                rename(),
                append(0, 3, 0),
                Act::CopyTruncate { log: 0 },
                Act::Turn,
                append(0, 1, 0),
                Act::Deny { log: 0 },
                stop(labels(false, 1), false, meanwhile),
                append(0, 1, 0),
            ],
        );
    }
}

#[test]
fn a_short_log_that_was_written_on_and_rotated_beside_its_copy_arrives_once() {
    let setup = Setup {
        own_lines: 0,
        ..setup(false, 0, 700)
    };
    let loki_alone = Labels {
        version: 1,
        ..super::to_loki_alone()
    };
    // Every output has read all of the copy, or one of them less.
    for lines in [1, 10] {
        for labels in [loki_alone, labels(false, 1)] {
            assert_well(
                setup,
                vec![
                    restart(vec![append(0, lines, 200)]),
                    Act::Deny { log: 0 },
                    Act::Copy { log: 0 },
                    pass(1),
                    append(0, 1, 0),
                    rename(),
                    stop(labels, false, vec![]),
                ],
            );
        }
    }
}

#[test]
fn a_log_that_nobody_could_open_is_not_lost_for_the_next_run_once_it_was_compressed() {
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 1, 0),
            Act::Deny { log: 0 },
            pass(1),
            rename(),
            super::gzip(0, false),
            restart(vec![]),
        ],
    );
}

#[test]
fn a_line_that_was_begun_when_a_log_was_copied_that_cannot_be_opened_arrives_in_parts() {
    assert_well(
        setup(true, 0, 700),
        vec![
            append(0, 1, 0),
            pass(1),
            Act::Deny { log: 0 },
            Act::AppendPart { log: 0 },
            pass(1),
            restart(vec![Act::Copy { log: 0 }]),
            Act::Jump { seconds: -1 },
        ],
    );
}

#[test]
fn a_log_that_was_never_opened_may_be_away_as_long_as_its_folder_is_empty() {
    assert_well(
        setup(true, 0, 700),
        vec![
            append(0, 1, 0),
            Act::Deny { log: 0 },
            pass(1),
            Act::Delete { log: 0 },
            pass(5000),
            append(0, 1, 0),
            Act::FolderFlickers {
                millis: 700,
                is_empty: false,
                meanwhile: vec![rename()],
            },
        ],
    );
}

#[test]
fn a_log_that_was_never_opened_is_lost_though_its_folder_was_empty_when_all_were_listed() {
    for empty_for in [1, 1100] {
        assert_well(
            setup(true, 0, 700),
            vec![
                append(0, 1, 0),
                Act::Deny { log: 0 },
                pass(1),
                Act::Delete { log: 0 },
                pass(empty_for),
                append(0, 1, 0),
                pass(2500),
                pass(2500),
                Act::FolderFlickers {
                    millis: 700,
                    is_empty: false,
                    meanwhile: vec![rename()],
                },
            ],
        );
    }
}

#[test]
fn a_log_that_was_emptied_and_cannot_be_opened_is_known_by_the_copy_of_what_it_holds() {
    let empty = Act::CopyTruncate { log: 0 };
    assert_well(
        setup(false, 0, 700),
        vec![
            append(0, 1, 0),
            Act::AppendPart { log: 0 },
            pass(1),
            restart(vec![empty, append(0, 1, 0)]),
            Act::Deny { log: 0 },
            Act::Copy { log: 0 },
            stop(labels(false, 0), true, vec![]),
            Act::DeleteOldest { log: 0 },
            append(0, 1, 0),
        ],
    );
}

#[test]
fn what_was_deleted_before_the_agent_ended_is_not_found_in_a_later_log_of_that_name() {
    let same = || Act::AppendSame { log: 0, lines: 17 };
    assert_well(
        Setup {
            own_lines: 12,
            max_wait: 50,
            has_records: true,
            ..setup(false, 16, 700)
        },
        vec![
            Act::FolderFlickers {
                millis: 700,
                is_empty: false,
                meanwhile: vec![same(), rename()],
            },
            Act::DeleteOldest { log: 0 },
            Act::AppendTrace {
                log: 0,
                lines: 0,
                is_whole: false,
            },
            Act::AnswerAll { output: 0 },
            restart(vec![]),
            rename(),
            same(),
        ],
    );
}

#[test]
fn a_log_that_was_met_in_its_copy_alone_goes_on_in_its_own_file_once_that_can_be_opened() {
    for banner_lines in [0, 16, 30] {
        assert_well(
            setup(true, banner_lines, 700),
            vec![
                append(0, 1, 0),
                Act::AnswerAll { output: 0 },
                Act::CopyTruncate { log: 0 },
                Act::Deny { log: 0 },
                Act::Turn,
                append(0, 1, 0),
                Act::Turn,
                stop(labels(false, 0), true, vec![Act::Copy { log: 0 }]),
            ],
        );
    }
}
