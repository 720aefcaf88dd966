//! Which records are kept. Each filter looks at a record by itself; the first that lets go of it
//! decides. What is sampled is decided by the text and its place, so it is decided the same again.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::cut::Record;
use super::fields::Fields;
use super::level::Level;
use super::rules::Pattern;

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// What matches is let go of.
    Drop,
    /// What does not match is let go of.
    Keep,
    /// One in so many of what matches is kept.
    Sample(u32),
}

impl Action {
    /// The action in a word, as the configuration has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Keep => "keep",
            Self::Sample(_) => "sample",
        }
    }
}

/// A filter: all that it asks for must hold.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) action: Action,
    /// To be kept: this level and graver ones; else this level and lighter ones.
    pub(crate) level: Option<Level>,
    /// A field that must be there.
    pub(crate) field: Option<String>,
    /// What the field matches, or without one the text.
    pub(crate) pattern: Option<Pattern>,
}

/// What lets go of a record with these fields, if anything does. `offset` is its place in the file.
pub(crate) fn let_go_by(
    filters: &[Filter],
    record: &Record<'_>,
    fields: Fields<'_>,
    level: Option<Level>,
    offset: u64,
) -> Option<Action> {
    filters
        .iter()
        .find(|filter| filter.lets_go(record, fields, level, offset))
        .map(|filter| filter.action)
}

impl Filter {
    fn lets_go(
        &self,
        record: &Record<'_>,
        fields: Fields<'_>,
        level: Option<Level>,
        offset: u64,
    ) -> bool {
        match self.action {
            // A record of which no level is known is never let go of for its level.
            Action::Keep => !self.matches(record, fields, level, true),
            Action::Drop => self.matches(record, fields, level, false),
            Action::Sample(one_in) => {
                let hash = || xxh3_64_with_seed(record.line.bytes, offset);
                self.matches(record, fields, level, false)
                    && !hash().is_multiple_of(u64::from(one_in))
            }
        }
    }

    fn matches(
        &self,
        record: &Record<'_>,
        fields: Fields<'_>,
        level: Option<Level>,
        is_keep: bool,
    ) -> bool {
        let has_level = match (self.level, level) {
            (None, _) => true,
            (Some(_), None) => is_keep,
            (Some(asked), Some(level)) if is_keep => level >= asked,
            (Some(asked), Some(level)) => level <= asked,
        };
        has_level
            && match (&self.field, &self.pattern) {
                (None, None) => true,
                (None, Some(pattern)) => pattern.is_match(record.line.bytes),
                (Some(name), pattern) => fields.value_of(name).is_some_and(|value| {
                    pattern
                        .as_ref()
                        .is_none_or(|pattern| pattern.is_match(value.as_bytes()))
                }),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::cut::{Behind, Cut, Cutter, Learned};
    use crate::record::rules::Rules;

    fn kept(filter: &Filter, line: &str, offset: u64) -> bool {
        let mut cutter = Cutter::new(4096);
        cutter.begin(Learned::default());
        let rules = Rules::default();
        let Cut::Record(record) = cutter.next(line.as_bytes(), 0, Behind::Nothing, &rules) else {
            panic!("{line} is a record");
        };
        let level = rules.facts_of(&record).level;
        let fields = Fields::of(record.line.bytes, record.head.map(|head| head.kind), None);
        let_go_by(std::slice::from_ref(filter), &record, fields, level, offset).is_none()
    }

    fn filter(
        action: Action,
        level: Option<Level>,
        field: Option<&str>,
        pattern: Option<&str>,
    ) -> Filter {
        Filter {
            action,
            level,
            field: field.map(str::to_owned),
            pattern: pattern.map(|text| Pattern::new(text).unwrap()),
        }
    }

    #[test]
    fn levels_texts_and_fields_decide() {
        use Action::{Drop, Keep};
        let warn = "2026-11-22 22:08:23,702 - app - WARNING - slow";
        let debug = "2026-11-22 22:08:23,702 - app - DEBUG - step";
        let json = r#"{"level":"info","user":{"id":7},"path":"/healthz"}"#;
        for (filter, line, is_kept) in [
            (filter(Drop, Some(Level::Info), None, None), warn, true),
            (filter(Drop, Some(Level::Info), None, None), debug, false),
            (
                filter(Drop, Some(Level::Info), None, None),
                "no level",
                true,
            ),
            (filter(Keep, Some(Level::Warn), None, None), warn, true),
            (filter(Keep, Some(Level::Warn), None, None), debug, false),
            (
                filter(Keep, Some(Level::Warn), None, None),
                "no level",
                true,
            ),
            (filter(Drop, None, None, Some("slow$")), warn, false),
            (filter(Keep, None, None, Some("slow$")), debug, false),
            (
                filter(Drop, None, Some("path"), Some("^/health")),
                json,
                false,
            ),
            (filter(Drop, None, Some("user.id"), Some("^8$")), json, true),
            (filter(Drop, None, Some("user.id"), None), json, false),
            (
                filter(Drop, Some(Level::Debug), Some("path"), None),
                json,
                true,
            ),
            (filter(Keep, None, Some("none"), None), json, false),
        ] {
            assert_eq!(kept(&filter, line, 0), is_kept, "{filter:?}: {line}");
        }
    }

    #[test]
    fn of_what_is_sampled_about_so_many_are_kept_and_the_same_each_time() {
        let filter = filter(Action::Sample(10), None, None, Some("GET"));
        let count = |from: u64| {
            (from..from + 2000)
                .filter(|at| kept(&filter, "GET /", *at))
                .count()
        };
        assert_eq!(count(0), count(0));
        assert!((140..260).contains(&count(0)), "{}", count(0));
        assert!((0..100).all(|at| kept(&filter, "POST /", at)));
    }
}
