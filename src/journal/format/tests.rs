//! The layout: what is written reads back, whatever is cut off or damaged.

use super::super::entry::*;
use super::super::identity::{Identity, OwnFile, Unopened};
use super::super::state::State;
use super::*;
use crate::batch::Share;
use crate::batch::parts::Fate;
use crate::batch::{BatchId, StreamName};
use crate::record::Time;
use crate::record::cut::{Given, Learned};
use crate::span::{Anchor, GenerationId, Head, Position, Span};
use proptest::prelude::*;
use std::time::Duration;

pub(in crate::journal) fn identity(number: u64) -> Identity {
    Identity {
        input: "app".into(),
        path: format!("/var/log/app/{number}.log").into(),
        device: 7,
        inode: number,
        birth: Time(3),
        head: Head::of(&number.to_le_bytes()),
        seen: Time(1_700_000_000_000_000_000),
        size: number.is_multiple_of(2).then_some(number),
        end: number.is_multiple_of(3).then_some(Position {
            offset: number,
            anchor: Anchor::at_end_of(&number.to_le_bytes()),
        }),
        skipped: number / 2,
        is_gone: number % 2 == 1,
        missed: (number % 3 == 1).then_some(number),
        left: (number % 5 == 1).then_some(OwnFile {
            inode: number,
            birth: Time(4),
        }),
        may_be_of: (0..number % 3)
            .map(|inode| OwnFile {
                inode,
                birth: Time(5),
            })
            .collect(),
    }
}

fn unopened(inode: u64) -> Unopened {
    Unopened {
        inode,
        birth: Time(3),
        input: "app".into(),
        path: "/var/log/app/a.log".into(),
    }
}

