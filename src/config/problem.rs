//! Mistakes in a configuration, all of them at once, and how they are told. Prints nothing
//! itself, and never quotes a password.

use std::fmt;

use super::mask::mask_any;

/// Everything that is wrong with one configuration; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Problems {
    origin: String,
    text: String,
    list: Vec<Problem>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The full key, such as `outputs[0].batch.max_wait`; empty when it concerns the whole text.
    pub key: String,
    /// Where it stands.
    pub place: Place,
    /// What is wrong; a fragment that fits after the key.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// How to mend it.
    pub mend: String,
    /// A known name that differs little from what was found.
    pub near: Option<String>,
    /// Whether what stands there is secret.
    is_secret: bool,
}

/// Where something stands in a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the text.
    Text {
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// How many characters it takes on that line.
        length: usize,
    },
    /// In the environment variable of this name.
    Variable(&'static str),
    /// Nowhere in particular: something is missing.
    Nowhere,
}

impl Problem {
    pub(crate) fn new(key: &str, place: Place, what: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            place,
            what: mask_any(&what.into()),
            found: String::new(),
            expected: String::new(),
            mend: String::new(),
            near: None,
            is_secret: false,
        }
    }

    /// What stands at its place is not shown.
    pub(crate) fn secret(mut self, is_secret: bool) -> Self {
        self.is_secret = is_secret;
        self
    }

    pub(crate) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = mask_any(&found.into());
        self
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = expected.into();
        self
    }

    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = mask_any(&mend.into());
        self
    }

    pub(crate) fn near(mut self, near: Option<impl Into<String>>) -> Self {
        self.near = near.map(Into::into);
        self
    }

    /// The mistake in one line, without quoting the text.
    pub fn headline(&self) -> String {
        if self.key.is_empty() {
            printable(&self.what)
        } else {
            printable(&format!("`{}` {}", self.key, self.what))
        }
    }
}

impl Problems {
    /// `origin` names the source as it is shown: a path, a variable.
    pub(crate) fn new(origin: &str, text: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|problem| match problem.place {
            Place::Nowhere => (0, 0),
            Place::Text { line, column, .. } => (line, column),
            Place::Variable(_) => (1, 0),
        });
        Self {
            origin: origin.to_owned(),
            text: text.to_owned(),
            list,
        }
    }

    /// The mistakes in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none, which is never so in what [`load`](super::load) returns.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn quote(&self, f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
        let Place::Text {
            line,
            column,
            length,
        } = problem.place
        else {
            return Ok(());
        };
        let Some(source) = self.text.lines().nth(line.saturating_sub(1)) else {
            return Ok(());
        };
        let excerpt = Excerpt::of(source, column, length, problem.is_secret);
        let margin = " ".repeat(line.to_string().len());
        writeln!(f, "{margin} |")?;
        writeln!(f, "{line} | {}", excerpt.line)?;
        writeln!(f, "{margin} | {}", excerpt.carets)
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            writeln!(f, "error: {}", problem.headline())?;
            match problem.place {
                Place::Text { line, column, .. } => {
                    writeln!(f, "  --> {}:{line}:{column}", self.origin)?;
                }
                Place::Variable(name) => writeln!(f, "  --> variable {name}")?,
                Place::Nowhere => writeln!(f, "  --> {}", self.origin)?,
            }
            self.quote(f, problem)?;
            for (label, text) in [
                ("found:    ", &problem.found),
                ("expected: ", &problem.expected),
                ("mend:     ", &problem.mend),
            ] {
                if !text.is_empty() {
                    writeln!(f, "  {label}{}", printable(text))?;
                }
            }
            if let Some(near) = &problem.near {
                writeln!(f, "  did you mean `{}`?", printable(near))?;
            }
            writeln!(f)?;
        }
        let count = self.list.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "{count} {noun} in {}", self.origin)
    }
}

impl std::error::Error for Problems {}

/// A source line, shortened around a column, with carets below it.
struct Excerpt {
    line: String,
    carets: String,
}

/// How many characters of a line are shown.
const SHOWN: usize = 100;

impl Excerpt {
    fn of(source: &str, column: usize, length: usize, is_secret: bool) -> Self {
        // Masking keeps the number of characters, so that columns stay right.
        let mut all: Vec<char> = mask_any(source).chars().collect();
        let at = column.saturating_sub(1).min(all.len());
        if is_secret {
            let end = (at + length).min(all.len());
            all[at..end].fill('*');
        }
        let from = if all.len() <= SHOWN {
            0
        } else {
            at.saturating_sub(SHOWN / 2)
        };
        let to = all.len().min(from + SHOWN);
        let (before, after) = (
            if from > 0 { "…" } else { "" },
            if to < all.len() { "…" } else { "" },
        );
        let shown: String = all[from..to].iter().collect();
        let indent: String = before
            .chars()
            .chain(all[from..at].iter().copied())
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let carets = "^".repeat(length.min(to.saturating_sub(at)).max(1));
        Self {
            line: printable(&format!("{before}{shown}{after}")),
            carets: format!("{indent}{carets}"),
        }
    }
}

/// Control characters would act on the terminal that shows the message.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// The candidate that differs least from `name`, when it is near enough to be meant.
pub(crate) fn nearest<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let lower = name.to_lowercase().replace('-', "_");
    // The distance is quadratic in the length: no key of ours is this long.
    if lower.len() > 80 {
        return None;
    }
    candidates
        .into_iter()
        .filter(|candidate| !candidate.is_empty() && *candidate != name)
        .map(|candidate| {
            let other = candidate.to_lowercase();
            let is_part = lower.len().min(other.len()) >= 4
                && (other.contains(&lower) || lower.contains(&other));
            let distance = strsim::damerau_levenshtein(&lower, &other);
            (
                if is_part { distance.min(1) } else { distance },
                distance,
                candidate,
            )
        })
        .filter(|(rank, ..)| *rank <= (lower.chars().count() / 3).clamp(1, 4))
        .min_by_key(|(rank, distance, _)| (*rank, *distance))
        .map(|(.., candidate)| candidate)
}
