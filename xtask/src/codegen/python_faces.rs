//! The faces of the Python package whose methods take the options of `spec/options.toml`: templates in `python/`, filled in.
//!
//! A line `#parameters NOUN` becomes the parameters of that noun, `#docs NOUN` their lines in a docstring, `#given NOUN` the
//! entries of a dict of them. Names behind the noun, each after a `-`, are left out.

use std::fmt::Write as _;

use super::NOTICE;
use super::options::{Choice, Options};

/// Each file with its template.
const FACES: [(&str, &str); 6] = [
    ("_client.py", include_str!("python/client.py.txt")),
    ("_async.py", include_str!("python/async_client.py.txt")),
    ("_server.py", include_str!("python/server.py.txt")),
    ("_async_server.py", include_str!("python/async_server.py.txt")),
    ("_pty_openers.py", include_str!("python/pty_openers.py.txt")),
    ("_attach.py", include_str!("python/attach.py.txt")),
];

/// Name and text of every file.
pub(super) fn files(options: &Options) -> Result<Vec<(&'static str, String)>, String> {
    let filled = FACES.iter().map(|(name, template)| {
        let text = fill(template, options).map_err(|e| format!("{name}: {e}"))?;
        Ok((*name, format!("# {NOTICE}\n{text}")))
    });
    filled.collect()
}

fn fill(template: &str, options: &Options) -> Result<String, String> {
    let mut text = String::new();
    for line in template.lines() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let mut words = line.split_whitespace();
        let write = match words.next() {
            Some("#parameters") => parameter,
            Some("#docs") => doc,
            Some("#given") => given,
            _ => {
                let _ = writeln!(text, "{line}");
                continue;
            }
        };
        let noun = words.next().ok_or("a placeholder names no noun")?;
        let without: Vec<&str> = words.filter_map(|word| word.strip_prefix('-')).collect();
        for choice in options.of(noun)? {
            let Some(name) = &choice.python else { continue };
            if !without.contains(&name.as_str()) {
                let _ = writeln!(text, "{indent}{}", write(name, choice));
            }
        }
    }
    Ok(text)
}

fn parameter(name: &str, choice: &Choice) -> String {
    format!("{name}: {} | None = None,", annotation(choice))
}

fn doc(name: &str, choice: &Choice) -> String {
    let unit = if choice.kind == "time" { " In seconds." } else { "" };
    let default = choice.default.as_ref().map(|text| match text.as_str() {
        "true" => " Default: True.".to_owned(),
        "false" => " Default: False.".to_owned(),
        text => format!(" Default: {text}."),
    });
    format!("{name}: {}{unit}{}", choice.doc, default.unwrap_or_default())
}

fn given(name: &str, choice: &Choice) -> String {
    format!("\"{}\": {name},", choice.name)
}

/// What type checkers and editors show.
fn annotation(choice: &Choice) -> String {
    if !choice.values.is_empty() {
        let words: Vec<String> = choice.values.iter().map(|word| format!("{word:?}")).collect();
        return format!("typing.Literal[{}]", words.join(", "));
    }
    let annotation = match choice.kind.as_str() {
        "path" => "str | os.PathLike[str]",
        "flag" => "bool",
        "count" | "integer" => "int",
        "number" => "float",
        "time" => "float | datetime.timedelta",
        // A text is a sequence of texts too, and never what was meant.
        "texts" => "list[str] | tuple[str, ...]",
        "object" => "abc.Mapping[str, typing.Any]",
        "headers" => "abc.Mapping[str, str]",
        "variables" => "abc.Mapping[str, str | None]",
        "tools" => "abc.Mapping[str, bool]",
        "dialect" => "typing.Literal[\"auto\", 1, 2]",
        "model" => "shapes.Model",
        "files" => "shapes.Files",
        "format" => "shapes.Format[shapes.Parsed]",
        "permission" => "shapes.PermissionPolicy",
        "lines" => "str | int",
        "moment" => "str | datetime.datetime | datetime.date",
        _ => "str",
    };
    annotation.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_becomes_a_line_for_each_option() {
        let options = Options::load(&crate::spec::folder()).unwrap();
        let text = fill("def f(\n    #parameters usage -directory\n):\n", &options).unwrap();
        let expected = "def f(\n    tree: bool | None = None,\n    messages: bool | None = None,\n    since: str | datetime.datetime | datetime.date | None = None,\n    until: str | datetime.datetime | datetime.date | None = None,\n    scope: typing.Literal[\"directory\", \"global\"] | None = None,\n    traceparent: str | None = None,\n):\n";
        assert_eq!(text, expected);
        assert!(fill("#docs nothing", &options).is_err());
    }

    #[test]
    fn every_face_says_that_it_is_generated() {
        let options = Options::load(&crate::spec::folder()).unwrap();
        for (name, text) in files(&options).unwrap() {
            assert!(text.starts_with(&format!("# {NOTICE}\n")), "{name}");
            assert!(!text.contains("#parameters"), "{name}");
        }
    }
}
