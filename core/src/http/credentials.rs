//! [`Credentials`]: user and password of a server, which show themselves to nobody.

use crate::base::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// The user name that the server expects unless it was started with another one.
pub(crate) const DEFAULT_USERNAME: &str = "opencode";

/// A user name and a password for HTTP Basic authentication.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    pub(crate) fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        let username = username.into();
        let username = if username.is_empty() { DEFAULT_USERNAME.to_owned() } else { username };
        Credentials { username, password: password.into() }
    }

    /// The same with another name or password, where one is given.
    pub(crate) fn with(mut self, username: Option<&str>, password: Option<&str>) -> Self {
        if let Some(username) = username.filter(|name| !name.is_empty()) {
            username.clone_into(&mut self.username);
        }
        if let Some(password) = password {
            password.clone_into(&mut self.password);
        }
        self
    }

    /// Refuses a name that ends at its first colon for every server: the rest would count as the password.
    pub(crate) fn check(&self) -> Result<()> {
        if self.username.contains(':') {
            return Err(Error::invalid(
                "username: a ':' cannot be sent in a name; choose another one",
            ));
        }
        Ok(())
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> String {
        let pair = format!("{}:{}", self.username, self.password);
        format!("Basic {}", STANDARD.encode(pair))
    }
}

impl Credentials {
    /// Everything that must not be shown: the password, and the header's value without its scheme.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let encoded = self.header().split_off("Basic ".len());
        [self.password.clone(), encoded].into_iter().filter(|text| !text.is_empty()).collect()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_no_secret() {
        let credentials = Credentials::new("me", "hunter2");
        assert_eq!(format!("{credentials:?}"), "Credentials(***)");
        assert_eq!(credentials.header(), "Basic bWU6aHVudGVyMg==");
    }
}
