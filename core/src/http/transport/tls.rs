//! [`TlsConnector`]: TLS over a connection, with the certificates that are believed, and words for what is wrong with one.

use super::exchange::{Exchange, TlsFailed};
use super::failure::PROXY_VARIABLES;
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
        let peer = match Exchange::current().and_then(|exchange| exchange.proxy_ahead()) {
            Some(proxy) => TlsPeer::Proxy(proxy),
            None => TlsPeer::Server,
        };
        let failed = |error: io::Error| match wrong(&error, host, &self.roots, &peer) {
            Some(text) => io::Error::other(TlsFailed(text)),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                let text = format!("it ended in the TLS handshake; does {peer} speak TLS?");
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

/// With whom TLS is spoken.
enum TlsPeer {
    Server,
    /// A proxy whose address begins with `https://`.
    Proxy(String),
}

impl fmt::Display for TlsPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsPeer::Server => f.write_str("the server"),
            TlsPeer::Proxy(place) => write!(f, "the proxy {place}"),
        }
    }
}

/// What is wrong in the handshake, and what to do; `None` when the network is to blame.
fn wrong(error: &io::Error, host: &str, roots: &Roots, peer: &TlsPeer) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let file = roots.file().map(|file| format!("ca_file '{}'", file.display()));
    let is_certificate = matches!(error, rustls::Error::InvalidCertificate(_));
    let place = file.as_ref().filter(|_| is_certificate).map(|file| format!(" ({file})"));
    let text = match error {
        rustls::Error::InvalidCertificate(what) => match what {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("the certificate of {peer} has expired; renew it, or set the clock")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                format!("the certificate of {peer} is not valid yet; set the clock")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!(
                    "the certificate of {peer} does not name '{host}' (subjectAltName); use a name that stands in it, or make one with `-addext subjectAltName=DNS:{host}`"
                )
            }
            _ => match &file {
                Some(file) => {
                    let text = format!("the certificate of {peer} is neither in {file}");
                    return Some(format!("{text} nor by an authority in it"));
                }
                None => format!(
                    "the certificate of {peer} is by nobody whom this system trusts; name the file with it, or with its authority, as ca_file"
                ),
            },
        },
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => match peer {
            TlsPeer::Server => {
                "the server does not speak TLS; write http:// in base_url".to_owned()
            }
            TlsPeer::Proxy(_) => {
                format!("{peer} ({PROXY_VARIABLES}) does not speak TLS; write http:// before it")
            }
        },
        other => format!("the TLS handshake with {peer} failed: {other}"),
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
