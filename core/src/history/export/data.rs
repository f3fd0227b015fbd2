//! Content that stands in a message as a `data:` URL: cut out of what is exported, unless that is wanted.

use crate::base::scan::{after_spaces, string_end};
use serde_json::value::RawValue;

/// Shorter ones are no burden.
const SHORT: usize = 200;

/// A message with each long data URL in a field `url` cut: `data:image/png;cut=12345;base64,` is an URL still, and says how
/// many bytes there were. A text elsewhere that begins so is what somebody said or read, such as an event stream.
pub(super) fn cut(message: &RawValue) -> Box<RawValue> {
    let body = message.get().as_bytes();
    let mut made = String::new();
    let (mut at, mut copied) = (0, 0);
    // Where the value of a field `url` begins.
    let mut url = None;
    while let Some(found) = memchr::memchr(b'"', body.get(at..).unwrap_or_default()) {
        let start = at.saturating_add(found);
        at = string_end(body, start).max(start.saturating_add(1));
        let quoted = message.get().get(start..at).unwrap_or_default();
        let behind = after_spaces(body, at);
        if body.get(behind) == Some(&b':') {
            url = (quoted == "\"url\"").then(|| after_spaces(body, behind.saturating_add(1)));
            continue;
        }
        if url != Some(start) || quoted.len() < SHORT || !quoted.starts_with("\"data:") {
            continue;
        }
        let Some((head, data)) = quoted.split_once(',') else { continue };
        if !head.bytes().skip(1).all(is_of_head) {
            continue;
        }
        let is_encoded = head.ends_with(";base64");
        let head = head.strip_suffix(";base64").unwrap_or(head);
        let data = data.strip_suffix('"').unwrap_or(data);
        let length = if is_encoded { decoded(data) } else { data.len() };
        let end = if is_encoded { ";base64," } else { "," };
        made.push_str(message.get().get(copied..start).unwrap_or_default());
        made.push_str(&format!("{head};cut={length}{end}\""));
        copied = at;
    }
    if copied == 0 {
        return message.to_owned();
    }
    made.push_str(message.get().get(copied..).unwrap_or_default());
    RawValue::from_string(made).unwrap_or_else(|_| message.to_owned())
}

/// Whether what stands before the comma of a data URL may hold this.
fn is_of_head(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'{' | b'}')
}

/// How many bytes a URL stands for, whether they are in it or were cut out.
pub(super) fn length(url: &str) -> Option<usize> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    match head.split(';').find_map(|word| word.strip_prefix("cut=")) {
        Some(cut) => cut.parse().ok(),
        None if head.ends_with(";base64") => Some(decoded(data)),
        None => Some(data.len()),
    }
}

/// Whether the content of a data URL was cut out.
pub(super) fn is_cut(url: &str) -> bool {
    url.split_once(',')
        .is_some_and(|(head, _)| head.split(';').any(|word| word.starts_with("cut=")))
}

/// The bytes that a text in base64 stands for.
fn decoded(data: &str) -> usize {
    let letters = data.trim_end_matches('=').len();
    letters.saturating_mul(3) / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_text(json: &str) -> String {
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        cut(&raw).get().to_owned()
    }

    #[test]
    fn whole_data_urls_are_cut_and_nothing_else() {
        let data = "QUJD".repeat(100);
        let json = format!(
            r#"{{"a":"x \" data:","url" : "data:image/png;base64,{data}","b":[{{"url":"data:,{data}"}}]}}"#
        );
        assert_eq!(
            cut_text(&json),
            r#"{"a":"x \" data:","url" : "data:image/png;cut=300;base64,","b":[{"url":"data:;cut=400,"}]}"#
        );
        for kept in [
            r#"{"url":"data:image/png;base64,QUJD"}"#.to_owned(),
            format!(r#"{{"text":"see data:image/png;base64,{data}"}}"#),
            format!(r#"{{"data:,{data}" : 1}}"#),
            format!(r#"{{"text":"data:,{data}","url":["data:,{data}"]}}"#),
            // What a tool read from an event stream.
            format!(r#"{{"output":"data: {{\"id\":1,\"text\":\"{data}\"}}\n\n"}}"#),
            format!(r#"{{"url":"data: {{\"id\":1,\"text\":\"{data}\"}}\n\n"}}"#),
            "7".to_owned(),
        ] {
            assert_eq!(cut_text(&kept), kept);
        }
    }

    #[test]
    fn the_length_is_known_with_and_without_the_content() {
        let url = format!("data:image/png;base64,{}", "QUJD".repeat(100));
        assert_eq!((length(&url), is_cut(&url)), (Some(300), false));
        let url = "data:image/png;cut=300;base64,";
        assert_eq!((length(url), is_cut(url)), (Some(300), true));
        assert_eq!((length("data:text/plain,abc"), length("file:///a")), (Some(3), None));
    }
}
