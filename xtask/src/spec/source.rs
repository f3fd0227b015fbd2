//! Reads the OpenAPI document from a file or from a running server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use std::{env, fs};

use serde_json::Value;

/// The document behind `from`: a path, or an `http://` address (with or without `/doc`).
pub(super) fn read(from: &str) -> Result<Value, String> {
    let text = match from.strip_prefix("http://") {
        Some(address) => get(address)?,
        None if from.starts_with("https://") => {
            return Err("https is not spoken here: give a file, or a server on http".to_owned());
        }
        None => fs::read(from).map_err(|e| format!("{from}: {e}"))?,
    };
    serde_json::from_slice(&text).map_err(|e| format!("{from} is not JSON: {e}"))
}

/// One GET in HTTP/1.0, so that the answer ends with the connection and is never chunked.
fn get(address: &str) -> Result<Vec<u8>, String> {
    let (host, path) = match address.split_once('/') {
        Some((host, path)) if !path.is_empty() => (host, format!("/{path}")),
        _ => (address.trim_end_matches('/'), "/doc".to_owned()),
    };
    let fail = |e: std::io::Error| format!("http://{host}{path}: {e}");
    let mut stream = TcpStream::connect(host).map_err(fail)?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(fail)?;
    let authorization = authorization();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n{authorization}\r\n").map_err(fail)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map_err(fail)?;
    split(&answer).map_err(|e| format!("http://{host}{path}: {e}"))
}

fn split(answer: &[u8]) -> Result<Vec<u8>, String> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n").ok_or("the answer has no head")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(format!("the server answered {status}"));
    }
    Ok(answer[end + 4..].to_vec())
}

fn authorization() -> String {
    let Ok(password) = env::var("OPENCODE_SERVER_PASSWORD") else { return String::new() };
    let user = env::var("OPENCODE_SERVER_USERNAME").unwrap_or_else(|_| "opencode".to_owned());
    format!("Authorization: Basic {}\r\n", base64(format!("{user}:{password}").as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (word >> (18 - 6 * place)) & 63;
            text.push(if place > chunk.len() { '=' } else { char::from(ALPHABET[index as usize]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads_like_the_standard() {
        let texts = ["", "f", "fo", "foo", "opencode:secret"];
        let coded: Vec<String> = texts.iter().map(|t| base64(t.as_bytes())).collect();
        assert_eq!(coded, ["", "Zg==", "Zm8=", "Zm9v", "b3BlbmNvZGU6c2VjcmV0"]);
    }

    #[test]
    fn a_refusal_is_an_error_with_its_status_line() {
        let refused = split(b"HTTP/1.1 401 Unauthorized\r\nx: y\r\n\r\n");
        assert_eq!(refused, Err("the server answered HTTP/1.1 401 Unauthorized".to_owned()));
        assert_eq!(split(b"HTTP/1.1 200 OK\r\n\r\n{}"), Ok(b"{}".to_vec()));
    }
}
