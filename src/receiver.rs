//! A strict stand-in for both backends, for the demo, the tests and the benches.
