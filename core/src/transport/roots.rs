//! [`Roots`]: whose certificates are believed.

use crate::error::{Error, Result};
use std::path::Path;

/// The certificates that a server's own one must come from.
#[derive(Clone)]
pub(super) struct Roots {
    #[cfg(feature = "tls")]
    certificates: ureq::tls::RootCerts,
}

impl Roots {
    /// Those of a file in PEM form, or else those of the operating system.
    pub(super) fn read(file: Option<&Path>) -> Result<Roots> {
        match file {
            None => Ok(Roots {
                #[cfg(feature = "tls")]
                certificates: ureq::tls::RootCerts::PlatformVerifier,
            }),
            Some(path) => Roots::of(path),
        }
    }

    #[cfg(feature = "tls")]
    fn of(path: &Path) -> Result<Roots> {
        use ureq::tls::{PemItem, parse_pem};
        let wrong = |why: &dyn std::fmt::Display| {
            Error::invalid(format!("ca_file '{}': {why}", path.display()))
        };
        let pem = std::fs::read(path).map_err(|e| wrong(&e))?;
        let mut certificates = Vec::new();
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|e| wrong(&e))? {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(wrong(&"there is no certificate in it; it must be in PEM form"));
        }
        Ok(Roots { certificates: certificates.into() })
    }

    #[cfg(not(feature = "tls"))]
    fn of(path: &Path) -> Result<Roots> {
        Err(Error::invalid(format!(
            "ca_file '{}': this build has no https support",
            path.display()
        )))
    }

    #[cfg(feature = "tls")]
    pub(super) fn certificates(&self) -> ureq::tls::RootCerts {
        self.certificates.clone()
    }
}
