//! [`Dialect`] and [`ServerInfo`]: what a server speaks, and what it says of itself.

use crate::base::error::{Error, Result};
use serde_json::{Value, json};

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenCode 1.x.
    One,
    /// OpenCode 2.x: everything lies below `/api`, and much is different.
    Two,
}

impl Dialect {
    /// `1.x` or `2.x`.
    pub fn as_str(self) -> &'static str {
        match self {
            Dialect::One => "1.x",
            Dialect::Two => "2.x",
        }
    }

    /// Reads what a host chose: 1, 2, `"1"`, `"1.x"` and so on; `None` for `"auto"`, which means to find out.
    pub(crate) fn choice(value: &Value) -> Result<Option<Dialect>> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match text.as_str() {
            "auto" => Ok(None),
            "1" | "1.x" => Ok(Some(Dialect::One)),
            "2" | "2.x" => Ok(Some(Dialect::Two)),
            _ => Err(Error::invalid(format!(
                "client: dialect must be \"auto\", 1 or 2, not {value}"
            ))),
        }
    }
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerInfo {
    /// Such as `1.18.33`.
    pub version: String,
    /// What it speaks.
    pub dialect: Dialect,
}

impl ServerInfo {
    /// Whether it is one of 2.0.0 to 2.0.3, which say what they are at another place than all later ones.
    pub fn is_early(&self) -> bool {
        self.dialect == Dialect::Two
            && ["2.0.0", "2.0.1", "2.0.2", "2.0.3"].contains(&self.version.as_str())
    }

    /// `{version, dialect}`.
    pub fn to_json(&self) -> String {
        json!({ "version": self.version, "dialect": self.dialect.as_str() }).to_string()
    }

    /// As it stands in a sentence.
    pub(crate) fn name(&self) -> String {
        let early = if self.is_early() { "early " } else { "" };
        format!("{early}OpenCode {} server", self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dialect_is_chosen_by_number_or_by_name() {
        for value in [json!(1), json!("1"), json!("1.x")] {
            assert_eq!(Dialect::choice(&value).expect("known"), Some(Dialect::One));
        }
        assert_eq!(Dialect::choice(&json!(2)).expect("known"), Some(Dialect::Two));
        assert_eq!(Dialect::choice(&json!("auto")).expect("known"), None);
        for value in [json!(3), json!(1.5), json!("new"), json!(true), json!({})] {
            assert!(Dialect::choice(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn only_the_first_versions_of_2_x_are_early() {
        let info = |version: &str, dialect| ServerInfo { version: version.to_owned(), dialect };
        assert!(info("2.0.3", Dialect::Two).is_early());
        assert!(info("2.0.3", Dialect::Two).name().starts_with("early OpenCode 2.0.3"));
        assert!(!info("2.0.4", Dialect::Two).is_early());
        assert!(!info("2.0.3", Dialect::One).is_early());
    }
}
