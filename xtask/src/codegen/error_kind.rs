//! `spec/errors.toml` as the generators see it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::spec::name;

pub(super) struct Errors {
    /// Python classes that are only there to be caught, base classes first.
    pub(super) groups: Vec<Group>,
    /// By number.
    pub(super) kinds: Vec<Kind>,
}

pub(super) struct Group {
    pub(super) python: String,
    pub(super) bases: Vec<String>,
    pub(super) when: String,
}

pub(super) struct Kind {
    pub(super) number: i64,
    pub(super) name: String,
    pub(super) class: Group,
}

impl Errors {
    pub(super) fn load(folder: &Path) -> Result<Self, String> {
        let path = folder.join("errors.toml");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|e| format!("spec/errors.toml: {e}"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let document: Value = crate::spec::toml(text)?;
        let entries = |table: &str| document[table].as_array().cloned().unwrap_or_default();
        let groups = entries("group").iter().map(Group::read).collect::<Result<Vec<_>, _>>()?;
        let kinds = entries("kind").iter().map(Kind::read).collect::<Result<Vec<_>, _>>()?;
        let errors = Self { groups, kinds };
        errors.check()?;
        Ok(errors)
    }

    fn check(&self) -> Result<(), String> {
        if !self.kinds.windows(2).all(|pair| pair[0].number < pair[1].number) {
            return Err("the numbers must rise, and none may come twice".to_owned());
        }
        let names: BTreeSet<&String> = self.kinds.iter().map(|kind| &kind.name).collect();
        if names.len() < self.kinds.len() {
            return Err("two kinds share a name".to_owned());
        }
        // A class must stand behind its bases: Python reads from top to bottom.
        let mut known =
            BTreeSet::from(["Exception", "ValueError", "ConnectionError", "TimeoutError"]);
        let classes = self.groups.iter().chain(self.kinds.iter().map(|kind| &kind.class));
        for class in classes {
            if let Some(base) = class.bases.iter().find(|base| !known.contains(base.as_str())) {
                return Err(format!("{}: no class {base} before it", class.python));
            }
            if !known.insert(&class.python) {
                return Err(format!("{}: there are two", class.python));
            }
        }
        Ok(())
    }
}

impl Group {
    fn read(entry: &Value) -> Result<Self, String> {
        let text = |key: &str| {
            let value = entry[key].as_str();
            value.map(str::to_owned).ok_or_else(|| format!("an entry has no `{key}`: {entry}"))
        };
        let bases = entry["bases"].as_array().into_iter().flatten();
        Ok(Self {
            python: text("python")?,
            bases: bases.filter_map(Value::as_str).map(str::to_owned).collect(),
            when: text("when")?,
        })
    }
}

impl Kind {
    fn read(entry: &Value) -> Result<Self, String> {
        Ok(Self {
            number: entry["number"].as_i64().ok_or("a kind has no number")?,
            name: entry["name"].as_str().ok_or("a kind has no name")?.to_owned(),
            class: Group::read(entry)?,
        })
    }

    /// The variant of the Rust enum.
    pub(super) fn variant(&self) -> String {
        name::pascal(&self.name)
    }

    /// The constant of the C header.
    pub(super) fn constant(&self) -> String {
        format!("OPENCODE_STATUS_{}", self.name.to_ascii_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"
        [[group]]
        python = "OpencodeError"
        bases = ["Exception"]
        when = "always"
        [[kind]]
        number = 11
        name = "timeout"
        python = "APITimeoutError"
        bases = ["OpencodeError", "TimeoutError"]
        when = "late"
    "#;

    #[test]
    fn a_kind_has_a_name_in_every_language() {
        let errors = Errors::parse(TABLE).unwrap();
        assert_eq!(errors.kinds[0].variant(), "Timeout");
        assert_eq!(errors.kinds[0].constant(), "OPENCODE_STATUS_TIMEOUT");
    }

    #[test]
    fn a_number_is_not_given_twice_and_a_base_stands_first() {
        let twice =
            format!("{TABLE}\n[[kind]]\nnumber=11\nname=\"x\"\npython=\"X\"\nbases=[]\nwhen=\"x\"");
        assert!(Errors::parse(&twice).is_err());
        let wrong = TABLE.replace("\"OpencodeError\", ", "\"Later\", ");
        assert_eq!(
            Errors::parse(&wrong).err().as_deref(),
            Some("APITimeoutError: no class Later before it")
        );
    }
}
