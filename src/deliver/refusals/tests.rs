//! A stream with good and bad records, and a destination that refuses whatever holds a bad one.

use std::collections::BTreeSet;

use super::*;
use proptest::prelude::*;

fn refusal() -> Refusal {
    Refusal {
        reason: "refused",
        answer: "400".into(),
        may_be_stored: false,
    }
}

/// What came of running a stream until it waits or is done.
#[derive(Debug, Default, PartialEq)]
struct Run {
    delivered: Vec<(u64, u32)>,
    condemned: Vec<(u64, u32)>,
    requests: usize,
    waits: bool,
}

/// Runs until nothing is left or the stream waits.
fn run(refusals: &mut Refusals, is_bad: impl Fn(u64, u32) -> bool) -> Run {
    let mut run = Run::default();
    loop {
        match refusals.next() {
            Step::Nothing => return run,
            Step::Wait(_) => {
                run.waits = true;
                return run;
            }
            Step::Done(id) => refusals.remove(id),
            Step::Condemn(id, range, _) => {
                run.condemned.extend(range.clone().map(|it| (id.0, it)));
                refusals.settled(id, range, Fate::Refused);
            }
            Step::Send(id, range) => {
                run.requests += 1;
                if range.clone().any(|it| is_bad(id.0, it)) {
                    refusals.refused(id, range, refusal());
                } else {
                    run.delivered.extend(range.clone().map(|it| (id.0, it)));
                    refusals.taken(id, range);
                }
            }
        }
    }
}

fn stream(is_proven: bool, batches: &[u32]) -> Refusals {
    let mut refusals = Refusals::new(is_proven, false);
    for (id, records) in (0..).zip(batches) {
        refusals.add(BatchId(id), *records, Parts::default());
    }
    refusals
}

#[test]
fn one_bad_record_of_ten_thousand_costs_few_requests() {
    for bad in [0, 1, 4999, 5000, 9998, 9999] {
        for is_proven in [true, false] {
            let mut refusals = stream(is_proven, &[10_000]);
            let done = run(&mut refusals, |_, record| record == bad);
            assert_eq!(done.condemned, [(0, bad)], "{bad}");
            assert_eq!(done.delivered.len(), 9_999);
            assert!(done.delivered.is_sorted(), "in order");
            assert!(!done.waits && done.requests <= 30, "{}", done.requests);
        }
    }
}

#[test]
fn when_nothing_is_ever_taken_nothing_is_condemned() {
    let mut refusals = stream(false, &[10_000, 10_000]);
    let first = run(&mut refusals, |_, _| true);
    assert!(first.waits && first.condemned.is_empty());
    assert!(first.requests < 100, "{}", first.requests);
    for _ in 0..50 {
        refusals.try_again();
        let again = run(&mut refusals, |_, _| true);
        assert!(again.waits && again.condemned.is_empty());
        assert!(again.requests < 80, "{}", again.requests);
    }
    refusals.try_again();
    let mended = run(&mut refusals, |_, _| false);
    assert_eq!((mended.delivered.len(), mended.condemned), (20_000, vec![]));
}

#[test]
fn a_stream_that_worked_loses_few_records_to_the_dead_letters_when_all_are_refused() {
    let mut refusals = stream(true, &[10_000, 10_000]);
    let done = run(&mut refusals, |_, _| true);
    assert!(done.waits);
    assert_eq!(done.condemned.len(), MOST_IN_A_ROW as usize);
    refusals.try_again();
    assert_eq!(run(&mut refusals, |_, _| true).condemned, []);
}

#[test]
fn a_single_bad_record_waits_for_the_next_one_to_be_taken() {
    let mut refusals = stream(false, &[1]);
    let alone = run(&mut refusals, |_, _| true);
    assert!(alone.waits && alone.condemned.is_empty());
    assert!(refusals.is_stuck(BatchId(0)));
    refusals.add(BatchId(1), 1, Parts::default());
    refusals.try_again();
    let done = run(&mut refusals, |id, _| id == 0);
    assert_eq!(
        (done.condemned, done.delivered),
        (vec![(0, 0)], vec![(1, 0)])
    );
    // Now the stream is known to work.
    refusals.add(BatchId(2), 1, Parts::default());
    assert_eq!(run(&mut refusals, |_, _| true).condemned, [(2, 0)]);
}

#[test]
fn what_was_refused_before_a_wait_is_tried_again_before_it_is_condemned() {
    let mut refusals = stream(false, &[1, 1, 1]);
    assert!(run(&mut refusals, |_, _| true).waits);
    refusals.try_again();
    let mended = run(&mut refusals, |id, _| id == 1);
    assert_eq!(mended.delivered, [(0, 0), (2, 0)]);
    assert_eq!(mended.condemned, [(1, 0)]);
}

#[test]
fn where_the_configuration_says_so_all_are_written() {
    let mut refusals = Refusals::new(false, true);
    refusals.add(BatchId(0), 1_000, Parts::default());
    let done = run(&mut refusals, |_, _| true);
    assert_eq!(done.condemned.len(), 1_000);
    assert!(!done.waits && done.requests < 100, "{}", done.requests);
}

