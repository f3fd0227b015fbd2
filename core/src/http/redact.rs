//! [`Redactor`]: takes secrets out of everything that is shown: messages, bodies of errors, logs and recordings.

use crate::http::base_url::{percent_decode, percent_encode};
use crate::http::credentials::Credentials;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What stands in place of a secret.
pub(crate) const HIDDEN: &str = "***";
/// A text that is shorter keeps no secret: every message would hold it.
const MIN_SECRET: usize = 4;
/// A header's value of this length may be a secret whatever the header is called.
const MIN_VALUE: usize = 8;

/// The secrets of a client: what it sends with its requests, and a server may repeat.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    /// The longest first: one may hold another.
    secrets: Vec<String>,
}

impl Redactor {
    /// The password, the value of the `Authorization` header, and the values of other headers.
    pub(crate) fn new(credentials: Option<&Credentials>, headers: &[(String, String)]) -> Self {
        let own = credentials.map(Credentials::secrets).unwrap_or_default();
        Redactor::default().and(own.into_iter().chain(headers.iter().flat_map(in_header)))
    }

    /// The same, and the headers of one call, and those that stand in its body.
    pub(crate) fn with(
        &self,
        headers: &[(String, String)],
        hidden: &[(String, String)],
    ) -> Cow<'_, Redactor> {
        if headers.is_empty() && hidden.is_empty() {
            return Cow::Borrowed(self);
        }
        Cow::Owned(self.clone().and(headers.iter().chain(hidden).flat_map(in_header)))
    }

    fn and(mut self, secrets: impl Iterator<Item = String>) -> Self {
        // Unpadded: how the end of base64 is written differs.
        let bare = |secret: String| secret.trim_end_matches('=').to_owned();
        for secret in secrets.map(bare).filter(|secret| secret.len() >= MIN_SECRET) {
            self.secrets.extend([in_address(&secret), in_json(&secret), in_markup(&secret)]);
            self.secrets.push(secret);
        }
        self.secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.secrets.dedup();
        self
    }

    /// A text without the secrets of this client.
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.secrets {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), HIDDEN));
            }
        }
        text
    }

    /// A body without the secrets of this client, however JSON writes them. Borrowed when there is none in it.
    pub(crate) fn body<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if self.secrets.is_empty() {
            return Cow::Borrowed(bytes);
        }
        if let Ok(mut value) = serde_json::from_slice::<Value>(bytes)
            && self.replace(&mut value)
        {
            return Cow::Owned(self.text(&value.to_string()).into_owned().into_bytes());
        }
        match String::from_utf8_lossy(bytes) {
            text if self.has_secret(&text) => Cow::Owned(self.text(&text).into_owned().into()),
            _ => Cow::Borrowed(bytes),
        }
    }

    /// Takes secrets out of a value: those of this client, and whatever stands in a field that is named like one.
    pub(crate) fn scrub(&self, value: &mut Value) {
        self.scrub_fields(value, &is_secret);
    }

    /// The same for what is sent at the end of a sign-in, where `code` is as good as a password.
    pub(crate) fn scrub_callback(&self, value: &mut Value) {
        self.scrub_fields(value, &is_secret_of_callback);
    }

    /// A path and query without secrets.
    pub(crate) fn target(&self, target: &str) -> String {
        self.text(&address(target)).into_owned()
    }

    fn scrub_fields(&self, value: &mut Value, is_secret: &dyn Fn(&str) -> bool) {
        match value {
            Value::String(text) => {
                if is_address(text) {
                    *text = address(&without_userinfo(text));
                }
                if self.has_secret(text) {
                    *text = self.text(text).into_owned();
                }
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.scrub_fields(item, is_secret));
            }
            Value::Object(fields) => {
                let is_named = is_form_field(fields);
                for (name, value) in fields {
                    match value {
                        Value::String(_) if is_named && name == "key" => {
                            self.scrub_fields(value, is_secret);
                        }
                        Value::String(_) if is_secret_map(name) => {
                            self.scrub_fields(value, is_secret);
                        }
                        _ if is_secret(name) || is_secret_map(name) => hide(value),
                        _ => self.scrub_fields(value, is_secret),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Takes the secrets of this client out of all texts of a value; whether there were any.
    fn replace(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) if self.has_secret(text) => {
                *text = self.text(text).into_owned();
                true
            }
            Value::Array(items) => {
                items.iter_mut().fold(false, |any, item| self.replace(item) | any)
            }
            Value::Object(fields) => {
                fields.values_mut().fold(false, |any, item| self.replace(item) | any)
            }
            _ => false,
        }
    }

    fn has_secret(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| text.contains(secret.as_str()))
    }
}

/// The secrets in a header: its value, and the parts of it that a server may repeat alone.
fn in_header((name, value): &(String, String)) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let is_plain = name.starts_with("accept")
        || name.starts_with("content-")
        || name.starts_with("x-opencode-")
        || matches!(name.as_str(), "user-agent" | "cache-control" | "host" | "connection");
    let is_named = is_secret(&name);
    if !is_named && (is_plain || value.len() < MIN_VALUE) {
        return Vec::new();
    }
    let mut secrets = vec![value.clone()];
    if name.contains("cookie") {
        let values = value.split(';').filter_map(|pair| pair.split_once('='));
        secrets.extend(values.map(|(_, value)| value.trim().to_owned()));
    } else if let Some((_scheme, rest)) = value.trim().split_once(' ').filter(|_| is_named) {
        secrets.push(rest.trim().to_owned());
    }
    secrets
}

fn in_address(secret: &str) -> String {
    let mut encoded = String::new();
    percent_encode(&mut encoded, secret);
    encoded
}

