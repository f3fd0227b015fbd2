//! The server half of HTTP/1.1, as much of it as tests need.

use std::io::{self, BufRead, Read, Write};

use serde_json::Value;

/// Longest request head, in bytes.
const HEAD_LIMIT: u64 = 1 << 20;
/// Longest request body, in bytes.
const BODY_LIMIT: u64 = 256 << 20;

/// One request, completely read.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `POST` and so on, as sent.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// Names in lower case, values trimmed, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body, with any chunked framing removed.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name (give it in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Method and target, as in `GET /session?limit=1`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Whether the client asks to close the connection after the answer.
    pub fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Reads the next request of a connection; `None` when the client closed it in between.
///
/// Blocks until the request is complete.
///
/// # Errors
/// Any error of the socket, `UnexpectedEof` for half a request, `InvalidData` for what is no
/// HTTP or is over the limits (head 1 MiB, body 256 MiB).
pub fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut budget = HEAD_LIMIT;
    let Some(line) = read_line(reader, &mut budget)? else { return Ok(None) };
    let mut words = line.split(' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next())
    else {
        return Err(invalid("no request line"));
    };
    if !version.starts_with("HTTP/1.") {
        return Err(invalid("not HTTP/1"));
    }
    let mut request =
        Request { method: method.into(), target: target.into(), ..Request::default() };
    loop {
        let line = read_line(reader, &mut budget)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("no header line"))?;
        request.headers.push((name.trim().to_ascii_lowercase(), value.trim().into()));
    }
    request.body = read_body(reader, &request)?;
    Ok(Some(request))
}

/// Writes a complete answer with `Content-Length`.
///
/// # Errors
/// Any error of the socket.
pub fn write_answer(
    out: &mut impl Write,
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<()> {
    let mut bytes = format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes();
    for (name, value) in headers {
        write!(bytes, "{name}: {value}\r\n")?;
    }
    if status != 204 {
        write!(bytes, "content-length: {}\r\n", body.len())?;
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    out.write_all(&bytes)
}

/// The words behind a status code.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

fn read_line(reader: &mut impl BufRead, budget: &mut u64) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let count = reader.take(*budget).read_until(b'\n', &mut bytes)?;
    *budget -= count as u64;
    if count == 0 && *budget > 0 {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        let error = if *budget == 0 { invalid("head too long") } else { half() };
        return Err(error);
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    String::from_utf8(bytes).map(Some).map_err(|_| invalid("head is not UTF-8"))
}

fn read_body(reader: &mut impl BufRead, request: &Request) -> io::Result<Vec<u8>> {
    let chunked = request
        .header("transfer-encoding")
        .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"));
    let mut body = Vec::new();
    if !chunked {
        let length = request.header("content-length").unwrap_or("0");
        let length = length.parse().map_err(|_| invalid("bad content-length"))?;
        read_exactly(reader, length, &mut body)?;
        return Ok(body);
    }
    loop {
        let mut budget = HEAD_LIMIT;
        let line = read_line(reader, &mut budget)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| invalid("bad chunk size"))?;
        if size == 0 {
            // The trailer section ends with an empty line.
            while !read_line(reader, &mut budget)?.ok_or(io::ErrorKind::UnexpectedEof)?.is_empty() {
            }
            return Ok(body);
        }
        read_exactly(reader, size, &mut body)?;
        read_line(reader, &mut budget)?;
    }
}

fn read_exactly(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    if length.saturating_add(body.len() as u64) > BODY_LIMIT {
        return Err(invalid("body too long"));
    }
    if reader.take(length).read_to_end(body)? as u64 == length { Ok(()) } else { Err(half()) }
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn half() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_follow_each_other_on_one_connection() {
        let mut bytes: &[u8] =
            b"POST /a?b=c HTTP/1.1\r\nContent-Length: 3\r\n\r\n{}\nGET /d HTTP/1.1\r\n\r\n";
        let first = read_request(&mut bytes).unwrap().unwrap();
        assert_eq!((first.line().as_str(), first.path()), ("POST /a?b=c", "/a"));
        assert_eq!(first.body, b"{}\n");
        assert_eq!(read_request(&mut bytes).unwrap().unwrap().target, "/d");
        assert!(read_request(&mut bytes).unwrap().is_none());
    }

    #[test]
    fn a_chunked_body_is_joined() {
        let mut bytes: &[u8] =
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nt: 1\r\n\r\n";
        assert_eq!(read_request(&mut bytes).unwrap().unwrap().body, b"abcde");
        assert!(bytes.is_empty());
    }

    #[test]
    fn half_a_request_and_nonsense_are_errors() {
        for bad in [
            "GET / HTTP/1.1\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nabc",
            "POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            "nonsense\r\n\r\n",
            "GET / HTTP/1.1\r\nnocolon\r\n\r\n",
        ] {
            assert!(read_request(&mut bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