#[test]
fn records_that_the_destination_names_one_by_one_are_not_halved() {
    let mut refusals = stream(false, &[100]);
    assert!((refusals.refused_each(BatchId(0), 0..100, refusal())).is_empty());
    assert_eq!(refusals.next(), Step::Wait(refusal()));
    refusals.add(BatchId(1), 1, Parts::default());
    assert_eq!(refusals.next(), Step::Send(BatchId(1), 0..1));
    refusals.taken(BatchId(1), 0..1);
    assert_eq!(
        refusals.next(),
        Step::Condemn(BatchId(0), 0..100, refusal())
    );
}

fn too_new() -> Refusal {
    Refusal {
        reason: "too_new",
        ..refusal()
    }
}

#[test]
fn what_is_too_new_is_not_condemned_for_what_the_stream_took_before() {
    let mut refusals = stream(true, &[3, 1]);
    assert!((refusals.refused_each(BatchId(0), 0..3, too_new())).is_empty());
    assert_eq!(refusals.next(), Step::Send(BatchId(1), 0..1));
    refusals.refused_each(BatchId(1), 0..1, too_new());
    assert_eq!(refusals.next(), Step::Wait(too_new()));
    assert!(refusals.is_all_refused_for("too_new"));
    // What is later and taken by now says that the clock is right by now.
    refusals.try_again();
    assert_eq!(refusals.next(), Step::Send(BatchId(0), 0..3));
    refusals.refused_each(BatchId(0), 0..3, too_new());
    refusals.add(BatchId(2), 1, Parts::default());
    assert_eq!(refusals.next(), Step::Send(BatchId(2), 0..1));
    refusals.taken(BatchId(2), 0..1);
    assert_eq!(refusals.next(), Step::Send(BatchId(0), 0..3));
    refusals.taken(BatchId(0), 0..3);
    refusals.remove(BatchId(0));
    assert_eq!(refusals.next(), Step::Send(BatchId(1), 0..1));
}

#[test]
fn what_is_too_new_is_condemned_when_others_of_its_batch_are_taken() {
    for is_proven in [true, false] {
        let mut refusals = stream(is_proven, &[100]);
        refusals.refused_each(BatchId(0), 60..100, too_new());
        assert_eq!(refusals.next(), Step::Send(BatchId(0), 0..60));
        refusals.taken(BatchId(0), 0..60);
        let condemned = Step::Condemn(BatchId(0), 60..100, too_new());
        assert_eq!(refusals.next(), condemned);
    }
}

#[test]
fn records_that_are_named_among_others_become_a_part_of_their_own() {
    let mut refusals = stream(true, &[100]);
    let id = BatchId(0);
    assert_eq!(refusals.refused_each(id, 20..30, too_new()), [20, 30]);
    assert_eq!(refusals.refused_each(id, 30..50, too_new()), [50]);
    assert_eq!(refusals.next(), Step::Send(id, 0..20));
    refusals.refused_each(id, 0..20, too_new());
    assert_eq!(refusals.next(), Step::Send(id, 50..100));
    refusals.refused_each(id, 50..100, too_new());
    assert_eq!(refusals.next(), Step::Wait(too_new()));
}

#[test]
fn a_single_record_cannot_be_halved() {
    let mut refusals = stream(true, &[3]);
    assert_eq!(refusals.halve(BatchId(0), 0..3), Some(1));
    assert_eq!(refusals.halve(BatchId(0), 0..1), None);
    assert_eq!(refusals.next(), Step::Send(BatchId(0), 0..1));
}

proptest! {
    #[test]
    fn good_records_are_delivered_once_and_bad_ones_condemned_once(
        batches in proptest::collection::vec(1u32..60, 1..4),
        bad in proptest::collection::btree_set((0u64..4, 0u32..60), 0..60),
        is_proven in any::<bool>(),
    ) {
        let mut refusals = stream(is_proven, &batches);
        let is_bad = |id, record| bad.contains(&(id, record));
        let (mut delivered, mut condemned) = (Vec::new(), Vec::new());
        let mut is_over = false;
        // However close the bad ones stand, as long as one good one is there the stream goes on.
        for _ in 0..200 {
            let done = run(&mut refusals, is_bad);
            delivered.extend(done.delivered);
            condemned.extend(done.condemned);
            is_over = !done.waits;
            if is_over {
                break;
            }
            refusals.try_again();
        }
        let all: Vec<_> = (0u64..)
            .zip(&batches)
            .flat_map(|(id, records)| (0..*records).map(move |record| (id, record)))
            .collect();
        let (wrong, right): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| is_bad(it.0, it.1));
        let unique: BTreeSet<_> = delivered.iter().chain(&condemned).collect();
        prop_assert_eq!(unique.len(), delivered.len() + condemned.len(), "twice");
        prop_assert!(delivered.iter().all(|it| !is_bad(it.0, it.1)), "bad ones delivered");
        prop_assert!(condemned.iter().all(|it| is_bad(it.0, it.1)), "good ones condemned");
        if is_over {
            prop_assert_eq!(delivered.len(), right.len());
            prop_assert_eq!(condemned.len(), wrong.len());
        } else {
            // It waits only when all that is left is bad.
            prop_assert_eq!(delivered.len(), right.len(), "a good one is held up");
        }
    }
}
