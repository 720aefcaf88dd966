//! What entries amount to.

use super::super::format::tests::{identity, seal};
use super::*;
use crate::journal::OwnFile;
use crate::record::Time;
use std::path::Path;
use std::time::Duration;

#[test]
fn acknowledgements_out_of_order_leave_no_hole_behind_the_cursor() {
    let mut state = State::default();
    let id = GenerationId(0);
    state.apply(&Entry::Generation(id, identity(0)));
    for number in 0..3 {
        let seal = seal("out", "a", id, number * 10, number * 10 + 10);
        state.apply(&Entry::Seal(BatchId(number), Box::new(seal)));
    }
    let offset = |state: &State| {
        state.generations[&id]
            .cursors
            .get("out")
            .map(|cursor| cursor.position.offset)
    };
    let read = |state: &State| state.read_from(id, "out").map(|it| it.position.offset);
    assert_eq!((offset(&state), read(&state)), (None, Some(30)));
    assert_eq!(state.apply(&Entry::Acknowledge(BatchId(1))).len(), 1);
    assert_eq!((offset(&state), read(&state)), (None, Some(30)));
    assert_eq!(state.unacknowledged().count(), 2);
    state.apply(&Entry::Acknowledge(BatchId(0)));
    assert_eq!((offset(&state), read(&state)), (Some(20), Some(30)));
    state.apply(&Entry::Acknowledge(BatchId(2)));
    assert_eq!((offset(&state), read(&state)), (Some(30), Some(30)));
    assert_eq!(
        state.apply(&Entry::Acknowledge(BatchId(2))),
        [],
        "twice is once"
    );
}

#[test]
fn streams_and_outputs_do_not_wait_for_each_other() {
    let mut state = State::default();
    let id = GenerationId(0);
    state.apply(&Entry::Generation(id, identity(0)));
    let another = GenerationId(1);
    state.apply(&Entry::Generation(another, identity(1)));
    let seals = [
        ("out", "a", id, 10),
        ("out", "b", another, 20),
        ("other", "a", id, 30),
    ];
    for (number, (output, stream, generation, end)) in (0..).zip(seals) {
        let seal = seal(output, stream, generation, 0, end);
        state.apply(&Entry::Seal(BatchId(number), Box::new(seal)));
    }
    let offset = |state: &State, id, output| {
        let cursor: &Cursor = state.generations[&id].cursors.get(output).unwrap();
        cursor.position.offset
    };
    state.apply(&Entry::Acknowledge(BatchId(2)));
    assert_eq!(offset(&state, id, "other"), 30);
    state.apply(&Entry::Acknowledge(BatchId(1)));
    assert_eq!(offset(&state, another, "out"), 20);
}

#[test]
fn a_generation_that_goes_to_another_stream_waits_for_its_batch_in_the_old_one() {
    let id = GenerationId(0);
    let read = |state: &State| state.read_from(id, "out").map(|it| it.position.offset);
    let mut state = State::default();
    state.apply(&Entry::Generation(id, identity(0)));
    for (number, stream, start, end) in [(0, "old", 0, 10), (1, "new", 10, 20)] {
        let seal = seal("out", stream, id, start, end);
        state.apply(&Entry::Seal(BatchId(number), Box::new(seal)));
    }
    state.apply(&Entry::Acknowledge(BatchId(1)));
    assert_eq!(state.cursor_of(id, "out"), None, "a hole before it");
    assert_eq!(read(&state), Some(20), "not read twice");
    let mut given_up = state.clone();
    given_up.apply(&Entry::Unseal(BatchId(0)));
    assert_eq!(read(&given_up), None, "nothing is skipped");
    state.apply(&Entry::Acknowledge(BatchId(0)));
    let cursor = state.cursor_of(id, "out").map(|it| it.position.offset);
    assert_eq!((cursor, read(&state)), (Some(20), Some(20)));
}

#[test]
fn a_batch_is_owed_in_the_parts_that_are_not_settled() {
    use crate::batch::parts::Fate;
    let mut state = State::default();
    let id = GenerationId(0);
    state.apply(&Entry::Generation(id, identity(0)));
    let batch = BatchId(0);
    let seal = seal("out", "a", id, 0, 10);
    state.apply(&Entry::Seal(batch, Box::new(seal)));
    state.apply(&Entry::Cut(batch, vec![1, 2, 99]));
    state.apply(&Entry::Settle(batch, 1..2, Fate::Refused));
    state.apply(&Entry::Settle(BatchId(7), 0..1, Fate::Delivered));
    let owed = |state: &State| state.parts_of(batch).map(|parts| parts.owed(3));
    assert_eq!(owed(&state), Some(vec![0..1, 2..3]));
    assert_eq!(state.cursor_of(id, "out"), None, "not delivered as a whole");
    let mut again = State::default();
    for entry in state.entries() {
        again.apply(&entry);
    }
    assert_eq!(again, state);
    state.apply(&Entry::Acknowledge(batch));
    assert_eq!(owed(&state), None);
}

