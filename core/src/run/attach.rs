//! Attachments: local files as parts of a prompt, in a form that a server on any machine can read.

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::fields::Fields;
use crate::base::json::Json;
use crate::base::option_names;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The operation of errors that tell what is wrong with a file; one that an option has is none of the file's.
pub const ATTACH: &str = "attach";

/// How a file is attached.
#[derive(Debug, Clone, PartialEq, Eq)]
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

impl AttachOptions {
    /// Reads the JSON object of a binding: `max_bytes`, `lines` (`"10-25"`, or `10`), `name`, `mime`.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field and its nearest correct spelling.
    pub fn from_json(json: &str) -> Result<Self> {
        AttachOptions::take(&mut Fields::new("attach", json, &option_names::ATTACH)?)
    }

    pub(crate) fn take(fields: &mut Fields) -> Result<Self> {
        let mut options = AttachOptions {
            name: fields.text("name")?,
            mime: fields.text("mime")?,
            lines: fields.value("lines")?.map(|value| lines(&value)).transpose()?,
            ..AttachOptions::default()
        };
        options.mime.as_deref().map(mime).transpose()?;
        if let Some(max) = fields.number("max_bytes")? {
            options.max_bytes = max as u64;
        }
        Ok(options)
    }
}

/// A type that can stand in a data URL.
fn mime(text: &str) -> Result<&str> {
    let is_token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let plain = text.split(';').next().unwrap_or_default();
    let is_sound = plain.split_once('/').is_some_and(|(a, b)| is_token(a) && is_token(b));
    let is_safe = text.bytes().all(|b| b.is_ascii_graphic() && b != b',');
    match is_sound && is_safe {
        true => Ok(text),
        false => Err(Error::invalid(format!("attach: mime '{text}': write one like text/plain"))),
    }
}

/// Reads a local file and makes a part of a prompt of it. Its content travels with the prompt, so the server may
/// be on another machine. Blocks while the file is read.
///
/// # Errors
/// `not_found`, `forbidden` when it cannot be read, `invalid_argument` for a directory, a file that is too large,
/// and lines that it has not; all of the operation [`ATTACH`].
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
pub(crate) fn attach_value(value: &Json) -> Result<Json> {
    let part = match value.read().unwrap_or_default() {
        Value::String(path) => attach(path, &AttachOptions::default()),
        Value::Object(mut fields) => {
            let Some(Value::String(path)) = fields.remove("path") else {
                return Err(Error::invalid(
                    "files: each must be a path, or an object with a 'path'",
                ));
            };
            attach(path, &AttachOptions::from_json(&Value::Object(fields).to_string())?)
        }
        _ => Err(Error::invalid(format!(
            "files: each must be a path, or an object with a 'path', not {value}"
        ))),
    };
    part.map(Json::from)
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
            return Err(unfit(format!("attach: '{shown}' is no text and has no lines")));
        }
        Err(bytes) => (binary(&bytes, &name), bytes),
    };
    let mime = match &options.mime {
        Some(given) => mime(given)?,
        None => found,
    };
    let mut url = format!("data:{mime};base64,");
    STANDARD.encode_string(&bytes, &mut url);
    Ok(json!({ "type": "file", "mime": mime, "filename": name, "url": url }))
}

/// What a file is that is no text: its bytes decide, and its name where they say nothing.
fn binary(bytes: &[u8], name: &str) -> &'static str {
    if let Some(kind) = infer::get(bytes) {
        return kind.mime_type();
    }
    let named = mime_guess::from_path(name).first_raw();
    // Whatever its name says: it is no text.
    named.filter(|mime| !mime.starts_with("text/")).unwrap_or("application/octet-stream")
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
        Error::new(kind, text).with_operation(ATTACH).with_source(error)
    };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.is_dir() {
        return Err(unfit(format!("attach: '{shown}' is a directory; attach its files")));
    }
    if !metadata.is_file() {
        return Err(unfit(format!("attach: '{shown}' is no regular file")));
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
    unfit(format!(
        "attach: '{name}' has more than {max} bytes; raise max_bytes, or attach a part of it"
    ))
}

/// What is wrong with a file, and not with what was asked for.
fn unfit(text: String) -> Error {
    Error::invalid(text).with_operation(ATTACH)
}

