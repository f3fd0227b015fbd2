//! As much of HTTP as an MCP server needs: requests with a length, read as they come.

use std::io::{self, Read, Write};

const MAX_HEAD: usize = 32 << 10;
const MAX_HEADERS: usize = 64;
/// The arguments of a call.
const MAX_BODY: usize = 16 << 20;

/// A request that is here in full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ToolRequest {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Vec<u8>,
    pub(super) keeps_alive: bool,
}

/// What was read so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Request(ToolRequest),
    /// More is needed.
    Partial,
    /// The connection cannot go on after this status.
    Broken(u16),
}

/// Takes the first request out of a buffer. `token` is what has to be shown before a body is waited for.
pub(super) fn take(buffer: &mut Vec<u8>, token: &str) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let end = match head.parse(buffer) {
        Ok(httparse::Status::Complete(end)) => end,
        Ok(httparse::Status::Partial) if buffer.len() > MAX_HEAD => return Parsed::Broken(431),
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(_) => return Parsed::Broken(400),
    };
    let value = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
    };
    if !value("authorization").is_some_and(|given| is_same(given, token)) {
        return Parsed::Broken(401);
    }
    if value("transfer-encoding").is_some() {
        return Parsed::Broken(411);
    }
    let length = match value("content-length").map(str::parse::<usize>) {
        None => 0,
        Some(Ok(length)) if length <= MAX_BODY => length,
        Some(Ok(_)) => return Parsed::Broken(413),
        Some(Err(_)) => return Parsed::Broken(400),
    };
    let keeps_alive = !value("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
    let path = head.path.unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
    let method = head.method.unwrap_or_default().to_owned();
    let whole = end.saturating_add(length);
    let Some(body) = buffer.get(end..whole) else { return Parsed::Partial };
    let body = body.to_vec();
    buffer.drain(..whole);
    Parsed::Request(ToolRequest { method, path, body, keeps_alive })
}

/// Compares in a time that tells nothing.
fn is_same(given: &str, wanted: &str) -> bool {
    let (given, wanted) = (given.as_bytes(), wanted.as_bytes());
    given.len() == wanted.len()
        && given.iter().zip(wanted).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// An answer with a length.
pub(super) fn answer(status: u16, body: &str) -> Vec<u8> {
    let reason = match status {
        200 => "OK",
        202 => "Accepted",
        _ => "Refused",
    };
    let mut head = format!("HTTP/1.1 {status} {reason}\r\ncontent-length: {}\r\n", body.len());
    if !body.is_empty() {
        head.push_str("content-type: application/json\r\n");
    }
    if status == 405 {
        head.push_str("allow: GET, POST\r\n");
    }
    head.push_str("\r\n");
    head.push_str(body);
    head.into_bytes()
}

/// The head of an answer that comes later, as an event stream: signs of life keep the connection from being given up.
pub(super) fn begin_stream() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
}

/// A piece of such an answer.
pub(super) fn piece(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

/// A message in such an answer.
pub(super) fn event(json: &str) -> Vec<u8> {
    piece(&format!("event: message\ndata: {json}\n\n"))
}

/// The last piece of it: the answer.
pub(super) fn end_stream(json: &str) -> Vec<u8> {
    let mut bytes = event(json);
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// Reads what is there. False at the end of the connection, and when the peer sends more than any request may hold.
pub(super) fn fill(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut piece = [0; 16 << 10];
    while buffer.len() <= MAX_HEAD + MAX_BODY {
        match stream.read(&mut piece) {
            Ok(0) => return Ok(false),
            Ok(n) => buffer.extend_from_slice(piece.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(false)
}

/// Writes what the peer takes.
pub(super) fn flush(stream: &mut impl Write, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut done = 0;
    let result = loop {
        match buffer.get(done..) {
            None | Some([]) => break Ok(()),
            Some(rest) => match stream.write(rest) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(e) => break Err(e),
            },
        }
    };
    buffer.drain(..done);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Parsed {
        take(&mut text.as_bytes().to_vec(), "Bearer t")
    }

    #[test]
    fn requests_come_in_pieces() {
        let whole =
            b"POST /1?a=b HTTP/1.1\r\nAuthorization: Bearer t\r\nContent-Length: 2\r\n\r\n{}POST";
        let mut buffer = Vec::new();
        for (at, byte) in whole.iter().enumerate() {
            buffer.push(*byte);
            match take(&mut buffer, "Bearer t") {
                Parsed::Partial => assert_ne!(at + 5, whole.len()),
                Parsed::Request(request) => {
                    assert_eq!(
                        (request.path.as_str(), request.body.as_slice()),
                        ("/1", &b"{}"[..])
                    );
                    assert!(request.keeps_alive);
                }
                Parsed::Broken(status) => panic!("{status}"),
            }
        }
        assert_eq!(buffer, b"POST");
    }

    #[test]
    fn what_is_malformed_or_too_much_is_refused() {
        assert_eq!(request("GET / HTTP/1.1\r\n\r\n"), Parsed::Broken(401));
        assert_eq!(
            request("GET / HTTP/1.1\r\nauthorization: Bearer x\r\n\r\n"),
            Parsed::Broken(401)
        );
        assert_eq!(request("\u{0}\u{1}\r\n\r\n"), Parsed::Broken(400));
        let with =
            |line: &str| format!("POST / HTTP/1.1\r\nauthorization: Bearer t\r\n{line}\r\n\r\n");
        assert_eq!(request(&with("content-length: -1")), Parsed::Broken(400));
        assert_eq!(request(&with("content-length: 99999999999")), Parsed::Broken(413));
        assert_eq!(request(&with("transfer-encoding: chunked")), Parsed::Broken(411));
        assert_eq!(request(&format!("GET /{}", "a".repeat(MAX_HEAD))), Parsed::Broken(431));
        let many = "a: b\r\n".repeat(MAX_HEADERS + 1);
        assert_eq!(request(&with(many.trim_end())), Parsed::Broken(400));
    }
}
