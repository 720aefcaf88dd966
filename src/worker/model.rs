//! The reading thread against a model: random lives of files, of the agent and of its backends,
//! on real files and with made-up clocks. What the backends hold in the end is what was written:
//! each line once for each output, in order within its content, at times that rise.
//!
//! `PROPTEST_CASES=10000 PROPTEST_RNG_SEED=N` tries longer and otherwise. The network is played here;
//! `tests/tailing/model.rs` lives with the built program.

use std::fmt;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use acts::{Act, Setup, act, act_at_any_step, setup};
use world::World;

mod account;
mod acts;
mod alike;
mod away;
mod backend;
mod files;
mod held;
mod kept;
mod lost;
mod mended;
mod midst;
mod records;
mod stage;
mod toll;
mod turns;
mod unread;
mod world;

/// As many lives as fit a run of all tests; more where `PROPTEST_CASES` asks for them.
fn lives(usual: u32) -> ProptestConfig {
    let mut usual = ProptestConfig {
        max_shrink_iters: 3000,
        ..ProptestConfig::with_cases(usual)
    };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        usual.cases = ProptestConfig::default().cases;
    }
    // Every run is the same one, until another is asked for.
    if usual.rng_seed == RngSeed::Random {
        usual.rng_seed = RngSeed::Fixed(31);
    }
    usual
}

/// One act after the other, told in as many lines.
struct Life(Vec<Act>);

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|act| write!(f, "\n{act:?}"))
    }
}

fn live(setup: Setup, life: &Life) -> Result<(), TestCaseError> {
    let mut world = World::new(setup);
    for act in &life.0 {
        world.act(act)?;
    }
    world.end()
}

/// Lives of contents with so many lines of their own behind the banner.
macro_rules! lives {
    ($($name:ident: $lives:expr, $means_all:expr, $own_lines:expr, $act:expr;)*) => {$(
        proptest! {
            #![proptest_config(lives($lives))]
            #[test]
            fn $name(
                setup in setup($means_all, $own_lines),
                life in proptest::collection::vec($act, 1..60).prop_map(Life),
            ) {
                live(setup, &life)?;
            }
        }
    )*};
}

// Twelve lines are more than the 4 KiB that prove what a content is. What is known of shorter ones is
// excused in `account.rs`; that nothing else goes wrong with them is less certain.
lives! {
    whatever_happens_to_a_log_each_line_arrives_once: 1000, false, 12, act();
    whatever_happens_when_rotated_names_are_meant_too_each_line_arrives_once: 1000, true, 12, act();
    whatever_happens_to_small_logs_each_line_arrives_once: 500, false, 0, act();
    whatever_happens_to_small_logs_when_rotated_names_are_meant_too: 500, true, 0, act();
    whatever_happens_in_the_midst_of_a_look_each_line_arrives_once: 250, false, 12, act_at_any_step();
    whatever_happens_in_the_midst_when_rotated_names_are_meant_too: 250, true, 12, act_at_any_step();
}
