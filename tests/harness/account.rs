//! Compares what arrived with what was written: missing, doubled, out of order, cut.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use pinnace::receiver::{Backend, Record};

use super::Scene;

/// What the comparison came to. All empty when all is well.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Account {
    missing: Vec<String>,
    doubled: Vec<String>,
    disordered: Vec<String>,
    unknown: Vec<String>,
}

impl Account {
    /// Compares lines that are each written once. The order is that of `written`.
    pub(crate) fn of(written: &[String], arrived: &[String]) -> Self {
        let mut account = Self::default();
        let places: HashMap<&str, usize> = written
            .iter()
            .enumerate()
            .map(|(place, line)| (line.as_str(), place))
            .collect();
        let mut times = vec![0_u32; written.len()];
        let mut last = None;
        for line in arrived {
            let Some(&place) = places.get(line.as_str()) else {
                account.unknown.push(line.clone());
                continue;
            };
            times[place] += 1;
            if times[place] > 1 {
                account.doubled.push(line.clone());
            } else if last.is_some_and(|last| place < last) {
                account.disordered.push(line.clone());
            }
            last = last.max(Some(place));
        }
        account.missing = written
            .iter()
            .zip(&times)
            .filter(|(_, times)| **times == 0)
            .map(|(line, _)| line.clone())
            .collect();
        account
    }

    /// Fails with what is wrong, if anything is.
    pub(crate) fn assert_exact(&self, context: &str) {
        assert!(*self == Self::default(), "{context}: {self:?}");
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, lines) in [
            ("missing", &self.missing),
            ("doubled", &self.doubled),
            ("out of order", &self.disordered),
            ("never written so", &self.unknown),
        ] {
            if let (Some(first), Some(last)) = (lines.first(), lines.last()) {
                let count = lines.len();
                writeln!(formatter, "{count} {word}: {first:.120?} … {last:.120?}")?;
            }
        }
        Ok(())
    }
}

/// The lines of the records that `wanted` takes, in order of arrival.
pub(crate) fn lines_of(
    scene: &Scene,
    backend: Backend,
    wanted: impl Fn(&Record) -> bool,
) -> Vec<String> {
    let records = scene.receiver.records(backend);
    let taken = records.into_iter().filter(|record| wanted(record));
    taken.map(|record| record.line).collect()
}

impl Scene {
    /// Everything written is in the backend once and in order, over all its streams.
    pub(crate) fn assert_arrived(&self, backend: Backend, written: &[String]) {
        let arrived = lines_of(self, backend, |_| true);
        Account::of(written, &arrived).assert_exact(backend.name());
        self.assert_flawless(backend);
    }

    /// All lines of a series are in the backend once, and in order within each stream.
    pub(crate) fn assert_series_arrived(&self, backend: Backend, series: &super::Numbered) {
        let prefix = format!("{} ", series.name);
        let mut streams: BTreeMap<Arc<str>, Vec<String>> = BTreeMap::new();
        for record in self.receiver.records(backend) {
            if record.line.starts_with(&prefix) {
                streams.entry(record.stream).or_default().push(record.line);
            }
        }
        let disordered: Vec<_> = streams.values().flat_map(|it| disordered(it)).collect();
        let mut arrived: Vec<_> = streams.into_values().flatten().collect();
        // The numbers have as many digits each.
        arrived.sort();
        let account = Account {
            disordered,
            ..Account::of(&series.all(), &arrived)
        };
        account.assert_exact(&series.name);
    }
}

fn disordered(lines: &[String]) -> impl Iterator<Item = String> {
    lines
        .windows(2)
        .filter(|pair| pair[0] > pair[1])
        .map(|pair| pair[1].clone())
}
