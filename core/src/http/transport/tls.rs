//! [`TlsConnector`]: TLS over a connection, with the certificates that are believed, and words for what is wrong with one.

use super::exchange::TlsFailed;
use super::roots::Roots;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConnection, InvalidMessage, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
    TransportAdapter,
};

/// Puts TLS over connections to addresses of https.
#[derive(Debug)]
pub(super) struct TlsConnector {
    roots: Roots,
}

impl TlsConnector {
    pub(super) fn new(roots: &Roots) -> Self {
        TlsConnector { roots: roots.clone() }
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() || transport.is_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let config = self.roots.config().map_err(|e| io::Error::other(TlsFailed(e.to_string())))?;
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Error::Tls("the host is no name that a certificate can have"))?;
        let failed = |error: io::Error| match wrong(&error, host, &self.roots) {
            Some(text) => io::Error::other(TlsFailed(text)),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                let text = "it ended in the TLS handshake; does the server speak TLS?";
                io::Error::new(error.kind(), text)
            }
            None => error,
        };
        let mut conn =
            ClientConnection::new(config, name).map_err(|e| failed(io::Error::other(e)))?;
        let mut sock = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        conn.complete_io(&mut sock).map_err(failed)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport { buffers, stream: StreamOwned { conn, sock } })))
    }
}

/// What is wrong in the handshake, and what to do; `None` when the network is to blame.
fn wrong(error: &io::Error, host: &str, roots: &Roots) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let file = roots.file().map(|file| format!("ca_file '{}'", file.display()));
    let is_certificate = matches!(error, rustls::Error::InvalidCertificate(_));
    let place = file.as_ref().filter(|_| is_certificate).map(|file| format!(" ({file})"));
    let text = match error {
        rustls::Error::InvalidCertificate(what) => match what {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the certificate of the server has expired; renew it, or set the clock".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the certificate of the server is not valid yet; set the clock".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!(
                    "the certificate of the server does not name '{host}' (subjectAltName); use a name that stands in it, or make one with `-addext subjectAltName=DNS:{host}`"
                )
            }
            _ => match &file {
                Some(file) => {
                    let text = "the certificate of the server is neither in";
                    return Some(format!("{text} {file} nor by an authority in it"));
                }
                None => "the certificate of the server is by nobody whom this system trusts; name the file with it, or with its authority, as ca_file".to_owned(),
            },
        },
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS; write http:// in base_url".to_owned()
        }
        other => format!("the TLS handshake failed: {other}"),
    };
    Some(text + &place.unwrap_or_default())
}

/// A connection with TLS.
pub(super) struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}
