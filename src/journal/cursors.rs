//! How far the outputs have one generation. There are few outputs and there can be thousands of
//! generations, so it is a list: a tree would keep room for eleven.

use super::entry::Cursor;

/// Cursors by the output's name, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cursors(Vec<(String, Cursor)>);

impl Cursors {
    fn find(&self, output: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|(name, _)| name.as_str().cmp(output))
    }

    /// An output's cursor.
    pub(crate) fn get(&self, output: &str) -> Option<&Cursor> {
        self.find(output).ok().map(|at| &self.0[at].1)
    }

    /// Moves an output's cursor, which it may not have had before.
    pub(super) fn set(&mut self, output: &str, cursor: Cursor) {
        match self.find(output) {
            Ok(at) => self.0[at].1 = cursor,
            Err(at) => {
                self.0.reserve_exact(1);
                self.0.insert(at, (output.to_owned(), cursor));
            }
        }
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Cursor)> {
        self.0
            .iter()
            .map(|(output, cursor)| (output.as_str(), cursor))
    }
}
