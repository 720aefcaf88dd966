//! By what a log is explained: the inputs of a configuration that read it, or what holds when
//! nothing is configured. Reads no log.

use std::path::{Path, PathBuf};

use super::Arguments;
use crate::config::{self, Environment, Input, Source, local_zone};
use crate::exit;
use crate::record::redact::{Detector, Redactor};
use crate::record::rules::Rules;
use crate::record::zone::Zone;
use crate::source::finding::globs::Globs;
use crate::source::identity::rotation::Lineage;

/// The longest line in bytes, as when nothing is configured.
const MAX_LINE: usize = 256 << 10;

/// How the bytes of a log become records.
#[derive(Debug)]
pub(super) struct Way {
    /// The name of the input; nothing where nothing is configured.
    pub(super) input: Option<String>,
    /// The zone of timestamps that name none.
    pub(super) zone: String,
    pub(super) rules: Rules,
    pub(super) redactor: Redactor,
    /// The longest line in bytes.
    pub(super) max_line: usize,
    /// Which files are explained so; nothing where every file is.
    globs: Option<Globs>,
}

/// All ways that there are.
#[derive(Debug)]
pub(super) struct Ways {
    ways: Vec<Way>,
    /// What they are called in a sentence.
    source: String,
}

impl Ways {
    /// What the command line asks for; else an exit code and a sentence.
    pub(super) fn of(arguments: &Arguments) -> Result<Self, (u8, String)> {
        let environment = Environment::from_process();
        let asked_zone = arguments.timezone.as_deref();
        if let Some(name) = asked_zone.filter(|name| Zone::named(name).is_none()) {
            return Err((
                exit::USAGE,
                format!(
                    "there is no zone \"{name}\": write a name of the IANA database such as Europe/Paris"
                ),
            ));
        }
        let Some(path) = arguments.config.as_deref() else {
            let zone = asked_zone.map_or_else(|| local_zone(&environment), str::to_owned);
            return Ok(Self {
                ways: vec![Way::usual(zone)],
                source: String::new(),
            });
        };
        let source = Source::find(Some(path), &environment);
        let config = config::load(&source, &environment)
            .map_err(|problems| (exit::CONFIG, problems.to_string()))?;
        let is_asked = |input: &&Input| {
            let asked = arguments.input.as_ref();
            asked.is_none_or(|name| *name == input.name)
        };
        let ways = config.inputs.iter().filter(is_asked).map(|input| {
            let zone = asked_zone.or(input.records.timezone.as_deref());
            Way::of_input(
                input,
                zone.unwrap_or(&config.local_zone),
                arguments.input.is_some(),
            )
        });
        let ways: Vec<Way> = ways.collect();
        if let (Some(name), true) = (&arguments.input, ways.is_empty()) {
            let names: Vec<_> = config.inputs.iter().map(|it| it.name.as_str()).collect();
            return Err((
                exit::USAGE,
                format!(
                    "{} has no input \"{name}\": its inputs are {}",
                    source.name(),
                    names.join(", ")
                ),
            ));
        }
        Ok(Self {
            ways,
            source: source.name(),
        })
    }

    /// The ways in which this file is read, one for each input that reads it; a sentence when there
    /// is none.
    pub(super) fn for_file(&mut self, file: &Path) -> Result<Vec<&mut Way>, String> {
        let names: Vec<_> = (self.ways.iter())
            .filter_map(|way| way.input.clone())
            .collect();
        // A link may be meant, or what it leads to.
        let paths = [std::path::absolute(file), std::fs::canonicalize(file)];
        let paths: Vec<PathBuf> = paths.into_iter().flatten().collect();
        let reads = |way: &&mut Way| {
            let globs = way.globs.as_ref();
            globs.is_none_or(|globs| paths.iter().any(|path| is_read(path, globs)))
        };
        let ways: Vec<&mut Way> = self.ways.iter_mut().filter(reads).collect();
        if ways.is_empty() {
            return Err(format!(
                "{}: no input of {} reads it; name one with --input to explain it by that ({})",
                file.display(),
                self.source,
                names.join(", ")
            ));
        }
        Ok(ways)
    }
}

/// Whether what lies at a name is read: as what it means, or as what rotation made of such.
fn is_read(path: &Path, globs: &Globs) -> bool {
    globs.matches(path) || globs.original_in(&Lineage::of(path)).is_some()
}

impl Way {
    /// What holds when nothing is configured.
    fn usual(zone: String) -> Self {
        let rules = Rules {
            zone: Zone::named(&zone).unwrap_or_else(Zone::utc),
            ..Rules::default()
        };
        Self {
            input: None,
            zone,
            rules,
            redactor: Redactor::new(&Detector::USUAL, Vec::new()),
            max_line: MAX_LINE,
            globs: None,
        }
    }

    /// The way of an input, with timestamps that name no zone in this one.
    fn of_input(input: &Input, zone: &str, is_for_all: bool) -> Self {
        let mut rules = input.records.rules(zone);
        rules.zone = Zone::named(zone).unwrap_or_else(Zone::utc);
        Self {
            input: Some(input.name.clone()),
            zone: zone.to_owned(),
            rules,
            redactor: input.records.redactor(),
            max_line: usize::try_from(input.max_line.0).unwrap_or(usize::MAX),
            globs: (!is_for_all).then(|| Globs::new(&input.include, &input.exclude)),
        }
    }
}
