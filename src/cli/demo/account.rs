//! Compares what was written with what arrived: which lines are lost, doubled, out of order or
//! strange. Pure; knows no file and no backend.

use std::collections::HashMap;

/// What became of the lines at one output.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Lines that were written and arrived; a second copy does not count.
    pub(super) delivered: usize,
    /// Everything that is wrong.
    pub(super) faults: Vec<Fault>,
}

/// A line that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) what: What,
    /// The name of the file.
    pub(super) file: String,
    /// The number of the line among those written, counted from 1; 0 when it was never written.
    pub(super) number: usize,
    pub(super) line: String,
}

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Written, and never arrived.
    Lost,
    /// Arrived once more than it was written.
    Duplicated,
    /// Arrived after a later one, or with an earlier time than the one before it.
    OutOfOrder,
    /// Arrived, and was never written so.
    Strange,
}

impl What {
    pub(super) const ALL: [Self; 4] = [
        Self::Lost,
        Self::Duplicated,
        Self::OutOfOrder,
        Self::Strange,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::OutOfOrder => "out of order",
            Self::Strange => "never written",
        }
    }
}

/// A line as a backend has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arrived<'a> {
    pub(super) timestamp_ns: i64,
    pub(super) line: &'a str,
}

impl Account {
    /// Adds one file: its lines in the order of writing, and those that arrived from it in the
    /// order of arrival.
    pub(super) fn add<'a>(
        &mut self,
        file: &str,
        written: &[String],
        arrived: impl IntoIterator<Item = Arrived<'a>>,
    ) {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, line) in written.iter().enumerate() {
            places.entry(line).or_default().push(index);
        }
        let mut is_delivered = vec![false; written.len()];
        let (mut next_index, mut latest_index, mut latest_time) = (0, 0, i64::MIN);
        for Arrived { timestamp_ns, line } in arrived {
            let place = places
                .get(line)
                .and_then(|places| place(places, next_index, &is_delivered));
            let what = match place {
                None => Some(What::Strange),
                Some(index) if is_delivered[index] => Some(What::Duplicated),
                Some(index) => {
                    let is_late = index < latest_index || timestamp_ns < latest_time;
                    is_delivered[index] = true;
                    latest_index = latest_index.max(index);
                    latest_time = latest_time.max(timestamp_ns);
                    is_late.then_some(What::OutOfOrder)
                }
            };
            next_index = place.map_or(next_index, |index| index + 1);
            self.faults.extend(what.map(|what| Fault {
                what,
                file: file.to_owned(),
                number: place.map_or(0, |index| index + 1),
                line: line.to_owned(),
            }));
        }
        self.delivered += is_delivered.iter().filter(|&&is| is).count();
        let lost = (0..written.len()).filter(|&index| !is_delivered[index]);
        self.faults.extend(lost.map(|index| Fault {
            what: What::Lost,
            file: file.to_owned(),
            number: index + 1,
            line: written[index].clone(),
        }));
    }

    /// How many lines are wrong in this way.
    pub(super) fn count(&self, what: What) -> usize {
        self.faults
            .iter()
            .filter(|fault| fault.what == what)
            .count()
    }
}

/// Which of the equal lines at these places it is: the one that comes next, even if it was
/// there before, so that a second copy of a whole batch is seen as just that; else the first
/// that is still owed.
fn place(places: &[usize], next_index: usize, is_delivered: &[bool]) -> Option<usize> {
    if places.contains(&next_index) {
        return Some(next_index);
    }
    let owed = places.iter().find(|&&index| !is_delivered[index]);
    owed.or_else(|| places.first()).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Case<'a> = (&'a str, &'a [(i64, &'a str)], &'a [(What, usize, &'a str)]);

    fn compare(written: &[&str], arrived: &[(i64, &str)]) -> Account {
        let written: Vec<String> = written.iter().map(|&line| line.to_owned()).collect();
        let mut account = Account::default();
        let arrived = arrived
            .iter()
            .map(|&(timestamp_ns, line)| Arrived { timestamp_ns, line });
        account.add("a.log", &written, arrived);
        account
    }

    #[test]
    fn each_kind_of_fault_is_noticed_with_its_line() {
        use What::{Duplicated, Lost, OutOfOrder, Strange};
        let written = ["one", "two", "again", "three", "again"];
        let table: [Case<'_>; 9] = [
            (
                "all is well",
                &[
                    (1, "one"),
                    (1, "two"),
                    (2, "again"),
                    (3, "three"),
                    (3, "again"),
                ],
                &[],
            ),
            (
                "a missing line",
                &[(1, "one"), (2, "again"), (3, "three"), (3, "again")],
                &[(Lost, 2, "two")],
            ),
            (
                "a missing line of which there were two",
                &[(1, "one"), (1, "two"), (2, "again"), (3, "three")],
                &[(Lost, 5, "again")],
            ),
            (
                "a doubled line",
                &[
                    (1, "one"),
                    (1, "two"),
                    (1, "two"),
                    (2, "again"),
                    (3, "three"),
                    (3, "again"),
                ],
                &[(Duplicated, 2, "two")],
            ),
            (
                "a batch doubled in which there is such a line",
                &[
                    (1, "two"),
                    (1, "again"),
                    (1, "two"),
                    (1, "again"),
                    (3, "three"),
                    (3, "again"),
                ],
                &[
                    (Duplicated, 2, "two"),
                    (Duplicated, 3, "again"),
                    (Lost, 1, "one"),
                ],
            ),
            (
                "two lines swapped",
                &[
                    (1, "two"),
                    (1, "one"),
                    (2, "again"),
                    (3, "three"),
                    (3, "again"),
                ],
                &[(OutOfOrder, 1, "one")],
            ),
            (
                "a time that goes back",
                &[
                    (1, "one"),
                    (2, "two"),
                    (1, "again"),
                    (3, "three"),
                    (3, "again"),
                ],
                &[(OutOfOrder, 3, "again")],
            ),
            (
                "a line cut in two",
                &[
                    (1, "one"),
                    (1, "tw"),
                    (1, "o"),
                    (2, "again"),
                    (3, "three"),
                    (3, "again"),
                ],
                &[(Strange, 0, "tw"), (Strange, 0, "o"), (Lost, 2, "two")],
            ),
            (
                "nothing at all",
                &[],
                &[
                    (Lost, 1, "one"),
                    (Lost, 2, "two"),
                    (Lost, 3, "again"),
                    (Lost, 4, "three"),
                    (Lost, 5, "again"),
                ],
            ),
        ];
        for (name, arrived, expected) in table {
            let account = compare(&written, arrived);
            let faults: Vec<_> = account
                .faults
                .iter()
                .map(|fault| (fault.what, fault.number, fault.line.as_str()))
                .collect();
            assert_eq!(faults, expected, "{name}");
            assert_eq!(
                account.delivered,
                written.len() - account.count(Lost),
                "{name}"
            );
        }
    }

    proptest! {
        #[test]
        fn lost_and_doubled_lines_add_up(
            written in prop::collection::vec("[a-d]", 0..30),
            arrived in prop::collection::vec("[a-e]", 0..30),
        ) {
            let mut account = Account::default();
            let lines = arrived.iter().map(|line| Arrived { timestamp_ns: 0, line });
            account.add("a.log", &written, lines);
            prop_assert_eq!(account.delivered + account.count(What::Lost), written.len());
            let extra = account.count(What::Duplicated) + account.count(What::Strange);
            prop_assert_eq!(account.delivered + extra, arrived.len());
            let whole = account.faults.is_empty();
            prop_assert_eq!(whole, written == arrived);
        }
    }
}
