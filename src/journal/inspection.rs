//! A look at a state directory from outside: what the journal says, and what is damaged. Takes no
//! lock, changes nothing, and so can be used while the agent runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use super::bodies;
use super::entry::Extent;
use super::lock::OpenError;
use super::recovery::{Found, NAMES};
use super::state::State;
use super::volume::Real;
use crate::batch::BatchId;

/// A running agent writes between our looks at two files; what it caused is gone at a later look.
const LOOKS: usize = 5;

/// What was found in a state directory.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// The two segments, those that are there.
    pub(crate) segments: Vec<Segment>,
    /// What the journal amounts to.
    pub(crate) state: State,
    /// The bodies of the batches on their way.
    pub(crate) bodies: BTreeMap<BatchId, Body>,
    /// What is damaged and what that costs, in sentences.
    pub(crate) damage: Vec<String>,
    /// What is worth knowing and is no damage, in sentences.
    pub(crate) notes: Vec<String>,
}

/// One segment.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Name of its file.
    pub(crate) name: &'static str,
    /// Its number: the younger one counts. Nothing when it cannot be read.
    pub(crate) epoch: Option<u64>,
    /// How many good entries it holds.
    pub(crate) entries: usize,
    /// Whether its entries are the state.
    pub(crate) is_current: bool,
}

/// What became of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// It is there as it was sealed.
    Present,
    /// Other bytes are there, or none.
    Lost,
    /// It was never written: the disk could not be written then.
    NotKept,
}

/// Looks at `dir`; nothing when there is no journal in it.
pub(crate) fn inspect(dir: &Path) -> Result<Option<Inspection>, OpenError> {
    for _ in 1..LOOKS {
        if let Some(inspection) = look(dir)?
            && inspection.damage.is_empty()
        {
            return Ok(Some(inspection));
        }
        std::thread::yield_now();
    }
    look(dir)
}

fn look(dir: &Path) -> Result<Option<Inspection>, OpenError> {
    std::fs::read_dir(dir).map_err(OpenError::looking(dir, "read the state directory", dir))?;
    let found = Found::read(&Real, dir)
        .map_err(|(name, error)| OpenError::looking(dir, "read", &dir.join(name))(error))?;
    if found.segments.iter().all(Option::is_none) {
        return Ok(None);
    }
    let state = found.state();
    let mut inspection = Inspection {
        segments: segments(&found),
        bodies: BTreeMap::new(),
        damage: Vec::new(),
        notes: Vec::new(),
        state,
    };
    inspection.judge_segments(&found);
    inspection.judge_bodies(dir)?;
    inspection.judge_batches();
    inspection.note_what_was_set_aside(dir);
    Ok(Some(inspection))
}

fn segments(found: &Found) -> Vec<Segment> {
    let best = found.best();
    let there = (0..NAMES.len()).filter(|index| found.segments[*index].is_some());
    there
        .map(|index| Segment {
            name: NAMES[index],
            epoch: found.contents(index).map(|it| it.epoch),
            entries: found.contents(index).map_or(0, |it| it.entries.len()),
            is_current: best == Some(index),
        })
        .collect()
}

impl Inspection {
    fn judge_segments(&mut self, found: &Found) {
        let best = found.best();
        for (index, segment) in found.segments.iter().enumerate() {
            let name = NAMES[index];
            match segment {
                Some(Err(error)) => self.damage.push(match best {
                    Some(best) => format!(
                        "{name} cannot be read: {error}. {} holds a whole state; what {name} told beyond that is sent again",
                        NAMES[best]
                    ),
                    None => format!(
                        "{name} cannot be read: {error}. No other state is left: every file is sent again from where its input begins"
                    ),
                }),
                Some(Ok(contents)) if best == Some(index) => {
                    if contents.damaged > 0 {
                        self.damage.push(format!(
                            "{name}: {} bytes are damaged. They are skipped: what they told is sent again, nothing is lost",
                            contents.damaged
                        ));
                    }
                    if contents.torn > 0 {
                        self.damage.push(format!(
                            "{name}: the last {} bytes are a write that was cut off. At most what they told is sent again, nothing is lost",
                            contents.torn
                        ));
                    }
                    if contents.unknown > 0 {
                        self.notes.push(format!(
                            "{name}: {} entries are of kinds that a later version wrote and this one ignores",
                            contents.unknown
                        ));
                    }
                }
                Some(Ok(contents)) if !contents.has_checkpoint => match best {
                    Some(best) => self.notes.push(format!(
                        "{name} was begun and not finished; {} holds the state",
                        NAMES[best]
                    )),
                    None => self.damage.push(format!(
                        "{name}: its first checkpoint was never finished. No other state is left: every file is sent again from where its input begins"
                    )),
                },
                Some(Ok(contents)) if contents.damaged > 0 => self.damage.push(format!(
                    "{name}: {} bytes are damaged. It is the older segment and costs nothing as long as the other one is whole",
                    contents.damaged
                )),
                None | Some(Ok(_)) => {}
            }
        }
    }

    fn judge_bodies(&mut self, dir: &Path) -> Result<(), OpenError> {
        let path = dir.join(bodies::NAME);
        let file = match File::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(OpenError::looking(dir, "read", &path)(error)),
        };
        let is_there = |extent: Extent| -> Result<bool, OpenError> {
            match &file {
                None => Ok(false),
                Some(file) => bodies::load(file, extent)
                    .map(|body| body.is_some())
                    .map_err(OpenError::looking(dir, "read", &path)),
            }
        };
        for (id, seal) in self.state.unacknowledged() {
            let body = match seal.body {
                None => Body::NotKept,
                Some(extent) if is_there(extent)? => Body::Present,
                Some(_) => Body::Lost,
            };
            self.bodies.insert(id, body);
        }
        Ok(())
    }

    fn judge_batches(&mut self) {
        for (id, seal) in self.state.unacknowledged() {
            let why = match self.bodies.get(&id) {
                Some(Body::Lost) => "its body is not there any more",
                Some(Body::NotKept) => "its body was never written, since the disk could not be",
                _ => continue,
            };
            self.damage.push(format!(
                "batch {} to {}, {}: {why}. Its {} records are read again and sent in a new batch: if the destination has them already, it gets them twice",
                id.0, seal.output, seal.stream, seal.records
            ));
        }
    }

    fn note_what_was_set_aside(&mut self, dir: &Path) {
        let Ok(names) = std::fs::read_dir(dir) else {
            return;
        };
        for name in names.flatten().map(|entry| entry.file_name()) {
            if name.to_string_lossy().contains(".unreadable-") {
                self.notes.push(format!(
                    "{} was set aside by an earlier start, which could not read it",
                    name.display()
                ));
            }
        }
    }
}
