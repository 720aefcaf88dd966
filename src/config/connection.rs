//! How connections to a backend are made and who they say they are: the values of `auth`, `tls`,
//! `proxy`, `connection` and `assume_role`. Reads no file; shows no secret.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A password or a token.
#[derive(Clone, PartialEq)]
pub enum Secret {
    /// As it stands in the configuration.
    Text(String),
    /// What a file holds, without the line end. It is read again when the file changes.
    File(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(***)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// What is said in the header `Authorization`.
#[derive(Debug, Clone, PartialEq)]
pub enum Auth {
    /// A user and a password.
    Basic {
        /// The user; without a colon.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token.
    Bearer(Secret),
}

/// How connections are made.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// Whom to trust, and who we are.
    pub tls: Tls,
    /// What lies in between.
    pub proxy: Proxy,
    /// How long it may take until a request can be sent.
    pub timeout: Duration,
    /// A connection that was not used for so long is closed.
    pub idle: Duration,
    /// A connection that is so old is not used again.
    pub lifetime: Duration,
}

/// Whom to trust, and who we are.
#[derive(Debug, Clone, PartialEq)]
pub struct Tls {
    /// Certificates to trust, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Whether the certificates of the system are trusted too; without them there is a `ca_file`.
    pub system_roots: bool,
    /// The name that the server's certificate must have; that of the URL unless set.
    pub server_name: Option<String>,
    /// Our own certificate, in PEM; with a `key_file`.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            ca_file: None,
            system_roots: true,
            server_name: None,
            cert_file: None,
            key_file: None,
        }
    }
}

/// What lies between us and the backend.
#[derive(Clone, PartialEq, Default)]
pub enum Proxy {
    /// What `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say.
    #[default]
    Environment,
    /// Nothing.
    Off,
    /// A proxy; the URL may hold `user:password@`.
    Url(String),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Off => f.write_str("Off"),
            Self::Url(url) => f
                .debug_tuple("Url")
                .field(&super::mask::mask_url(url))
                .finish(),
        }
    }
}

/// A role of AWS that is taken on with the credentials that were found.
#[derive(Debug, Clone, PartialEq)]
pub struct AssumeRole {
    /// The role.
    pub role_arn: String,
    /// What the role's trust policy asks for.
    pub external_id: Option<String>,
    /// How the session is called in AWS's own records.
    pub session_name: Option<String>,
}
