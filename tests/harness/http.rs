//! A few lines of HTTP client, independent of the code under test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::Value;

use crate::wait::LIMIT;
use crate::{Error, Result};

/// A complete answer.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, values trimmed.
    pub headers: Vec<(String, String)>,
    /// The body, with any chunked framing removed.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (give it in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text, wrong bytes replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request on a connection of its own and reads the whole answer.
///
/// Blocks until the answer is complete, but never longer than [`LIMIT`] without a byte.
///
/// # Errors
/// When the server cannot be reached, closes early, or speaks no HTTP.
pub fn send(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> Result<Response> {
    let stream = open(method, url, headers, body, LIMIT)?;
    parse(BufReader::new(stream)).map_err(|error| Error::wrap(format!("{method} {url}"), error))
}

/// Sends a request on a connection of its own and gives the connection, answer unread, for
/// those who read streams. The connection closes after the answer.
///
/// # Errors
/// When the server cannot be reached within `limit` or takes no bytes for that long.
pub fn open(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
    limit: Duration,
) -> Result<TcpStream> {
    let (host, target) = split(url)?;
    let wrap = |error: std::io::Error| Error::wrap(format!("{method} {url}"), error);
    let address = host.to_socket_addrs().map_err(wrap)?.next();
    let address = address.ok_or_else(|| Error::new(format!("{host} has no address")))?;
    let mut stream = TcpStream::connect_timeout(&address, limit).map_err(wrap)?;
    stream.set_read_timeout(Some(limit)).map_err(wrap)?;
    stream.set_write_timeout(Some(limit)).map_err(wrap)?;
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    stream.write_all(&bytes).map_err(wrap)?;
    Ok(stream)
}

/// The value of an `Authorization` header for HTTP Basic.
pub fn basic(username: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{username}:{password}").as_bytes()))
}

/// Splits `http://host:port/path` into `host:port` and `/path`.
pub(crate) fn split(url: &str) -> Result<(&str, &str)> {
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| Error::new(format!("{url} does not start with http://")))?;
    let at = rest.find('/').unwrap_or(rest.len());
    let target = if at == rest.len() { "/" } else { &rest[at..] };
    Ok((&rest[..at], target))
}

fn parse(mut reader: impl BufRead) -> Result<Response> {
    let line = line(&mut reader)?;
    let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| Error::new(format!("no status line: {line:?}")))?;
    let mut response = Response { status, ..Response::default() };
    loop {
        let line = self::line(&mut reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| Error::new("no header line"))?;
        response.headers.push((name.to_ascii_lowercase(), value.trim().into()));
    }
    if response.header("transfer-encoding").is_some() {
        loop {
            let size = self::line(&mut reader)?;
            let size = u64::from_str_radix(size.trim(), 16)
                .map_err(|_| Error::new(format!("no chunk size: {size:?}")))?;
            take(&mut reader, size, &mut response.body)?;
            self::line(&mut reader)?;
            if size == 0 {
                return Ok(response);
            }
        }
    }
    match response.header("content-length").and_then(|value| value.parse().ok()) {
        Some(length) => take(&mut reader, length, &mut response.body)?,
        None => drop(reader.read_to_end(&mut response.body)?),
    }
    Ok(response)
}

fn line(reader: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    if !line.ends_with('\n') {
        return Err(Error::new("the answer ends early"));
    }
    Ok(line.trim_end_matches(['\r', '\n']).into())
}

fn take(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> Result<()> {
    match reader.take(length).read_to_end(body)? as u64 == length {
        true => Ok(()),
        false => Err(Error::new("the answer ends early")),
    }
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0, |word, &byte| word << 8 | u32::from(byte));
        let word = word << (8 * (3 - group.len()));
        for index in 0..4 {
            let letter = ALPHABET[(word >> (18 - 6 * index)) as usize & 63];
            text.push(if index <= group.len() { letter.into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("fooba", "Zm9vYmE=")];
        for (plain, encoded) in pairs {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let whole =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        assert_eq!(parse(&whole[..]).unwrap().body, b"abcd");
        let length = b"HTTP/1.1 404 No\r\nContent-Length: 2\r\nX: y\r\n\r\nab";
        let response = parse(&length[..]).unwrap();
        assert_eq!((response.status, response.header("x")), (404, Some("y")));
        for cut in 1..whole.len() {
            assert!(parse(&whole[..cut]).is_err(), "{cut}");
        }
        for cut in 1..length.len() {
            assert!(parse(&length[..cut]).is_err(), "{cut}");
        }
    }
}
