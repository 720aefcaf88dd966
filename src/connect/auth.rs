//! The header `Authorization`, with secrets from the configuration or from files that are read
//! again when they change. Never shows a secret.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use hyper::header::HeaderValue;

use super::stamp::Stamp;
use crate::config::{Auth, Secret};

/// More than any password or token, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Who we are.
#[derive(Debug)]
pub(crate) enum Authorization {
    /// A user and a password.
    Basic(String, Reader),
    /// A token.
    Bearer(Reader),
}

/// Why it cannot be said who we are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// A file cannot be read.
    #[error("cannot read {}, which holds the {what}: {source}; mend the file or its rights", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it holds.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds nothing.
    #[error("{} is empty; write the {what} into it", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A secret cannot stand in a header.
    #[error("the {0} holds characters that cannot be sent in a header; give it another value")]
    Characters(&'static str),
}

impl Authorization {
    /// As configured; reads nothing yet.
    pub(crate) fn new(auth: &Auth) -> Self {
        match auth {
            Auth::Basic { username, password } => {
                Self::Basic(username.clone(), Reader::new(password, "password"))
            }
            Auth::Bearer(token) => Self::Bearer(Reader::new(token, "token")),
        }
    }

    /// The header's value as of now.
    pub(crate) fn header(&self) -> Result<HeaderValue, AuthError> {
        match self {
            Self::Basic(user, password) => Ok(basic(user, &password.current()?)),
            Self::Bearer(token) => {
                let text = format!("Bearer {}", token.current()?);
                let mut value =
                    HeaderValue::try_from(text).map_err(|_| AuthError::Characters(token.what))?;
                value.set_sensitive(true);
                Ok(value)
            }
        }
    }
}

/// `Basic` of a user and a password: base64 fits in a header whatever it holds.
pub(super) fn basic(user: &str, password: &str) -> HeaderValue {
    let encoded = aws_smithy_types::base64::encode(format!("{user}:{password}"));
    let mut value =
        HeaderValue::try_from(format!("Basic {encoded}")).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// `user:password@` taken out of a URL, decoded.
pub(crate) fn split_user(url: &str) -> (String, Option<(String, String)>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let authority_end = rest.find('/').unwrap_or(rest.len());
    match rest[..authority_end].rsplit_once('@') {
        Some((user, host)) => {
            let url = format!("{scheme}://{host}{}", &rest[authority_end..]);
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            (
                url,
                Some((percent_decoded(user), percent_decoded(password))),
            )
        }
        None => (url.to_owned(), None),
    }
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes
            .get(at + 1..at + 3)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match (
            bytes[at],
            code.and_then(|hex| u8::from_str_radix(hex, 16).ok()),
        ) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A secret as it is now.
pub(crate) struct Reader {
    source: Secret,
    what: &'static str,
    last: Mutex<Option<(Stamp, String)>>,
}

impl Reader {
    fn new(source: &Secret, what: &'static str) -> Self {
        Self {
            source: source.clone(),
            what,
            last: Mutex::new(None),
        }
    }

    fn current(&self) -> Result<String, AuthError> {
        let path = match &self.source {
            Secret::Text(text) => return Ok(text.clone()),
            Secret::File(path) => path,
        };
        let fail = |source| AuthError::File {
            path: path.clone(),
            what: self.what,
            source,
        };
        // The stamp goes first: what is written in between is noticed the next time.
        let stamp = Stamp::of(path).map_err(fail)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, text)) = &*last
            && *of == stamp
        {
            return Ok(text.clone());
        }
        let text = read_to_string(path).map_err(fail)?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(AuthError::Empty {
                path: path.clone(),
                what: self.what,
            });
        }
        *last = Some((stamp, text.to_owned()));
        Ok(text.to_owned())
    }
}

fn read_to_string(path: &std::path::Path) -> io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(LARGEST)
        .read_to_string(&mut text)?;
    Ok(text)
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.source.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_taken_out_of_the_url() {
        let user = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        let table = [
            ("http://h:3100/p", ("http://h:3100/p", None)),
            ("https://u:p%40ss@h/p", ("https://h/p", user("u", "p@ss"))),
            ("https://u@h/p", ("https://h/p", user("u", ""))),
            ("https://h/p@q", ("https://h/p@q", None)),
        ];
        for (url, (plain, user)) in table {
            assert_eq!(split_user(url), (plain.to_owned(), user));
        }
    }

    #[test]
    fn a_file_is_read_again_when_it_changes_and_its_line_end_is_not_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let auth = Authorization::new(&Auth::Bearer(Secret::File(path.clone())));
        let said = || auth.header().map(|it| it.to_str().unwrap().to_owned());
        assert!(matches!(said(), Err(AuthError::File { .. })));
        for (text, expected) in [("one\n", "Bearer one"), ("two", "Bearer two")] {
            // As Kubernetes does it: another file takes the name.
            let next = dir.path().join("next");
            std::fs::write(&next, text).unwrap();
            std::fs::rename(&next, &path).unwrap();
            assert_eq!(said().unwrap(), expected);
        }
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(said(), Err(AuthError::Empty { .. })));
        assert!(!format!("{auth:?}").contains("two"));
    }
}