pub(in crate::journal) fn seal(
    output: &str,
    stream: &str,
    generation: GenerationId,
    start: u64,
    end: u64,
) -> Seal {
    let anchor = Anchor::at_end_of(&end.to_le_bytes());
    let end = Position {
        offset: end,
        anchor,
    };
    Seal {
        output: output.to_owned(),
        stream: StreamName::Loki {
            labels: stream.to_owned(),
        },
        spans: vec![Span {
            generation,
            start,
            end,
            learned: Learned {
                out_given: Given { lines: 7, text: 1 },
                given: 7,
                ..Learned::default()
            },
        }],
        records: 3,
        uncompressed: 300,
        replaced: 0,
        cut: 0,
        is_gzip: false,
        first_time: Time(1),
        last_time: Time(2),
        body: Some(Extent {
            offset: start,
            len: 10,
            checksum: 7,
        }),
        shares: if generation.0.is_multiple_of(2) {
            Vec::new()
        } else {
            let share = |records| Share {
                records,
                len: 5,
                uncompressed: 150,
            };
            vec![share(1), share(2)]
        },
        request_timeout: Duration::from_secs(generation.0 % 3).into(),
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    let id = (0u64..5).prop_map(GenerationId);
    prop_oneof![
        id.clone()
            .prop_map(|id| Entry::Generation(id, identity(id.0))),
        (id.clone(), "[ab]", any::<u64>(), any::<i64>()).prop_map(|(id, output, offset, time)| {
            let anchor = Anchor::at_end_of(&offset.to_le_bytes());
            let cursor = Cursor {
                position: Position { offset, anchor },
                last_time: Time(time),
                learned: Learned {
                    is_timed: true,
                    ..Learned::default()
                },
            };
            Entry::Cursor(id, output, cursor)
        }),
        (id.clone(), any::<u64>()).prop_map(|(id, offset)| {
            let anchor = Anchor::at_end_of(&offset.to_le_bytes());
            Entry::Copied(id, Position { offset, anchor })
        }),
        (id.clone(), any::<u64>()).prop_map(|(id, offset)| {
            let anchor = Anchor::at_end_of(&offset.to_le_bytes());
            Entry::Proof(id, Position { offset, anchor })
        }),
        id.clone().prop_map(Entry::Forget),
        any::<i64>().prop_map(|time| Entry::Looked(Time(time))),
        ("/[ab]", any::<Option<i64>>())
            .prop_map(|(folder, since)| Entry::OutOfSight(folder.into(), since.map(Time))),
        (0u64..3, any::<Option<u64>>()).prop_map(|(inode, size)| {
            let file = unopened(inode);
            match size {
                None => Entry::OpenedAfterAll(file),
                Some(size) => Entry::Unopened(file, size),
            }
        }),
        (id, "[ab]", "[ab]", 0u64..9).prop_map(|(id, output, stream, number)| {
            let seal = seal(&output, &stream, id, number * 10, number * 10 + 10);
            Entry::Seal(BatchId(number), Box::new(seal))
        }),
        (0u64..9).prop_map(|number| Entry::Acknowledge(BatchId(number))),
        (0u64..9).prop_map(|number| Entry::Unseal(BatchId(number))),
        (0u64..9, proptest::collection::vec(0u32..5, 0..4))
            .prop_map(|(number, at)| Entry::Cut(BatchId(number), at)),
        (0u64..9, 0u32..5, 0u32..5).prop_map(|(number, from, until)| Entry::Settle(
            BatchId(number),
            from..until,
            if from == 1 {
                Fate::Refused
            } else {
                Fate::Delivered
            }
        )),
        "[ab]".prop_map(|name| Entry::Route(Route {
            input: name.clone(),
            output: name
        })),
    ]
}

fn state_of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> State {
    let mut state = State::default();
    for entry in entries {
        state.apply(entry);
    }
    state
}

fn segment(epoch: u64, entries: &[Entry]) -> Vec<u8> {
    let mut bytes = header(epoch).to_vec();
    for entry in entries {
        put(&mut bytes, epoch, entry);
    }
    bytes
}

#[test]
fn a_path_that_is_not_utf8_survives() {
    use std::os::unix::ffi::OsStringExt as _;
    let path = std::ffi::OsString::from_vec(b"/var/log/caf\xe9.log".to_vec());
    let entry = Entry::Generation(
        GenerationId(1),
        Identity {
            path: path.into(),
            ..identity(1)
        },
    );
    let contents = read(&segment(3, std::slice::from_ref(&entry))).unwrap();
    assert_eq!(contents.entries, [entry]);
}

#[test]
fn entries_of_an_earlier_life_are_not_taken() {
    let mut bytes = segment(4, &[Entry::Forget(GenerationId(1))]);
    let old = segment(3, &[Entry::Forget(GenerationId(2))]);
    bytes.extend_from_slice(&old[HEADER_LEN..]);
    let contents = read(&bytes).unwrap();
    assert_eq!(contents.entries, [Entry::Forget(GenerationId(1))]);
    assert_eq!(contents.torn, old.len() - HEADER_LEN);
}

#[test]
fn a_later_layout_is_named() {
    let mut bytes = header(1);
    bytes[8] = 9;
    let sum = crc32c::crc32c(&bytes[..20]);
    bytes[20..].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(read(&bytes).unwrap_err(), HeaderError::Version(9));
}

/// One entry of each kind.
pub(in crate::journal) fn each_kind() -> [Entry; 17] {
    let id = GenerationId(1);
    [
        Entry::Generation(id, identity(1)),
        Entry::Cursor(id, "out".into(), Cursor::default()),
        Entry::Copied(id, Position::default()),
        Entry::Proof(id, Position::default()),
        Entry::Forget(id),
        Entry::Route(Route {
            input: "in".into(),
            output: "out".into(),
        }),
        Entry::Seal(BatchId(1), Box::new(seal("out", "a", id, 0, 9))),
        Entry::Acknowledge(BatchId(1)),
        Entry::Unseal(BatchId(1)),
        Entry::CheckpointEnd(CheckpointEnd {
            next_generation: 2,
            next_batch: 2,
        }),
        Entry::Looked(Time(1)),
        Entry::OutOfSight("/logs".into(), Some(Time(1))),
        Entry::Unopened(unopened(1), 9),
        Entry::OpenedAfterAll(unopened(1)),
        Entry::Cut(BatchId(1), vec![1]),
        Entry::Settle(BatchId(1), 0..1, Fate::Delivered),
        Entry::Synced,
    ]
}

#[test]
fn the_document_names_every_kind_and_every_field() {
    fn keys(value: &serde_json::Value, into: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (key, value) in fields {
                    into.push(key.clone());
                    keys(value, into);
                }
            }
            serde_json::Value::Array(values) => values.iter().for_each(|it| keys(it, into)),
            _ => {}
        }
    }
    let document = include_str!("../../../docs/journal.md");
    for entry in each_kind() {
        let kind = char::from(entry.kind());
        let heading = format!("### `{kind}`: ");
        let section = document
            .split(&heading)
            .nth(1)
            .unwrap_or_else(|| panic!("no section {heading}"));
        let section = section.split("\n#").next().unwrap();
        let payload = entry.payload().unwrap();
        let mut fields = Vec::new();
        if !payload.is_empty() {
            keys(&serde_json::from_slice(&payload).unwrap(), &mut fields);
        }
        for field in fields {
            let is_named = section.contains(&format!("`{field}`"))
                || section.contains(&format!("\"{field}\""));
            assert!(is_named, "{kind} has a field {field}");
        }
    }
    assert_eq!(document.matches("### `").count(), each_kind().len());
    let header = [
        format!("| 8 | `{}` |", std::str::from_utf8(&MAGIC).unwrap()),
        format!("version of the layout: `{VERSION}`"),
        format!("a header of {HEADER_LEN} bytes"),
        format!("| {FRAME_HEAD} | | payload"),
        FRAME_MARK.map(|byte| format!("{byte:02X}")).join(" "),
        format!("at most {} MiB", MAX_PAYLOAD >> 20),
    ];
    for words in header {
        assert!(document.contains(&words), "{words}");
    }
}

