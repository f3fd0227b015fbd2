//! A request of the host's own, for what the table does not know.

use crate::base::error::{Error, Result};
use crate::base::fields::Fields;
use crate::base::option_names;
use crate::call::options::CallOptions;
use crate::http::base_url::percent_encode;
use crate::http::redact;
use crate::http::transport::Expect;
use crate::protocol::operation::route::Routed;
use crate::protocol::operation::{self, AnswerKind};
use serde_json::Value;
use ureq::http::Method;
use ureq::http::uri::PathAndQuery;

/// What can be asked for without being an operation.
const METHODS: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// What a request has beside its method and path.
#[derive(Debug, Default)]
pub struct RequestOptions {
    /// Names and values behind the path.
    pub query: Vec<(String, String)>,
    /// JSON.
    pub body: Option<String>,
    /// Those of any call.
    pub call: CallOptions,
}

impl RequestOptions {
    /// Reads the JSON object of a binding: `query`, an object, `body`, any JSON, and what [`CallOptions::from_json`] reads.
    ///
    /// # Errors
    /// `invalid_argument` that names the wrong field.
    pub fn from_json(json: &str) -> Result<Self> {
        let own = ["query", "body"];
        let mut fields = Fields::beside(&own, "request", json, &option_names::CALL)?;
        Ok(RequestOptions {
            query: query(&mut fields)?,
            body: body(&mut fields),
            call: CallOptions::take(&mut fields)?,
        })
    }
}

/// The query of a request among its fields: what is no text is written as JSON.
pub(crate) fn query(fields: &mut Fields) -> Result<Vec<(String, String)>> {
    Ok(match fields.object("query")? {
        Some(Value::Object(query)) => query.into_iter().map(pair).collect(),
        _ => Vec::new(),
    })
}

/// The body of a request among its fields.
pub(crate) fn body(fields: &mut Fields) -> Option<String> {
    fields.json("body").map(|body| body.get().to_owned())
}

fn pair((name, value): (String, Value)) -> (String, String) {
    match value {
        Value::String(text) => (name, text),
        other => (name, other.to_string()),
    }
}

/// Makes a request of method, path and JSON body for what the table does not know.
pub(crate) fn raw_route(
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: Option<&str>,
) -> Result<Routed> {
    let method = METHODS
        .into_iter()
        .find(|known| known.as_str().eq_ignore_ascii_case(method))
        .ok_or_else(|| Error::invalid(format!("request: '{method}' is no HTTP method")))?;
    if method == Method::HEAD && body.is_some() {
        return Err(Error::invalid("request: HEAD takes no body"));
    }
    // A '#' and what is behind it would be left out without a word.
    let is_whole = path.parse::<PathAndQuery>().is_ok_and(|parsed| parsed.as_str() == path);
    if !path.starts_with('/') || !path.is_ascii() || !is_whole {
        let shown = redact::address(path);
        return Err(Error::invalid(format!(
            "request: the path '{shown}' must begin with '/' and be percent-encoded"
        )));
    }
    let mut target = path.to_owned();
    for (name, value) in query {
        target.push(if target.contains('?') { '&' } else { '?' });
        percent_encode(&mut target, name);
        target.push('=');
        percent_encode(&mut target, value);
    }
    if let Some(body) = body {
        serde_json::from_str::<serde::de::IgnoredAny>(body)
            .map_err(|e| Error::invalid(format!("request: the body is no JSON: {e}")))?;
    }
    let body = body.map(|body| body.as_bytes().to_vec());
    // A file may be a page.
    let is_file = operation::at(method.as_str(), &target)
        .is_some_and(|operation| operation.answer == AnswerKind::Bytes);
    let expect = if is_file { Expect::Anything } else { Expect::NoPage };
    Ok(Routed { method, target, body, expect, headers: &[], directory: None, hidden: Vec::new() })
}
