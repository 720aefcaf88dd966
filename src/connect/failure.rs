//! What can go wrong between us and a backend, each with a sentence that says where, why, and how
//! to mend it. Pure.

use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime};

use rustls::{AlertDescription, CertificateError};

use super::Target;
use super::dial::Step;
use super::tls::TrustError;
use crate::observe::snapshot::utc_of;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A URL cannot be used.
    #[error("the URL {0} cannot be used: correct it")]
    Url(String),
    /// The environment names a proxy that is not spoken to.
    #[error("{0}")]
    ProxyUrl(String),
    /// TLS cannot be set up.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A name has no address.
    #[error("cannot find the address of {host}: {source}; {}", NAME_MENDING)]
    Name {
        /// The name.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody answers there.
    #[error("cannot connect to {whom}: {source}; {}", connect_mending(.source))]
    Connect {
        /// The server, or the proxy.
        whom: String,
        /// What the system said.
        source: io::Error,
    },
    /// A step took too long.
    #[error("cannot connect to {whom}: {} within {limit:?}; {}", step_taken(*.step), step_mending(*.step))]
    Timeout {
        /// Which one.
        step: Step,
        /// The server, or the proxy.
        whom: String,
        /// The time limit.
        limit: Duration,
    },
    /// A proxy opens no tunnel.
    #[error("the proxy {proxy} opens no tunnel to {target}: {why}")]
    Proxy {
        /// Where it is.
        proxy: String,
        /// Where we want to go.
        target: String,
        /// What it said, and how to mend it.
        why: String,
    },
    /// TLS came to nothing; no request was sent.
    #[error("no TLS with {whom}: {why}")]
    Tls {
        /// The server.
        whom: String,
        /// What is wrong, and how to mend it.
        why: String,
    },
    /// The connection broke after the request went out.
    #[error("the connection to {whom} broke: {why}")]
    Broken {
        /// The server.
        whom: String,
        /// What was seen of it.
        why: String,
    },
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something in the configuration or in a file has to be mended. Nothing was sent.
    Settings,
    /// A name has no address. Nothing was sent.
    Name,
    /// Nobody takes the connection. Nothing was sent.
    Connect,
    /// There was no connection in time. Nothing was sent.
    Slow,
    /// The proxy does not let us through. Nothing was sent.
    Proxy,
    /// No TLS. Nothing was sent.
    Tls,
    /// The request may have arrived.
    Broken,
}

impl Failure {
    /// What kind it is.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Url(_) | Self::ProxyUrl(_) | Self::Trust(_) => Kind::Settings,
            Self::Name { .. } => Kind::Name,
            Self::Connect { .. } => Kind::Connect,
            Self::Timeout { .. } => Kind::Slow,
            Self::Proxy { .. } => Kind::Proxy,
            Self::Tls { .. } => Kind::Tls,
            Self::Broken { .. } => Kind::Broken,
        }
    }

    /// A handshake failed.
    pub(super) fn tls(target: &Target, error: &io::Error, was_asked: bool) -> Self {
        let whom = target.authority();
        let why = match cause::<rustls::Error>(error) {
            Some(error) => handshake(error, &target.host),
            // A reset can overtake the alert that says why.
            None if was_asked => format!("{error}; {WANTS_CERTIFICATE}"),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the server closed the connection; look whether it speaks TLS at this port"
                    .to_owned()
            }
            None => format!("{error}; {SERVER_LOG}"),
        };
        Self::Tls { whom, why }
    }

    /// An exchange failed. In TLS 1.3 a server refuses our certificate only then.
    pub(super) fn broken(target: &Target, error: &hyper::Error, was_asked: bool) -> Self {
        let whom = target.authority();
        if let Some(error @ rustls::Error::AlertReceived(_)) = cause(error) {
            let why = handshake(error, &target.host);
            return Self::Tls { whom, why };
        }
        let mending = if was_asked {
            WANTS_CERTIFICATE
        } else {
            BROKEN_MENDING
        };
        let why = format!("{}; {mending}", innermost(error));
        Self::Broken { whom, why }
    }
}

/// What mends a name without an address.
pub(crate) const NAME_MENDING: &str = "look at the name and at this machine's DNS";
/// What mends it that nobody listens.
pub(crate) const REFUSED_MENDING: &str = "look whether it runs, and at the port";
/// What mends a connection that breaks.
pub(crate) const BROKEN_MENDING: &str = "it passes by itself when the server was restarted; if it lasts, look at its log and at what stands before it";
const SERVER_LOG: &str = "look at the server's own log";

