//! Where an agent can be asked what is wrong with its configuration, while that very
//! configuration cannot be loaded. A guess by single lines; never an error.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::environment::Variable;
use super::{Environment, Source, keys};

/// The state directory and the HTTP address as far as they can be made out, else the defaults.
pub(crate) fn places_at_best(
    source: &Source,
    environment: &Environment,
) -> (PathBuf, Option<SocketAddr>) {
    let text = match source {
        Source::File(path) => {
            String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
        }
        Source::Text(text) => text.clone(),
        Source::Environment => String::new(),
    };
    let from_variable = match environment.get("PINNACE_STATE_DIR") {
        Variable::Set(value) => Some(value),
        Variable::Unset | Variable::NotUnicode => None,
    };
    let state_dir = value_of(&text, "state_dir:")
        .or(from_variable)
        .filter(|value| value.starts_with('/') && !value.contains('$'))
        .unwrap_or(keys::DEFAULT_STATE_DIR);
    let listen = match value_of(&text, "listen:") {
        Some("off" | "false") => None,
        Some(value) => value
            .parse()
            .ok()
            .or_else(|| keys::DEFAULT_LISTEN.parse().ok()),
        None => keys::DEFAULT_LISTEN.parse().ok(),
    };
    (PathBuf::from(state_dir), listen)
}

/// What stands behind `key` on the first line that has it.
fn value_of<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    let line = text
        .lines()
        .find(|line| line.contains(key) && !line.trim().starts_with('#'))?;
    let value = line[line.find(key)? + key.len()..].trim_start();
    let value = match value.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.split(['"', '\'']).next()?,
        None => value.split([' ', ',', '}', '#']).next()?,
    };
    (!value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_a_broken_configuration() {
        let table = [
            (
                "state_dir: /a\nserver: { listen: \"127.0.0.1:1\" }\n: : [",
                "/a",
                Some("127.0.0.1:1"),
            ),
            (
                "# state_dir: /b\nstate_dir: '/c' # x\n",
                "/c",
                Some(keys::DEFAULT_LISTEN),
            ),
            (
                "server:\n  listen: off\nstate_dir: ${X}\n",
                keys::DEFAULT_STATE_DIR,
                None,
            ),
            ("", keys::DEFAULT_STATE_DIR, Some(keys::DEFAULT_LISTEN)),
        ];
        for (text, state_dir, listen) in table {
            let found = places_at_best(&Source::Text(text.into()), &Environment::default());
            let listen = listen.map(|it| it.parse().unwrap());
            assert_eq!(found, (state_dir.into(), listen), "{text:?}");
        }
    }
}
