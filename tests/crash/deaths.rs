//! How an agent dies: killed from outside at a moment of chance, or at a named place of its code.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{Agent, Faults, Life, ON_ERROR, pass};
use crate::outcome::BAD;
use crate::points::{Point, Trouble};

const SIGKILL: i32 = 9;
/// An agent comes by a place within this, however busy the machine is: some are passed once in many
/// batches.
const COMES_BY: Duration = Duration::from_mins(5);

impl Life<'_> {
    /// Kills one agent soon after the other.
    pub(super) fn kill_often(&mut self, kills: u64) {
        for _ in 0..kills {
            // Some do not live to be ready.
            let lives = match self.dice.roll(0..8) {
                0 => self.dice.millis(0..40),
                _ => self.dice.millis(60..500),
            };
            pass(lives);
            self.kill();
            self.start();
        }
    }

    /// Lets one agent after the other die at a place, and starts one that lives.
    pub(super) fn die_at(&mut self, point: Point) {
        self.kill();
        let faults = match point.trouble {
            Trouble::None => Faults::default(),
            Trouble::TooLarge => Faults {
                above_bytes: Some(3000),
                ..Faults::default()
            },
            Trouble::Bad => Faults {
                poison: Some(BAD.to_owned()),
                ..Faults::default()
            },
        };
        self.all_faults(&faults);
        for number in 0..self.scale.deaths {
            if let Some(place) = point.before {
                let passing = self.dice.roll(1..3);
                self.launch_to_die(place, passing);
            }
            match point.place {
                // Nothing is delivered yet: another folder costs nothing.
                "state_dir_made" => {
                    self.config.state_dir = self.scene.dir().join(format!("state-{number}/of/it"));
                }
                "set_aside" => spoil_older_segment(&self.config.state_dir),
                _ => {}
            }
            let passing = self.dice.roll(1..point.latest + 1);
            if self.launch_to_die(point.place, passing) {
                for row in &mut self.rows {
                    row.kills += 1;
                }
            }
        }
        if point.trouble == Trouble::TooLarge {
            self.all_faults(&Faults::default());
        }
        self.start();
    }

    /// Starts an agent that is to die at a place, and says whether it did.
    fn launch_to_die(&mut self, place: &str, passing: u64) -> bool {
        let path = self.scene.write(&self.config);
        let exit =
            Agent::launch_to_die(&path, &ON_ERROR, &format!("{place}:{passing}")).wait(COMES_BY);
        let has_died = exit.signal == Some(SIGKILL);
        if !has_died {
            let code = exit.code;
            self.problem(
                self.rows[0].backend,
                format!(
                    "it was to die at {place} and ended with {code:?}: {}",
                    exit.log
                ),
            );
        }
        has_died
    }
}

/// Puts something that is no journal in the place of the segment that is not needed.
fn spoil_older_segment(dir: &Path) {
    let epoch = |name: &str| -> u64 {
        let bytes = fs::read(dir.join(name)).unwrap_or_default();
        let epoch = bytes.get(12..20).and_then(|it| it.try_into().ok());
        epoch.map_or(0, u64::from_le_bytes)
    };
    let older = ["journal.0", "journal.1"]
        .into_iter()
        .min_by_key(|name| epoch(name))
        .unwrap();
    fs::write(dir.join(older), "this is no journal, but as long as one").unwrap();
}
