//! What is cut from a file: lines, later joined and understood. Pure: no clock, no file, no
//! socket, and nothing here fails.

pub(crate) mod frame;

pub(crate) use frame::{Framer, Line};
