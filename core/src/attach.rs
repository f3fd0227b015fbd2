//! Attachments: local files as parts of a prompt, in a form that a server on any machine can read.

use crate::error::{Error, ErrorKind, Result};
use crate::options::Take;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How a file is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttachOptions {
    /// The largest file that is taken, in bytes.
    pub max_bytes: u64,
    /// Only these lines of a text: the first and the last one, counted from 1.
    pub lines: Option<(u64, u64)>,
    /// The name that the model sees; the file's own when absent.
    pub name: Option<String>,
    /// The MIME type, when the content does not tell. Text is `text/plain`, whatever it holds: the server hands
    /// the content of `text/*` to the model, and that of `application/json` or `image/svg+xml` not.
    pub mime: Option<String>,
}

impl Default for AttachOptions {
    fn default() -> Self {
        AttachOptions { max_bytes: 20_000_000, lines: None, name: None, mime: None }
    }
}

const FIELDS: &[&str] = &["max_bytes", "lines", "name", "mime"];

impl AttachOptions {
    /// Reads the JSON object of a binding: `max_bytes`, `lines` (`"10-25"`, or `10`), `name`, `mime`.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field and its nearest correct spelling.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut take = Take::new("attach", json, FIELDS)?;
        let mut options = AttachOptions {
            name: take.text("name")?,
            mime: take.text("mime")?,
            lines: take.value("lines").map(|value| lines(&value)).transpose()?,
            ..AttachOptions::default()
        };
        if let Some(max) = take.number("max_bytes")? {
            options.max_bytes = max as u64;
        }
        Ok(options)
    }
}

/// Reads a local file and makes a part of a prompt of it. Its content travels with the prompt, so the server may
/// be on another machine. Blocks while the file is read.
///
/// # Errors
/// `not_found`, `forbidden` when it cannot be read, `invalid_argument` for a directory, a file that is too large,
/// and lines that it has not.
pub fn attach(path: impl AsRef<Path>, options: &AttachOptions) -> Result<Value> {
    let path = path.as_ref();
    let bytes = read(path, options.max_bytes)?;
    let name =
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    part(&name, &path.display().to_string(), bytes, options)
}

/// The same for bytes that are in memory.
///
/// # Errors
/// `invalid_argument` when they are too many, or have not the lines that are wanted.
pub fn attach_bytes(name: &str, bytes: &[u8], options: &AttachOptions) -> Result<Value> {
    if bytes.len() as u64 > options.max_bytes {
        return Err(too_large(name, options.max_bytes));
    }
    part(name, name, bytes.to_vec(), options)
}

/// Attaches what an element of a prompt's `files` names: a path, or `{path, lines, name, mime, max_bytes}`.
pub(crate) fn attach_value(value: Value) -> Result<Value> {
    match value {
        Value::String(path) => attach(path, &AttachOptions::default()),
        Value::Object(mut fields) => {
            let Some(Value::String(path)) = fields.remove("path") else {
                return Err(Error::invalid(
                    "files: each must be a path, or an object with a 'path'",
                ));
            };
            attach(path, &AttachOptions::from_json(&Value::Object(fields).to_string())?)
        }
        other => Err(Error::invalid(format!(
            "files: each must be a path, or an object with a 'path', not {other}"
        ))),
    }
}

fn part(name: &str, shown: &str, bytes: Vec<u8>, options: &AttachOptions) -> Result<Value> {
    let mut name = options.name.clone().unwrap_or_else(|| name.to_owned());
    let (found, bytes) = match text(bytes) {
        Ok(text) => {
            let text = match options.lines {
                Some((first, last)) => {
                    name = format!("{name}:{first}-{last}");
                    cut(shown, &text, first, last)?
                }
                None => text,
            };
            ("text/plain", text.into_bytes())
        }
        Err(_) if options.lines.is_some() => {
            return Err(Error::invalid(format!("attach: '{shown}' is no text and has no lines")));
        }
        Err(bytes) => {
            (infer::get(&bytes).map_or("application/octet-stream", |kind| kind.mime_type()), bytes)
        }
    };
    let mime = options.mime.as_deref().unwrap_or(found);
    let mut url = format!("data:{mime};base64,");
    STANDARD.encode_string(&bytes, &mut url);
    Ok(json!({ "type": "file", "mime": mime, "filename": name, "url": url }))
}

fn read(path: &Path, max: u64) -> Result<Vec<u8>> {
    let shown = path.display();
    let failed = |error: io::Error| {
        let (kind, text) = match error.kind() {
            io::ErrorKind::NotFound => {
                (ErrorKind::NotFound, format!("attach: there is no file '{shown}'"))
            }
            io::ErrorKind::PermissionDenied => {
                (ErrorKind::Forbidden, format!("attach: '{shown}' may not be read"))
            }
            _ => (ErrorKind::InvalidArgument, format!("attach: '{shown}' cannot be read: {error}")),
        };
        Error::new(kind, text).with_source(error)
    };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(Error::invalid(format!("attach: '{shown}' is a directory; attach its files")));
    }
    if !metadata.is_file() {
        return Err(Error::invalid(format!("attach: '{shown}' is no regular file")));
    }
    let mut bytes = Vec::new();
    // The file may grow while it is read.
    let limited = File::open(path).map_err(failed)?.take(max.saturating_add(1));
    let mut limited = io::BufReader::new(limited);
    limited.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max {
        return Err(too_large(&shown.to_string(), max));
    }
    Ok(bytes)
}

