//! The configuration: where it comes from, what it may say, and how mistakes in it are told.
