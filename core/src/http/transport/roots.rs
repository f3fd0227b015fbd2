//! [`Roots`]: whose certificates are believed.

use crate::base::error::{Error, Result};
use std::path::Path;

/// The certificates that a server's own one must come from.
#[derive(Clone, Debug, Default)]
pub(super) struct Roots {
    #[cfg(feature = "tls")]
    file: Option<std::path::PathBuf>,
    /// Made when the first connection needs it: reading those of the operating system takes a while.
    #[cfg(feature = "tls")]
    config: std::sync::Arc<once_cell::race::OnceBox<std::sync::Arc<rustls::ClientConfig>>>,
}

impl Roots {
    /// Those of a file in PEM form, or else those of the operating system.
    pub(super) fn read(file: Option<&Path>) -> Result<Roots> {
        file.map_or_else(|| Ok(Roots::default()), Roots::of)
    }

    #[cfg(not(feature = "tls"))]
    fn of(path: &Path) -> Result<Roots> {
        Err(Error::invalid(format!(
            "ca_file '{}': this build has no https support",
            path.display()
        )))
    }
}

#[cfg(feature = "tls")]
mod tls {
    use super::*;
    use crate::http::transport::file_verifier::FileVerifier;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::crypto::CryptoProvider;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::{ALL_VERSIONS, ClientConfig, RootCertStore};
    use std::sync::Arc;

    impl Roots {
        pub(super) fn of(path: &Path) -> Result<Roots> {
            let wrong = |why: &dyn std::fmt::Display| {
                Error::invalid(format!("ca_file '{}': {why}", path.display()))
            };
            let pem = std::fs::read(path).map_err(|e| wrong(&e))?;
            let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
                .collect::<std::result::Result<_, _>>()
                .map_err(|e| wrong(&e))?;
            let mut store = RootCertStore::empty();
            let (added, _) = store.add_parsable_certificates(certificates.iter().cloned());
            if added == 0 {
                return Err(wrong(&"there is no certificate in it; it must be in PEM form"));
            }
            let provider = provider();
            let authorities =
                WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone())
                    .build()
                    .map_err(|e| wrong(&e))?;
            let verifier = Arc::new(FileVerifier { authorities, certificates });
            let config = config(provider, verifier).map_err(|e| wrong(&e))?;
            let roots = Roots { file: Some(path.to_owned()), ..Roots::default() };
            let _ = roots.config.set(Box::new(config));
            Ok(roots)
        }

        /// The file that they were read from.
        pub(in crate::http::transport) fn file(&self) -> Option<&Path> {
            self.file.as_deref()
        }

        pub(in crate::http::transport) fn config(
            &self,
        ) -> std::result::Result<Arc<ClientConfig>, rustls::Error> {
            if let Some(config) = self.config.get() {
                return Ok(Arc::clone(config));
            }
            let provider = provider();
            let verifier = rustls_platform_verifier::Verifier::new(provider.clone())?;
            let made = config(provider, Arc::new(verifier))?;
            // Whoever was first has made one as good.
            Ok(Arc::clone(self.config.get_or_init(|| Box::new(made))))
        }
    }

    fn provider() -> Arc<CryptoProvider> {
        Arc::new(rustls::crypto::ring::default_provider())
    }

    fn config(
        provider: Arc<CryptoProvider>,
        verifier: Arc<dyn ServerCertVerifier>,
    ) -> std::result::Result<Arc<ClientConfig>, rustls::Error> {
        let builder =
            ClientConfig::builder_with_provider(provider).with_protocol_versions(ALL_VERSIONS)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        Ok(Arc::new(builder.with_no_client_auth()))
    }
}
