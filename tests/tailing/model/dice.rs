//! A small generator of numbers: the same seed, the same life. And which seeds are tried.

use std::ops::Range;

/// The generator.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    /// An index of so many.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.roll(len as u64)).unwrap()
    }
}

/// The seeds of a run: the one that is asked for; or else so many from a seed of the day as this
/// variable says, or the usual ones.
pub(crate) fn seeds(variable: &str, usual: u64) -> Range<u64> {
    let asked = |name: &str| std::env::var(name).ok().and_then(|it| it.parse().ok());
    match (asked("PINNACE_TEST_SEED"), asked(variable)) {
        (Some(seed), _) => seed..seed + 1,
        (None, Some(count)) => {
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
            let first = now.as_secs();
            first..first + count
        }
        (None, None) => 0..usual,
    }
}
