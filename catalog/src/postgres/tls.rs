//! TLS to Postgres by rustls: what is verified, and with which files.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{ErrorKind, error::Error, store::Result};

/// What of the server's certificate is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verify {
    /// Nothing: who can stand between can read and write.
    Nothing,
    /// That a trusted root signed it.
    Chain,
    /// That, and that it is of the host that was asked for.
    ChainAndName,
}

/// Who may sign a server's certificate.
#[derive(Clone, Debug)]
pub(super) enum Roots {
    /// Those in a PEM file.
    File(PathBuf),
    /// Those that this machine trusts.
    System,
}

/// The files of a URL.
#[derive(Debug)]
pub(super) struct Files {
    /// None where nothing is verified.
    pub(super) roots: Option<Roots>,
    /// This side's certificate and key.
    pub(super) identity: Option<(PathBuf, PathBuf)>,
}

/// What connections are made with. Files are read once, at the start.
#[derive(Clone)]
pub(super) struct Tls {
    verify: Verify,
    connect: MakeRustlsConnect,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("verify", &self.verify).finish_non_exhaustive()
    }
}

impl Tls {
    pub(super) fn new(verify: Verify, files: &Files, unused: bool) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| failed("TLS cannot be set up", e))?;
        let roots = match &files.roots {
            Some(roots) if !unused => load(roots)?,
            _ => RootCertStore::empty(),
        };
        let builder = match verify {
            Verify::ChainAndName => builder.with_root_certificates(roots),
            Verify::Chain | Verify::Nothing => {
                let roots = (verify == Verify::Chain).then_some(roots);
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName { provider, roots }))
            }
        };
        let config = match &files.identity {
            Some((cert, key)) if !unused => {
                let chain = certificates(cert)?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|e| failed(&format!("no key can be read from {} (sslkey)", key.display()), e))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|e| failed("sslcert and sslkey do not go together", e))?
            }
            _ => builder.with_no_client_auth(),
        };
        Ok(Self { verify, connect: MakeRustlsConnect::new(config) })
    }

    #[cfg(test)]
    pub(super) fn verify(&self) -> Verify {
        self.verify
    }

    pub(super) fn connector(&self) -> MakeRustlsConnect {
        self.connect.clone()
    }
}

fn load(roots: &Roots) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::File(path) => {
            for certificate in certificates(path)? {
                store
                    .add(certificate)
                    .map_err(|e| failed(&format!("{} (sslrootcert) holds no root", path.display()), e))?;
            }
        }
        Roots::System => {
            let found = rustls_native_certs::load_native_certs();
            let (added, _) = store.add_parsable_certificates(found.certs);
            if added == 0 {
                let text = "this machine trusts no root: install ca-certificates, or give sslrootcert";
                return Err(Error::new(ErrorKind::Invalid, text));
            }
        }
    }
    Ok(store)
}

fn certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>> {
    let unread = |e| failed(&format!("no certificate can be read from {}", path.display()), e);
    let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(unread)?.collect();
    let all = all.map_err(unread)?;
    if all.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, format!("{} holds no certificate", path.display())));
    }
    Ok(all)
}

fn failed(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::caused(ErrorKind::Invalid, format!("{what}: {error}"), error)
}

/// `verify-ca` and `require`: the chain if there are roots, never the name. The handshake's signature is always checked:
/// the peer has the certificate's key.
#[derive(Debug)]
struct AnyName {
    provider: Arc<CryptoProvider>,
    roots: Option<RootCertStore>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(end_entity)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