const WANTS_CERTIFICATE: &str = "the server asked for a client certificate: set tls.cert_file and tls.key_file to one that it accepts";

fn connect_mending(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => REFUSED_MENDING,
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "look at this machine's network and its routes"
        }
        _ => "look whether it runs, and at firewalls and network policies in between",
    }
}

fn step_taken(step: Step) -> &'static str {
    match step {
        Step::Name => "its address was not found",
        Step::Connect => "no answer",
        Step::Proxy => "it opened no tunnel",
        Step::Tls => "no answer in TLS",
    }
}

fn step_mending(step: Step) -> &'static str {
    match step {
        Step::Name => "look at this machine's DNS",
        Step::Connect => "look at firewalls, network policies and security groups in between",
        Step::Proxy => "look whether it is a proxy",
        Step::Tls => "look whether the server speaks TLS at this port",
    }
}

/// What a failed handshake means.
fn handshake(error: &rustls::Error, host: &str) -> String {
    use rustls::Error as E;
    match error {
        E::InvalidCertificate(error) => certificate(error, host),
        E::AlertReceived(alert) => refusal(*alert),
        E::InvalidMessage(_) => {
            "what came back is not TLS; look whether the URL should begin with http://".to_owned()
        }
        E::PeerIncompatible(_) => {
            format!(
                "the server speaks neither TLS 1.2 nor 1.3, or no cipher that is still safe ({error}): bring it up to date"
            )
        }
        error => format!("{error}; {SERVER_LOG}"),
    }
}

fn refusal(alert: AlertDescription) -> String {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired | A::NoCertificate => WANTS_CERTIFICATE.to_owned(),
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied
        | A::DecryptError => format!(
            "the server does not accept our certificate ({alert:?}): set tls.cert_file and tls.key_file to one that it accepts"
        ),
        A::UnrecognisedName => {
            "the server does not know this name; correct the URL, or set tls.server_name".to_owned()
        }
        A::HandshakeFailure => format!("the server refused; {WANTS_IF_ANY}"),
        alert => format!("the server refused ({alert:?}); {SERVER_LOG}"),
    }
}

const WANTS_IF_ANY: &str = "if it wants a client certificate, set tls.cert_file and tls.key_file";

fn certificate(error: &CertificateError, host: &str) -> String {
    use CertificateError as C;
    match error {
        C::UnknownIssuer => {
            "its certificate is signed by nobody who is trusted here: set tls.ca_file to the certificate of its authority".to_owned()
        }
        C::Expired | C::ExpiredContext { .. } => {
            let since = match error {
                C::ExpiredContext { not_after, .. } => format!(" on {}", day(not_after.as_secs())),
                _ => String::new(),
            };
            format!("its certificate expired{since}: renew it; if it has not, mend this machine's clock")
        }
        C::NotValidYet | C::NotValidYetContext { .. } => {
            "its certificate is not valid yet: mend this machine's clock".to_owned()
        }
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            let names = match error {
                C::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                    let presented: Vec<_> = presented.iter().map(|it| plain(it)).collect();
                    format!("is for {}, not", presented.join(", "))
                }
                _ => "is not".to_owned(),
            };
            format!("its certificate {names} for {host}: correct the URL, or set tls.server_name to the name in the certificate")
        }
        C::Revoked => "its certificate was revoked: renew it".to_owned(),
        C::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "it shows the certificate of an authority as its own: give the server a certificate that the authority signed".to_owned()
        }
        error => format!("its certificate cannot be trusted: {error}; renew it"),
    }
}

/// A name in a certificate by itself; what checks it calls it `DnsName("loki.example.com")`.
fn plain(presented: &str) -> &str {
    let inner = presented.split_once('(');
    let inner = inner.and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"')
}

/// The day of a Unix time, as 2026-11-27.
fn day(seconds: u64) -> String {
    let mut time = utc_of(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    time.truncate("2026-11-27".len());
    time
}

/// The first error of this type among the causes.
pub(crate) fn cause<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // What an io::Error carries is not its source but its content.
        next = match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// An error with its causes, in one line.
pub(crate) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

/// The cause at the bottom: what the system or a library said.
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