/// The bytes as text, when they are: UTF-8, or UTF-16 that says so.
fn text(bytes: Vec<u8>) -> std::result::Result<String, Vec<u8>> {
    let unit: Option<fn([u8; 2]) -> u16> = match bytes.as_slice() {
        [0xFF, 0xFE, ..] => Some(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => Some(u16::from_be_bytes),
        _ => None,
    };
    if let Some(unit) = unit {
        let pairs = bytes[2..].chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err(bytes);
        }
        let units: Vec<u16> = pairs.map(|pair| unit([pair[0], pair[1]])).collect();
        return match String::from_utf16(&units) {
            Ok(text) if !text.contains('\0') => Ok(text),
            _ => Err(bytes),
        };
    }
    // Some PDF holds nothing but ASCII, and is no text for all that.
    if bytes.contains(&0) || bytes.starts_with(b"%PDF-") {
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
        // Some hosts have no whole numbers.
        Value::Number(line) => {
            line.as_f64().filter(|line| line.fract() == 0.0).map(|line| (line as u64, line as u64))
        }
        _ => None,
    };
    range.filter(|&(first, last)| first >= 1 && first <= last).ok_or_else(wrong)
}

fn cut(shown: &str, text: &str, first: u64, last: u64) -> Result<String> {
    let count = text.lines().count() as u64;
    if first < 1 || first > last || last > count {
        let has = match count {
            0 => "has no lines".to_owned(),
            _ => format!("has the lines 1 to {count}, not {first} to {last}"),
        };
        return Err(unfit(format!("attach: '{shown}' {has}")));
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
            (b"%PDF-1.4\n1 0 obj <<>> endobj\n%%EOF\n", "application/pdf"),
            (b"BMW and PK are words", "text/plain"),
            (b"\xFF\xFEa\0b", "application/octet-stream"),
            (b"\xFF\xFE\0\0a\0\0\0", "application/octet-stream"),
            (b"\0\x01\x02\xFF", "application/octet-stream"),
        ] {
            assert_eq!(bytes(content, "").unwrap()["mime"], mime, "{content:?}");
        }
        assert_eq!(bytes(b"\0", r#"{"mime":"audio/x"}"#).unwrap()["mime"], "audio/x");
        // The name counts where the content says nothing.
        for (name, content, mime) in [
            ("a.glb", &b"\0"[..], "model/gltf-binary"),
            ("a.png", b"%PDF-1.7\n\0", "application/pdf"),
            ("a.txt", b"\0", "application/octet-stream"),
            ("a.pdf", b"text", "text/plain"),
        ] {
            let part = attach_bytes(name, content, &AttachOptions::default()).unwrap();
            assert_eq!(part["mime"], mime, "{name}");
        }
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
            (r#"{"lines":1.5}"#, "write \"10-25\""),
            (r#"{"lines":1e300}"#, "lines 1 to 3"),
            (r#"{"lines":"1-99999999999999999999"}"#, "write \"10-25\""),
            (r#"{"mime":"text/plain;base64,aGk=#"}"#, "one like text/plain"),
            (r#"{"mime":"text"}"#, "one like text/plain"),
            (r#"{"max_bytes":3}"#, "more than 3 bytes"),
            (r#"{"line":1}"#, "did you mean 'lines'"),
        ] {
            let error = bytes(text, options).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
        assert!(bytes(b"\0", r#"{"lines":1}"#).unwrap_err().message().contains("no text"));
        assert!(bytes(b"", r#"{"lines":1}"#).unwrap_err().message().contains("has no lines"));
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

    #[cfg(unix)]
    #[test]
    fn strange_files_neither_hang_nor_lie() {
        let folder = std::env::temp_dir().join(format!("opencode-attach-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let at = |name: &str| folder.join(name);
        let options = AttachOptions { max_bytes: 1000, ..AttachOptions::default() };
        let fails = |name: &str| attach(at(name), &options).unwrap_err().message().to_owned();
        let pipe = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(pipe.success());
        std::os::unix::fs::symlink(at("pipe"), at("to-pipe")).unwrap();
        std::os::unix::fs::symlink(at("circle"), at("circle")).unwrap();
        std::os::unix::fs::symlink(at("nothing"), at("to-nothing")).unwrap();
        assert!(fails("pipe").contains("no regular file"));
        assert!(fails("to-pipe").contains("no regular file"));
        assert!(fails("circle").contains("cannot be read"));
        assert!(fails("to-nothing").contains("there is no file"));
        std::fs::write(at("new\nline"), "x".repeat(1001)).unwrap();
        assert_eq!(fails("new\nline").lines().count(), 1);
        // A file of terabytes costs no more than the limit.
        std::fs::File::create(at("huge")).unwrap().set_len(1 << 42).unwrap();
        assert!(fails("huge").contains("more than 1000 bytes"));
        #[cfg(target_os = "linux")]
        {
            // The system says that it is empty.
            let part = attach("/proc/self/comm", &options).unwrap();
            assert!(!content(&part).is_empty() && part["mime"] == "text/plain");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