fn too_large(name: &str, max: u64) -> Error {
    Error::invalid(format!(
        "attach: '{name}' has more than {max} bytes; raise max_bytes, or attach a part of it"
    ))
}

/// The bytes as text, when they are: UTF-8, or UTF-16 that says so.
fn text(bytes: Vec<u8>) -> std::result::Result<String, Vec<u8>> {
    let unit: Option<fn([u8; 2]) -> u16> = match bytes.as_slice() {
        [0xFF, 0xFE, ..] => Some(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => Some(u16::from_be_bytes),
        _ => None,
    };
    if let Some(unit) = unit {
        let units: Vec<u16> =
            bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        return String::from_utf16(&units).map_err(|_| bytes);
    }
    if bytes.contains(&0) {
        return Err(bytes);
    }
    let text = String::from_utf8(bytes).map_err(|error| error.into_bytes())?;
    Ok(match text.strip_prefix('\u{FEFF}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

fn lines(value: &Value) -> Result<(u64, u64)> {
    let wrong = || Error::invalid(format!("attach: lines {value}: write \"10-25\", or \"10\""));
    let range = match value {
        Value::String(text) => match text.split_once('-') {
            Some((first, last)) => first.trim().parse().ok().zip(last.trim().parse().ok()),
            None => text.trim().parse().ok().map(|line| (line, line)),
        },
        Value::Number(line) => line.as_f64().map(|line| (line as u64, line as u64)),
        _ => None,
    };
    range.filter(|&(first, last)| first >= 1 && first <= last).ok_or_else(wrong)
}

fn cut(shown: &str, text: &str, first: u64, last: u64) -> Result<String> {
    let count = text.lines().count() as u64;
    if first < 1 || first > last || last > count {
        return Err(Error::invalid(format!(
            "attach: '{shown}' has the lines 1 to {count}, not {first} to {last}"
        )));
    }
    let (skip, take) = (first as usize - 1, (last - first) as usize + 1);
    Ok(text.split_inclusive('\n').skip(skip).take(take).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(part: &Value) -> Vec<u8> {
        let url = part["url"].as_str().unwrap();
        STANDARD.decode(url.split_once(',').unwrap().1).unwrap()
    }

    fn bytes(bytes: &[u8], options: &str) -> Result<Value> {
        attach_bytes("x.y", bytes, &AttachOptions::from_json(options)?)
    }

    #[test]
    fn content_decides_what_it_is() {
        for (content, mime) in [
            (&b"# Title"[..], "text/plain"),
            (b"", "text/plain"),
            (b"<?xml version='1.0'?><svg/>", "text/plain"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
            (b"\xFF\xD8\xFF\xE0\0", "image/jpeg"),
            (b"%PDF-1.7\n\0\xFF", "application/pdf"),
            (b"\0\x01\x02\xFF", "application/octet-stream"),
        ] {
            assert_eq!(bytes(content, "").unwrap()["mime"], mime, "{content:?}");
        }
        assert_eq!(bytes(b"\0", r#"{"mime":"audio/x"}"#).unwrap()["mime"], "audio/x");
    }

    #[test]
    fn text_of_windows_becomes_utf8() {
        let wide: Vec<u8> = "\u{FEFF}é😀".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(content(&bytes(&wide, "").unwrap()), "é😀".as_bytes());
        assert_eq!(content(&bytes("\u{FEFF}a".as_bytes(), "").unwrap()), b"a");
    }

    #[test]
    fn lines_are_cut_out() {
        let text = b"one\r\ntwo\nthree";
        let part = bytes(text, r#"{"lines":"2-3"}"#).unwrap();
        assert_eq!(content(&part), b"two\nthree");
        assert_eq!(part["filename"], "x.y:2-3");
        assert_eq!(content(&bytes(text, r#"{"lines":1}"#).unwrap()), b"one\r\n");
        for (options, part) in [
            (r#"{"lines":"3-4"}"#, "lines 1 to 3, not 3 to 4"),
            (r#"{"lines":"0-1"}"#, "write \"10-25\""),
            (r#"{"lines":"3-1"}"#, "write \"10-25\""),
            (r#"{"lines":"x"}"#, "write \"10-25\""),
            (r#"{"max_bytes":3}"#, "more than 3 bytes"),
            (r#"{"line":1}"#, "did you mean 'lines'"),
        ] {
            let error = bytes(text, options).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
        assert!(bytes(b"\0", r#"{"lines":1}"#).unwrap_err().message().contains("no text"));
    }

    #[test]
    fn files_that_cannot_be_attached_are_named() {
        let options = AttachOptions::default();
        let missing = attach("/no/such/file", &options).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.message().contains("/no/such/file"));
        let error = attach(env!("CARGO_MANIFEST_DIR"), &options).unwrap_err();
        assert!(error.message().contains("is a directory"), "{error}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert_eq!(attach(&path, &options).unwrap()["filename"], "Cargo.toml");
        let small = AttachOptions { max_bytes: 10, ..options };
        assert!(attach(&path, &small).unwrap_err().message().contains("more than 10 bytes"));
        #[cfg(unix)]
        assert!(attach("/dev/zero", &small).unwrap_err().message().contains("no regular file"));
    }
}
