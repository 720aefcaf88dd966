//! Whom to trust and who we are, as rustls wants it. The system's certificates are parsed once for
//! the whole process; files that are named are read again when they change. Verification cannot be
//! switched off.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};

use super::stamp::Stamp;
use crate::config::Tls;

/// Whom one output trusts.
pub(crate) struct Trust {
    settings: Tls,
    loaded: Mutex<Option<Loaded>>,
}

struct Loaded {
    /// Of the files that were read, and of those that could not be.
    stamps: Vec<Option<Stamp>>,
    material: Material,
}

#[derive(Clone)]
struct Material {
    roots: Arc<RootCertStore>,
    key: Option<Arc<CertifiedKey>>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// A file cannot be read.
    #[error("cannot read {key} {}: {source}; mend the file or its rights", path.display())]
    File {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{key} {} {what}", path.display())]
    Content {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and how to mend it.
        what: String,
    },
    /// No certificate is trusted.
    #[error(
        "this system has no certificates to trust, which https needs{0}; install them (the package ca-certificates), mount them and set SSL_CERT_FILE, or set tls.ca_file"
    )]
    NoRoots(String),
    /// The library cannot do what it should.
    #[error("TLS cannot be set up: {0}")]
    Library(rustls::Error),
}

impl Trust {
    pub(super) fn new(settings: &Tls) -> Self {
        Self {
            settings: settings.clone(),
            loaded: Mutex::new(None),
        }
    }

    /// The settings for one connection; `was_asked` is set when the server wants a certificate.
    pub(super) fn current(
        &self,
        was_asked: &Arc<AtomicBool>,
    ) -> Result<Arc<ClientConfig>, TrustError> {
        let material = self.material()?;
        let asked = Asked {
            key: material.key,
            was_asked: Arc::clone(was_asked),
        };
        let mut config =
            ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .map_err(TrustError::Library)?
                .with_root_certificates(material.roots)
                .with_client_cert_resolver(Arc::new(asked));
        // A connection lives for minutes: remembered sessions would only take memory.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }

    fn material(&self) -> Result<Material, TrustError> {
        let stamps: Vec<Option<Stamp>> =
            self.files().map(|(_, path)| Stamp::of(path).ok()).collect();
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &*loaded
            && loaded.stamps == stamps
        {
            return Ok(loaded.material.clone());
        }
        let material = match (self.read(), &*loaded) {
            (Ok(material), _) => material,
            (Err(error), Some(loaded)) => {
                // Files are replaced one after the other: what was good goes on meanwhile.
                tracing::warn!(%error, "a changed TLS file cannot be used; going on with what it held before");
                loaded.material.clone()
            }
            (Err(error), None) => return Err(error),
        };
        *loaded = Some(Loaded {
            stamps,
            material: material.clone(),
        });
        Ok(material)
    }

    fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let Tls {
            ca_file,
            cert_file,
            key_file,
            ..
        } = &self.settings;
        [
            ("tls.ca_file", ca_file),
            ("tls.cert_file", cert_file),
            ("tls.key_file", key_file),
        ]
        .into_iter()
        .filter_map(|(key, path)| Some((key, path.as_deref()?)))
    }

    fn read(&self) -> Result<Material, TrustError> {
        let roots = match (&self.settings.ca_file, self.settings.system_roots) {
            (None, _) => system_roots()?,
            (Some(path), with_system) => {
                let mut roots = if with_system {
                    // Without any of the system's, ours will do.
                    system_roots().map_or_else(|_| RootCertStore::empty(), |it| (*it).clone())
                } else {
                    RootCertStore::empty()
                };
                for certificate in certificates("tls.ca_file", path)? {
                    roots
                        .add(certificate)
                        .map_err(|error| TrustError::Content {
                            key: "tls.ca_file",
                            path: path.clone(),
                            what: format!("holds a certificate that cannot be used: {error}"),
                        })?;
                }
                Arc::new(roots)
            }
        };
        let key = match (&self.settings.cert_file, &self.settings.key_file) {
            (Some(cert), Some(key)) => Some(Arc::new(certified_key(cert, key)?)),
            _ => None,
        };
        Ok(Material { roots, key })
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

/// The certificates of the system; looked for again as long as there are none.
fn system_roots() -> Result<Arc<RootCertStore>, TrustError> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = ROOTS.get() {
        return Ok(Arc::clone(roots));
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Some systems carry certificates that are too old to be parsed.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(" ({error})"));
        return Err(TrustError::NoRoots(why.unwrap_or_default()));
    }
    Ok(Arc::clone(ROOTS.get_or_init(|| Arc::new(roots))))
}

fn read_file(key: &'static str, path: &Path) -> Result<Vec<u8>, TrustError> {
    std::fs::read(path).map_err(|source| TrustError::File {
        key,
        path: path.to_owned(),
        source,
    })
}

fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let content = |what: String| TrustError::Content {
        key,
        path: path.to_owned(),
        what,
    };
    let text = read_file(key, path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| content(format!("is no valid PEM: {error}")))?;
    if found.is_empty() {
        return Err(content(
            "holds no certificate; it must be PEM, with the line -----BEGIN CERTIFICATE-----"
                .to_owned(),
        ));
    }
    Ok(found)
}

fn certified_key(cert: &Path, key: &Path) -> Result<CertifiedKey, TrustError> {
    let chain = certificates("tls.cert_file", cert)?;
    let content = |what: String| TrustError::Content {
        key: "tls.key_file",
        path: key.to_owned(),
        what,
    };
    let text = read_file("tls.key_file", key)?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        content(format!(
            "holds no key that can be used ({error}); it must be PEM and without a password"
        ))
    })?;
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(chain, private, &provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => content(format!(
            "is not the key of the certificate in {}",
            cert.display()
        )),
        error => content(format!("cannot be used: {error}")),
    })
}

/// Shows our certificate when the server asks, and remembers that it did.
struct Asked {
    key: Option<Arc<CertifiedKey>>,
    was_asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Asked {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        // Without it the server's question would not come this far.
        true
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asked")
    }
}
