//! A request of the host's own, for what the table does not know.

use crate::base::error::{Error, Result};
use crate::http::base_url::percent_encode;
use crate::http::redact;
use crate::http::transport::Expect;
use crate::protocol::operation::route::Routed;
use crate::protocol::operation::{self, AnswerKind};
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
