//! One word, one thing: the name of a type stands for one type of the core.

use std::collections::BTreeMap;
use std::path::Path;

use crate::floors::sources;

/// The same types for different systems: one of the two files is built.
const FOR_EACH_SYSTEM: [[&str; 2]; 1] = [["server/reaper/job", "server/reaper/shell"]];

/// Names the first type whose name another file of the core has given away.
///
/// # Errors
/// One line: which name, in which two files, and what to do.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let sources = sources(&root.join("core/src"))?;
    first_double(sources.iter().map(|(module, text)| (module.join("/"), text.as_str())))
}

fn first_double<'a>(sources: impl Iterator<Item = (String, &'a str)>) -> Result<(), String> {
    let mut places: BTreeMap<&str, String> = BTreeMap::new();
    for (module, text) in sources {
        for name in text.lines().filter_map(declared) {
            let Some(other) = places.insert(name, module.clone()) else { continue };
            let are_systems = FOR_EACH_SYSTEM.contains(&[other.as_str(), module.as_str()]);
            if other != module && !are_systems {
                return Err(format!(
                    "core/src/{module}: the type {name} has its name from core/src/{other}; call one of them otherwise"
                ));
            }
        }
    }
    Ok(())
}

/// The type that a line declares at the level of its module.
fn declared(line: &str) -> Option<&str> {
    let rest = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.strip_prefix(' ')?,
        None => line,
    };
    let kinds = ["struct ", "enum ", "trait ", "type ", "union "];
    let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    name.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_gives_each_name_once() {
        check(&crate::spec::root()).unwrap();
    }

    #[test]
    fn what_a_line_declares() {
        assert_eq!(declared("pub(crate) struct Feed(Arc<Shared>);"), Some("Feed"));
        assert_eq!(declared("pub enum Update<'a> {"), Some("Update"));
        assert_eq!(declared("type Job = Box<dyn FnOnce()>;"), Some("Job"));
        assert_eq!(declared("    type Value = Node;"), None);
        assert_eq!(declared("pub use self::feed::Feed;"), None);
    }

    #[test]
    fn a_name_given_twice_is_an_error() {
        let of = |files: &[(&str, &'static str)]| {
            first_double(files.iter().map(|(module, text)| ((*module).to_owned(), *text)))
        };
        assert_eq!(of(&[("a", "struct A;"), ("b", "struct B;\nimpl A {}")]), Ok(()));
        let error = of(&[("a", "struct A;"), ("run/b", "pub(super) enum A {")]).unwrap_err();
        assert!(error.starts_with("core/src/run/b: the type A has its name from core/src/a"));
        let systems =
            [("server/reaper/job", "struct Reaper;"), ("server/reaper/shell", "struct Reaper;")];
        assert_eq!(of(&systems), Ok(()));
    }
}