fn in_json(secret: &str) -> String {
    let quoted = Value::from(secret).to_string();
    quoted.trim_start_matches('"').strip_suffix('"').unwrap_or(secret).to_owned()
}

fn in_markup(secret: &str) -> String {
    let escaped = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Hides every text in a value.
fn hide(value: &mut Value) {
    match value {
        Value::String(text) => HIDDEN.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(fields) => fields.values_mut().for_each(hide),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether a field of this name holds a secret.
fn is_secret(name: &str) -> bool {
    const PARTS: [&str; 9] = [
        "password",
        "passphrase",
        "passwd",
        "apikey",
        "secret",
        "authorization",
        "credential",
        "privatekey",
        "cookie",
    ];
    let name: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part))
        || matches!(name.as_str(), "key" | "token" | "ticket" | "access" | "refresh")
        || name.ends_with("token")
}

/// Whether it is a field of a form, or a condition of one: its `key` is its name.
fn is_form_field(fields: &Map<String, Value>) -> bool {
    const KINDS: [&str; 8] =
        ["string", "number", "integer", "boolean", "multiselect", "external", "text", "select"];
    let kind = fields.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| KINDS.contains(&kind)) || fields.contains_key("op")
}

/// In an address, and where a sign-in ends, a code is one too: whoever has it is let in.
fn is_secret_of_callback(name: &str) -> bool {
    is_secret(name) || name.eq_ignore_ascii_case("code")
}

/// Whether all values of an object of this name may be secrets.
fn is_secret_map(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "env" | "environment" | "headers")
}

/// Whether a text is an address, and nothing else.
fn is_address(text: &str) -> bool {
    text.contains("://") && !text.contains(char::is_whitespace)
}

/// An address without its user and password.
fn without_userinfo(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{HIDDEN}{}", &rest[at..]),
        None => address.to_owned(),
    }
}

/// An address or a target as it may be shown: the server takes credentials in the query too.
pub(crate) fn address(address: &str) -> String {
    let Some((path, query)) = address.split_once('?') else { return address.to_owned() };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret_of_callback(&percent_decode(name)) => {
            format!("{name}={HIDDEN}")
        }
        _ => pair.to_owned(),
    });
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redactor() -> Redactor {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = [
            header("X-Api-Key", "tok1"),
            header("Proxy-Authorization", "Bearer tok2-and-more"),
            header("Cookie", "theme=dark; session=tok3/yes"),
            header("X-Trace", "long-enough"),
            header("X-Flag", "on"),
            header("Accept", "application/json"),
        ];
        Redactor::new(Some(&Credentials::new("me", "a \"b\" & c")), &headers)
    }

    #[test]
    fn what_is_sent_is_hidden_however_it_is_repeated() {
        let redactor = redactor();
        let basic = Credentials::new("me", "a \"b\" & c").header();
        let page = format!(
            "<p>GET / {basic} tok1 tok2-and-more tok3/yes tok3%2Fyes long-enough a &quot;b&quot; &amp; c a%20%22b%22%20%26%20c a \\\"b\\\" &amp; c"
        );
        let shown = redactor.text(&page);
        assert!(
            !["tok1", "tok2", "tok3", "long", "bWU6", "quot"].iter().any(|s| shown.contains(s))
        );
        let body = json!({"a": [{"b": format!("{basic}, a \"b\" & c")}], "n": 1}).to_string();
        let shown = redactor.body(body.as_bytes()).into_owned();
        let shown: Value = serde_json::from_slice(&shown).unwrap();
        assert_eq!((&shown["n"], &shown["a"][0]["b"]), (&json!(1), &json!("Basic ***, ***")));
        // The escapes of JSON can write every letter in another way.
        let shown = redactor.body(br#"{"a":"\u0074ok1"}"#);
        assert_eq!(&*shown, br#"{"a":"***"}"#);
        let harmless = br#"{"a": "on", "b": "application/json", "c": "dark"}"#;
        assert!(matches!(redactor.body(br#"{"a": 1e2}"#), Cow::Borrowed(_)));
        assert!(String::from_utf8_lossy(&redactor.body(harmless)).contains("application/json"));
    }

    #[test]
    fn headers_of_one_call_are_secrets_too() {
        let header = [("Authorization".to_owned(), "Bearer abc-def".to_owned())];
        assert_eq!(redactor().with(&header, &[]).text("abc-def and tok1"), "*** and ***");
        assert_eq!(redactor().text("abc-def"), "abc-def");
    }

    #[test]
    fn fields_and_addresses_that_are_named_like_a_secret_are_hidden() {
        let mut value = json!({
            "passphrase": "k1", "Set-Cookie": ["k2"], "code": "shown",
            "url": "https://u:k3@h/cb?code=k4&state=shown", "text": "what code=is",
        });
        Redactor::default().scrub(&mut value);
        let text = value.to_string();
        assert!(!["k1", "k2", "k3", "k4"].iter().any(|secret| text.contains(secret)), "{text}");
        assert_eq!((&value["code"], &value["text"]), (&json!("shown"), &json!("what code=is")));
        Redactor::default().scrub_callback(&mut value);
        assert_eq!(value["code"], HIDDEN);
        assert_eq!(address("/cb?CODE=k&a=b&ticket=k"), "/cb?CODE=***&a=b&ticket=***");
    }

    #[test]
    fn a_text_of_three_letters_is_no_secret() {
        let redactor = Redactor::new(Some(&Credentials::new("me", "abc")), &[]);
        assert_eq!(redactor.text("abc"), "abc");
        assert!(!redactor.text(&Credentials::new("me", "abc").header()).contains("bWU6"));
    }
}
