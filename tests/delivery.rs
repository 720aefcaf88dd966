//! What is written arrives: once each, in order, in the right streams, within every limit of the
//! backends, and also when they fail. The agent is the built program, the backends are the strict
//! receiver.

#![expect(
    clippy::unwrap_used,
    reason = "a test whose own files or processes fail has failed"
)]

#[path = "delivery/ages.rs"]
mod ages;
#[path = "delivery/ahead.rs"]
mod ahead;
#[path = "delivery/all_refused.rs"]
mod all_refused;
#[path = "delivery/answers.rs"]
mod answers;
#[path = "delivery/dead_output.rs"]
mod dead_output;
#[path = "delivery/dividing.rs"]
mod dividing;
#[path = "delivery/doubt.rs"]
mod doubt;
#[path = "delivery/equal_times.rs"]
mod equal_times;
#[path = "delivery/far.rs"]
mod far;
#[path = "delivery/form.rs"]
mod form;
#[path = "delivery/full_letters.rs"]
mod full_letters;
#[path = "harness/harness.rs"]
mod harness;
#[path = "delivery/late.rs"]
mod late;
#[path = "delivery/letters.rs"]
mod letters;
#[path = "delivery/loki_limits.rs"]
mod loki_limits;
#[path = "delivery/names.rs"]
mod names;
#[path = "delivery/pace.rs"]
mod pace;
#[path = "delivery/refused.rs"]
mod refused;
#[path = "delivery/refused_told.rs"]
mod refused_told;
#[path = "delivery/retention.rs"]
mod retention;
#[path = "delivery/second_writer.rs"]
mod second_writer;
#[path = "delivery/trouble.rs"]
mod trouble;
#[path = "delivery/volume.rs"]
mod volume;
#[path = "delivery/waiting.rs"]
mod waiting;
