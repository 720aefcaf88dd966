//! Environment variables as a value. Knows no names.

use std::collections::BTreeMap;

/// A set of environment variables, so that nothing but the command line looks at those of the
/// process. An empty variable counts as unset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// `None` stands for a value that is not UTF-8.
    variables: BTreeMap<String, Option<String>>,
}

/// What a variable holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable<'e> {
    Unset,
    Set(&'e str),
    NotUnicode,
}

impl Environment {
    /// The variables of this process.
    pub fn from_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok())))
            .collect();
        Self { variables }
    }

    pub(crate) fn get(&self, name: &str) -> Variable<'_> {
        match self.variables.get(name) {
            None => Variable::Unset,
            Some(None) => Variable::NotUnicode,
            Some(Some(value)) if value.is_empty() => Variable::Unset,
            Some(Some(value)) => Variable::Set(value),
        }
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get(name) != Variable::Unset
    }

    /// The names of all variables.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }
}

impl<N: Into<String>, V: Into<String>, const COUNT: usize> From<[(N, V); COUNT]> for Environment {
    fn from(variables: [(N, V); COUNT]) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), Some(value.into())))
            .collect();
        Self { variables }
    }
}