#[test]
fn what_is_unsealed_is_read_again() {
    let mut state = State::default();
    let id = GenerationId(0);
    state.apply(&Entry::Generation(id, identity(0)));
    for number in 0..3 {
        let seal = seal("out", "a", id, number * 10, number * 10 + 10);
        state.apply(&Entry::Seal(BatchId(number), Box::new(seal)));
    }
    state.apply(&Entry::Acknowledge(BatchId(0)));
    assert_eq!(state.apply(&Entry::Unseal(BatchId(1))).len(), 2);
    assert_eq!(
        state.read_from(id, "out").map(|it| it.position.offset),
        Some(10)
    );
}

#[test]
fn a_generation_is_found_by_its_inode_and_path_and_by_no_others_that_it_had() {
    let found = |state: &State, inode, path: &str| {
        let known = state.known_at(inode, [Path::new(path)].into_iter());
        known.map(|(id, _)| id.0).collect::<Vec<_>>()
    };
    let at = |inode, path: &str| Identity {
        inode,
        path: path.into(),
        ..identity(0)
    };
    let mut state = State::default();
    let mut earlier = State::default();
    earlier.apply(&Entry::Generation(GenerationId(7), at(70, "/a")));
    for (id, identity) in [(2, at(20, "/b")), (1, at(10, "/a")), (2, at(30, "/c"))] {
        state.apply(&Entry::Generation(GenerationId(id), identity));
    }
    state.take_in(earlier, &mut Earlier::default());
    assert_eq!(found(&state, 30, "/a"), [1, 2, 7]);
    assert_eq!(found(&state, 30, "/c"), [2]);
    assert!(found(&state, 20, "/b").is_empty(), "what it was");
    state.apply(&Entry::Forget(GenerationId(1)));
    assert_eq!(found(&state, 10, "/a"), [7]);
}

#[test]
fn what_an_earlier_run_had_on_its_way_is_told_and_known_to_have_been_there() {
    let id = GenerationId(7);
    let mut earlier = State::default();
    let known = Identity {
        size: None,
        ..identity(0)
    };
    earlier.apply(&Entry::Generation(id, known));
    let sealed = seal("out", "a", id, 0, 10);
    earlier.apply(&Entry::Seal(BatchId(3), Box::new(sealed)));
    let (mut state, mut found) = (State::default(), Earlier::default());
    state.take_in(earlier, &mut found);
    assert_eq!(found.given_up, [(BatchId(3), "out".to_owned())].into());
    assert_eq!(state.unacknowledged().count(), 0);
    assert_eq!(state.generations[&id].identity.size, Some(10));
}

#[test]
fn a_batch_has_the_longest_time_limit_of_all_runs_that_may_have_sent_it() {
    let mut state = State::default();
    let id = GenerationId(0);
    state.apply(&Entry::Generation(id, identity(0)));
    for seconds in [5, 9, 2] {
        let seal = Seal {
            request_timeout: Duration::from_secs(seconds).into(),
            ..seal("out", "a", id, 0, 10)
        };
        state.apply(&Entry::Seal(BatchId(0), Box::new(seal)));
    }
    let longest = Duration::from_secs(9).into();
    let known = state.seal_of(BatchId(0)).map(|it| it.request_timeout);
    assert_eq!(known, Some(longest));
}

#[test]
fn a_file_is_known_by_its_inode_and_birth_also_when_it_was_left() {
    let mut state = State::default();
    let file = |inode, birth| OwnFile {
        inode,
        birth: Time(birth),
    };
    let own = Identity {
        inode: 7,
        birth: Time(1),
        left: Some(file(8, 2)),
        ..identity(0)
    };
    state.apply(&Entry::Generation(GenerationId(0), own.clone()));
    let known = |state: &State| {
        [(7, 1), (8, 2), (7, 2), (8, 1), (9, 1)]
            .map(|(inode, birth)| state.knows_file(file(inode, birth)))
    };
    assert_eq!(known(&state), [true, true, false, false, false]);
    let at_home = Identity { left: None, ..own };
    state.apply(&Entry::Generation(GenerationId(0), at_home));
    assert_eq!(known(&state), [true, false, false, false, false]);
    state.apply(&Entry::Forget(GenerationId(0)));
    assert_eq!(known(&state), [false; 5]);
}
