//! Why a server did not start, in one form.

use crate::base::error::{Error, ErrorKind};

/// An error of kind `start` with its code, such as `port` or `exited`.
pub(super) fn failed(code: &str, text: String) -> Error {
    Error::new(ErrorKind::Start, format!("server: {text}")).with_code(Some(code.to_owned()))
}
