//! [`ToolAnswer`]: what a tool gives back, in the form of MCP.

use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::host_names::OptionNames;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

/// What a tool answers: text, values and images, or a failure with words.
#[derive(Debug, Clone, Default)]
pub struct ToolAnswer {
    content: Vec<Value>,
    is_error: bool,
}

impl ToolAnswer {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        ToolAnswer::default().and_text(text)
    }

    /// A value, which the model reads as JSON.
    pub fn json(value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(json) => ToolAnswer::text(json),
            Err(error) => ToolAnswer::failure(format!("the answer is no JSON: {error}")),
        }
    }

    /// An image, such as of `image/png`.
    pub fn image(mime: impl Into<String>, bytes: &[u8]) -> Self {
        ToolAnswer::default().and_image(mime, bytes)
    }

    /// A failure: the model reads the message and may do something else.
    pub fn failure(message: impl Into<String>) -> Self {
        ToolAnswer { is_error: true, ..ToolAnswer::text(message) }
    }

    /// The same and a text.
    #[must_use]
    pub fn and_text(mut self, text: impl Into<String>) -> Self {
        self.content.push(json!({ "type": "text", "text": text.into() }));
        self
    }

    /// The same and an image.
    #[must_use]
    pub fn and_image(self, mime: impl Into<String>, bytes: &[u8]) -> Self {
        self.and_image_base64(&mime.into(), &STANDARD.encode(bytes))
    }

    fn and_image_base64(mut self, mime: &str, data: &str) -> Self {
        self.content.push(json!({ "type": "image", "mimeType": mime, "data": data }));
        self
    }

    /// Reads the JSON of a binding: `text`, `value` (any JSON), `images` (each with `mime` and `data`, base64, or with the
    /// `url` of an attachment), or `error`, a message. Each of them may be left out, and `{}` says that it is done.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field.
    pub fn from_json(json: &str) -> Result<Self> {
        let mut fields = Fields::beside(
            &["text", "value", "images", "error"],
            "tool_reply",
            json,
            &OptionNames::NONE,
        )?;
        if let Some(message) = fields.text("error")? {
            return Ok(ToolAnswer::failure(message));
        }
        let mut answer = ToolAnswer::default();
        if let Some(text) = fields.text("text")? {
            answer = answer.and_text(text);
        }
        if let Some(value) = fields.json("value") {
            answer = answer.and_text(value.get());
        }
        let wrong = || {
            Error::invalid(
                "tool_reply: images must be a list of objects with 'mime' and 'data', base64",
            )
        };
        match fields.value("images")? {
            None => {}
            Some(Value::Array(images)) => {
                for image in images {
                    let text =
                        |name: &str| image.get(name).and_then(Value::as_str).ok_or_else(wrong);
                    let mime = text("mime")?;
                    let data = match image.get("url").and_then(Value::as_str) {
                        Some(url) => url.split_once(";base64,").ok_or_else(wrong)?.1,
                        None => text("data")?,
                    };
                    STANDARD.decode(data).map_err(|_| wrong())?;
                    answer = answer.and_image_base64(mime, data);
                }
            }
            Some(_) => return Err(wrong()),
        }
        Ok(answer)
    }

    /// The result of `tools/call`. A model that reads nothing at all may call once more.
    pub(super) fn to_result(&self) -> String {
        let done = [json!({ "type": "text", "text": "done" })];
        let content = if self.content.is_empty() { &done[..] } else { &self.content };
        let mut result = json!({ "content": content });
        if self.is_error {
            crate::base::json::put(&mut result, "isError", true);
        }
        result.to_string()
    }
}

impl From<&str> for ToolAnswer {
    fn from(text: &str) -> Self {
        ToolAnswer::text(text)
    }
}

impl From<String> for ToolAnswer {
    fn from(text: String) -> Self {
        ToolAnswer::text(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_bindings_are_read() {
        let read = |json: &str| ToolAnswer::from_json(json).map(|answer| answer.to_result());
        let text =
            |text: &str| json!({ "content": [{ "type": "text", "text": text }] }).to_string();
        assert_eq!(read(r#"{"text":"a"}"#).unwrap(), text("a"));
        assert_eq!(read(r#"{"value":{"a":[1,null]}}"#).unwrap(), text(r#"{"a":[1,null]}"#));
        assert_eq!(read(r#"{"value":null}"#).unwrap(), text("done"));
        assert_eq!(read("{}").unwrap(), text("done"));
        assert!(read(r#"{"error":"no"}"#).unwrap().contains(r#""isError":true"#));
        let image = read(r#"{"images":[{"mime":"image/png","data":"AAAA"}]}"#).unwrap();
        assert!(image.contains(r#""mimeType":"image/png""#), "{image}");
        let part = r#"{"images":[{"mime":"image/png","url":"data:image/png;base64,AAAA"}]}"#;
        assert_eq!(read(part).unwrap(), image);
        for wrong in [
            r#"{"images":[7]}"#,
            r#"{"images":[{"mime":"a","data":"?"}]}"#,
            r#"{"txt":"a"}"#,
            "[1]",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
