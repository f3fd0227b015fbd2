//! `spec/options.toml` as the generators see it: what each noun takes by name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// The kinds that `spec/options.toml` may name.
const KINDS: &[&str] = &[
    "text",
    "path",
    "flag",
    "count",
    "integer",
    "number",
    "time",
    "texts",
    "object",
    "headers",
    "variables",
    "traceparent",
    "moment",
    "model",
    "dialect",
    "tools",
    "parts",
    "files",
    "format",
    "permission",
    "lines",
];

pub(super) struct Options {
    /// Nouns by name, each with its options in the order of the file.
    pub(super) nouns: Vec<(String, Vec<Choice>)>,
}

/// One thing that may be given.
pub(super) struct Choice {
    pub(super) name: String,
    /// The name in Python; none where Python takes it in another way.
    pub(super) python: Option<String>,
    pub(super) kind: String,
    /// The words that a text may be; any when empty.
    pub(super) values: Vec<String>,
    pub(super) default: Option<String>,
    pub(super) doc: String,
}

impl Options {
    pub(super) fn load(folder: &Path) -> Result<Self, String> {
        let path = folder.join("options.toml");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|e| format!("spec/options.toml: {e}"))
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document: Value = crate::spec::toml(text)?;
        let nouns = document.as_object().into_iter().flatten().map(|(noun, entries)| {
            let entries = entries.as_array().ok_or_else(|| format!("{noun} is no list"))?;
            let choices = entries.iter().map(Choice::read).collect::<Result<Vec<_>, _>>();
            let choices = choices.map_err(|e| format!("{noun}: {e}"))?;
            let names: BTreeSet<&String> = choices.iter().map(|choice| &choice.name).collect();
            if names.len() < choices.len() {
                return Err(format!("{noun}: two options share a name"));
            }
            Ok((noun.clone(), choices))
        });
        Ok(Self { nouns: nouns.collect::<Result<_, String>>()? })
    }

    /// The options of a noun.
    pub(super) fn of(&self, noun: &str) -> Result<&[Choice], String> {
        let found = self.nouns.iter().find(|(name, _)| name == noun);
        let (_, choices) = found.ok_or_else(|| format!("spec/options.toml has no {noun}"))?;
        Ok(choices)
    }
}

impl Choice {
    fn read(entry: &Value) -> Result<Self, String> {
        let keys = ["name", "python", "kind", "values", "default", "doc"];
        let odd =
            entry.as_object().into_iter().flatten().find(|(key, _)| !keys.contains(&key.as_str()));
        if let Some((key, _)) = odd {
            return Err(format!("there is no key '{key}'"));
        }
        let text = |key: &str| {
            let value = entry[key].as_str();
            value.map(str::to_owned).ok_or_else(|| format!("an option has no `{key}`: {entry}"))
        };
        let name = text("name")?;
        let kind = text("kind")?;
        if !KINDS.contains(&kind.as_str()) {
            return Err(format!("{name}: there is no kind '{kind}'"));
        }
        let python = match &entry["python"] {
            Value::Bool(false) => None,
            Value::String(other) => Some(other.clone()),
            _ => Some(name.clone()),
        };
        let values = entry["values"].as_array().into_iter().flatten();
        let doc = text("doc")?;
        if !doc.ends_with('.') {
            return Err(format!("{name}: the line of documentation is no sentence"));
        }
        Ok(Self {
            python,
            kind,
            values: values.filter_map(Value::as_str).map(str::to_owned).collect(),
            default: entry["default"].as_str().map(str::to_owned),
            doc,
            name,
        })
    }

    /// The name that core reads: times there are milliseconds, and say so.
    pub(super) fn core_name(&self) -> String {
        match self.kind.as_str() {
            "time" => format!("{}_ms", self.name),
            _ => self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(entry: &str) -> String {
        let text = format!("[[noun]]\nname = \"a\"\n{entry}");
        Options::parse(&text).err().unwrap_or_default()
    }

    #[test]
    fn times_are_milliseconds_in_core() {
        let text = "[[noun]]\nname = \"a\"\nkind = \"time\"\ndoc = \"A.\"\n\
                    [[noun]]\nname = \"b\"\nkind = \"text\"\npython = \"c\"\ndoc = \"B.\"";
        let options = Options::parse(text).unwrap();
        let choices = options.of("noun").unwrap();
        assert_eq!(
            (choices[0].core_name().as_str(), choices[1].core_name().as_str()),
            ("a_ms", "b")
        );
        assert_eq!(choices[1].python.as_deref(), Some("c"));
        assert!(options.of("nothing").is_err());
    }

    #[test]
    fn mistakes_in_the_file_are_named() {
        assert!(error("kind = \"txt\"\ndoc = \"A.\"").contains("there is no kind 'txt'"));
        assert!(error("kind = \"text\"\ndoc = \"A\"").contains("no sentence"));
        assert!(error("kind = \"text\"\ndocs = \"A.\"").contains("no key 'docs'"));
        let twice =
            "kind = \"text\"\ndoc = \"A.\"\n[[noun]]\nname = \"a\"\nkind = \"text\"\ndoc = \"A.\"";
        assert!(error(twice).contains("share a name"));
    }
}
