//! The same where a folder or a file could not be looked at for a while.

use super::super::acts::Act;
use super::{append, assert_well, labels, pass, setup, stop};

fn rename() -> Act {
    Act::Rename { log: 0 }
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
