//! Files that two inputs mean: an output that takes both sends their lines twice.

use std::path::Path;

use crate::source::{Generation, Source};

/// That an output sends a file twice, and what would mend it.
pub(crate) fn sentence(inputs: [&str; 2], output: &str, path: &Path) -> String {
    let [first, second] = inputs;
    format!(
        "inputs {first} and {second} both read {}, and output {output} takes both: it sends the lines twice; exclude the file from one of them, or name only one in the inputs of the output",
        path.display()
    )
}

impl Source {
    /// The other inputs that read the file of a generation.
    pub(crate) fn others_that_read(&self, generation: &Generation) -> impl Iterator<Item = usize> {
        let (own, key) = (generation.input, generation.key);
        (0..self.inputs.len())
            .filter(move |input| *input != own && self.by_key.contains_key(&(*input, key)))
    }
}