proptest! {
    #[test]
    fn what_was_written_reads_back_cut_at_any_length(
        entries in proptest::collection::vec(entry(), 0..20), cut in any::<proptest::sample::Index>(),
    ) {
        let bytes = segment(9, &entries);
        prop_assert_eq!(&read(&bytes).unwrap().entries, &entries);
        let cut = HEADER_LEN + cut.index(bytes.len() - HEADER_LEN + 1);
        let contents = read(&bytes[..cut]).unwrap();
        prop_assert_eq!(&contents.entries[..], &entries[..contents.entries.len()]);
        prop_assert_eq!(contents.damaged, 0);
    }

    #[test]
    fn a_byte_damaged_after_it_was_synced_costs_one_entry(
        entries in proptest::collection::vec(entry(), 2..12), at in any::<proptest::sample::Index>(), flip in 1u8..=255,
    ) {
        let mut bytes = segment(9, &entries);
        let at = HEADER_LEN + at.index(bytes.len() - HEADER_LEN);
        put(&mut bytes, 9, &Entry::Synced);
        bytes[at] ^= flip;
        let found = read(&bytes).unwrap().entries;
        prop_assert!(found.len() + 1 == entries.len(), "{} of {}", found.len(), entries.len());
        let mut rest = entries.iter();
        prop_assert!(found.iter().all(|entry| rest.any(|other| other == entry)));
    }

    #[test]
    fn what_was_lost_with_the_power_ends_the_reading(
        entries in proptest::collection::vec(entry(), 2..12), at in any::<proptest::sample::Index>(), synced in 0usize..12,
    ) {
        let synced = synced.min(entries.len() - 1);
        let mut bytes = segment(9, &entries[..synced]);
        put(&mut bytes, 9, &Entry::Synced);
        let from = bytes.len();
        bytes.extend_from_slice(&segment(9, &entries[synced..])[HEADER_LEN..]);
        let at = from + at.index(bytes.len() - from);
        bytes[at] ^= 0x55;
        let contents = read(&bytes).unwrap();
        let found = contents.entries.len();
        prop_assert!((synced..entries.len()).contains(&found));
        prop_assert_eq!(&contents.entries[..], &entries[..found]);
        prop_assert_eq!((contents.damaged, contents.torn > 0), (0, true));
    }

    #[test]
    fn a_checkpoint_amounts_to_the_same_state(entries in proptest::collection::vec(entry(), 0..40)) {
        let state = state_of(&entries);
        prop_assert_eq!(state_of(&state.entries().collect::<Vec<_>>()), state);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let mut after_header = header(1).to_vec();
        after_header.extend_from_slice(&bytes);
        let _ = read(&after_header);
    }
}
