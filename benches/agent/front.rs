//! What stands between the agent and the receiver where a scenario asks for it: TLS with an
//! authority of its own, and a note of when the first byte came. Passes every byte on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::{Context as _, Result};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

const BUFFER: usize = 256 * 1024;

/// A listener before the receiver, with a thread of its own.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    /// The certificate of the authority that signed the listener's own; only with TLS.
    pub(crate) authority: Option<PathBuf>,
    first_byte: Arc<OnceLock<Instant>>,
    /// Dropped to end the thread.
    _running: oneshot::Sender<()>,
}

impl Front {
    /// A front that only passes on.
    pub(crate) fn plain(receiver: SocketAddr) -> Result<Self> {
        Self::start(receiver, None, None)
    }

    /// A front that speaks TLS; the authority's certificate goes into `folder`.
    pub(crate) fn tls(receiver: SocketAddr, folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let own =
            CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
        let path = folder.join("authority.pem");
        std::fs::write(&path, authority.pem())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)?;
        Self::start(
            receiver,
            Some(TlsAcceptor::from(Arc::new(config))),
            Some(path),
        )
    }

    fn start(
        receiver: SocketAddr,
        tls: Option<TlsAcceptor>,
        authority: Option<PathBuf>,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let first_byte = Arc::new(OnceLock::new());
        let noted = Arc::clone(&first_byte);
        let (running, ended) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, receiver, tls, noted) => {}
                    _ = ended => {}
                }
            });
        });
        Ok(Self {
            address,
            authority,
            first_byte,
            _running: running,
        })
    }

    /// When the first byte came.
    pub(crate) fn first_byte(&self) -> Result<Instant> {
        self.first_byte.get().copied().context("no byte came")
    }
}

async fn accept(
    listener: TcpListener,
    receiver: SocketAddr,
    tls: Option<TlsAcceptor>,
    noted: Arc<OnceLock<Instant>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, noted) = (tls.clone(), Arc::clone(&noted));
        tokio::spawn(async move {
            // It fails when either side goes away, as the agent does in the end.
            let _ = stream.set_nodelay(true);
            if stream.readable().await.is_ok() {
                noted.get_or_init(Instant::now);
            }
            match tls {
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        pass_on(stream, receiver).await;
                    }
                }
                None => pass_on(stream, receiver).await,
            }
        });
    }
}

async fn pass_on(mut stream: impl AsyncRead + AsyncWrite + Unpin, receiver: SocketAddr) {
    if let Ok(mut other) = TcpStream::connect(receiver).await {
        // The same.
        let _ = other.set_nodelay(true);
        let _ = copy_bidirectional_with_sizes(&mut stream, &mut other, BUFFER, BUFFER).await;
    }
}
