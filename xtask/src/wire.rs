//! A run knows no wire: the names of operations, events and paths stand in `core/src/run/wire` alone. And each of its five
//! machines keeps its fields to itself.

use crate::floors;
use std::fs;
use std::path::Path;

/// Where the names may stand: the translators, and the tests that feed one.
const PLACES: &[&str] = &["wire", "machine/scenes", "machine/simulation"];

/// What names of operations and events, and paths, begin with.
const GROUPS: &[&str] = &[
    "app",
    "config",
    "file",
    "global",
    "message",
    "permission",
    "question",
    "server",
    "session",
    "todo",
];

/// The machines of a run, below `core/src/run/machine`.
const MACHINES: &[&str] = &["opening", "sending", "looking", "inquiries", "ending"];

/// Names the first place where a run knows what a server calls things, and the first field that two machines could share.
///
/// # Errors
/// One line: which file and line, the name, and what to do.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let folder = root.join("core/src/run");
    for (module, text) in floors::sources(&folder)? {
        let place = module.join("/");
        let may_name = PLACES.iter().any(|known| Path::new(&place).starts_with(known));
        if !may_name && let Some((line, name)) = first_name(&text) {
            return Err(format!(
                "core/src/run/{place}:{line}: {name} is a name of the wire; let core/src/run/wire say what it means"
            ));
        }
    }
    for machine in MACHINES {
        let path = folder.join("machine").join(machine).with_extension("rs");
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        if let Some(field) = shared_field(machine, &text)? {
            return Err(format!(
                "{}: {field}: a machine keeps its fields to itself; tell the other what it needs",
                path.display()
            ));
        }
    }
    Ok(())
}

/// The first field of a machine that another file can name.
fn shared_field(machine: &str, text: &str) -> Result<Option<String>, String> {
    let name: String = machine[..1].to_uppercase() + &machine[1..];
    let head = format!("struct {name} {{");
    let (_, body) = text.split_once(&head).ok_or(format!("{machine}.rs: there is no {head} }}"))?;
    let fields = body.split("\n}").next().unwrap_or_default().lines().map(str::trim);
    Ok(fields.filter(|line| line.starts_with("pub")).map(str::to_owned).next())
}

/// The first line with such a name outside of comments, and the name.
fn first_name(text: &str) -> Option<(usize, String)> {
    let code = |line: &'_ str| !line.trim_start().starts_with("//");
    let lines = text.lines().enumerate().filter(|(_, line)| code(line));
    lines.flat_map(|(at, line)| names(line).map(move |name| (at + 1, name))).next()
}

fn names(line: &str) -> impl Iterator<Item = String> {
    line.split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| is_name(text))
        .map(|text| format!("\"{text}\""))
}

fn is_name(text: &str) -> bool {
    let is_path = |rest: &str| rest.is_empty() || rest.starts_with(['/', '?']);
    let is_dotted = |rest: &str| {
        rest.strip_prefix('.')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    };
    match text.strip_prefix('/') {
        Some(path) => GROUPS.iter().any(|group| path.strip_prefix(group).is_some_and(is_path)),
        None => GROUPS.iter().any(|group| text.strip_prefix(group).is_some_and(is_dotted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_knows_no_wire() {
        check(&crate::spec::root()).unwrap();
    }

    #[test]
    fn a_field_that_machines_could_share_is_found() {
        let text = "pub(super) struct Ending {\n    a: u8,\n    pub(super) b: u8,\n}\nstruct C {\n    pub d: u8,\n}\n";
        assert_eq!(shared_field("ending", text).unwrap().unwrap(), "pub(super) b: u8,");
        assert!(shared_field("ending", &text.replace("pub(super) b", "b")).unwrap().is_none());
        assert!(shared_field("opening", text).is_err());
    }

    #[test]
    fn a_name_of_the_wire_is_found() {
        for line in [
            r#"self.ask("session.abort", id);"#,
            r#"match kind { "a" | "message.updated" => 1 }"#,
            r#"let path = "/session/x/message";"#,
            r#"let path = "/permission";"#,
        ] {
            let text = format!("// \"session.idle\"\n{line}\n");
            assert_eq!(first_name(&text).map(|(at, _)| at), Some(2), "{line}");
        }
        for line in [
            r#"format!("run: session {id} was deleted")"#,
            r#""sessions.""#,
            r#"Error::new("permission. Answer it")"#,
        ] {
            assert_eq!(first_name(line), None, "{line}");
        }
    }
}
