//! One exchange with a server: address, credentials, answer, connection, stream, websocket, record.

pub(crate) mod answer;
pub(crate) mod base_url;
pub(crate) mod credentials;
pub(crate) mod record;
pub(crate) mod redact;
pub(crate) mod sse;
pub(crate) mod traceparent;
pub(crate) mod transport;
