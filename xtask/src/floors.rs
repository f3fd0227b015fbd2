//! The floors of the core, as the table in ARCHITECTURE.md names them: no file imports upwards, in a circle, or through
//! `lib.rs`. In the bindings, and in the Python package, no two files import each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path, such as `http`, `sse`; that of `lib.rs` is empty.
pub(crate) type Module = Vec<String>;

/// What a folder of sources imports.
struct House {
    imports: BTreeMap<Module, BTreeSet<Module>>,
}

/// Names the first import that stands against the order.
///
/// # Errors
/// One line: which file imports what, and what to do.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let architecture = read(&root.join("ARCHITECTURE.md"))?;
    let core = House::read(&root.join("core/src"))?;
    core.check_table(&architecture)?;
    core.check_order(&floors(&architecture))?;
    for folder in ["core/src", "bindings-c/src", "bindings-lua/src", "bindings-python/src"] {
        House::read(&root.join(folder))?.check_circles(folder)?;
    }
    let package = "bindings-python/python/libopencode";
    House::of_package(&root.join(package))?.check_circles(package)
}

/// The first column of the table, from the bottom.
fn floors(architecture: &str) -> Vec<String> {
    rows(architecture).filter_map(|row| quoted(row.split('|').nth(1)?).pop()).collect()
}

fn rows(architecture: &str) -> impl Iterator<Item = &str> {
    let table = architecture.split("## The core, from the bottom").nth(1).unwrap_or_default();
    table
        .split("\n## ")
        .next()
        .unwrap_or_default()
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains('`'))
}

/// The modules of the same package that a source in Python names.
fn siblings(text: &str) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if let Some(names) = line.strip_prefix("from . import ") {
            let names = names.split(',').filter_map(|name| name.split_whitespace().next());
            found.extend(names.map(|name| vec![name.to_owned()]));
        } else if let Some(rest) = line.strip_prefix("from .") {
            found.extend(rest.split_whitespace().next().map(|name| vec![name.to_owned()]));
        }
        // As `Later("libopencode._run")` does.
        let later = line.split("\"libopencode.").skip(1);
        found.extend(later.filter_map(|rest| rest.split('"').next()).map(|n| vec![n.to_owned()]));
    }
    found
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

impl House {
    fn read(folder: &Path) -> Result<House, String> {
        Ok(House::of(&sources(folder)?))
    }

    fn of(texts: &BTreeMap<Module, String>) -> House {
        let mut imports = BTreeMap::new();
        for (module, text) in texts {
            let of_module = imports.entry(module.clone()).or_insert_with(BTreeSet::new);
            for path in paths(module, &code(text)) {
                let mut target = path.as_slice();
                while !target.is_empty() && !texts.contains_key(target) {
                    target = target.get(..target.len() - 1).unwrap_or_default();
                }
                // A file and the files in its own folder are one thing.
                let is_own =
                    module.starts_with(target) && (!target.is_empty() || module.is_empty());
                if !is_own {
                    of_module.insert(target.to_owned());
                }
            }
            of_module.extend(texts.keys().filter(|other| is_child(other, module)).cloned());
        }
        House { imports }
    }

    /// The modules of a Python package; what is imported later, or for checkers of types alone, counts too.
    fn of_package(folder: &Path) -> Result<House, String> {
        let mut imports = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
            let path = entry.map_err(|e| format!("{}: {e}", folder.display()))?.path();
            if path.extension().is_some_and(|ending| ending == "py") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                imports.insert(vec![name], siblings(&read(&path)?));
            }
        }
        Ok(House { imports })
    }

    /// The table names every module of a floor in the rows of that floor.
    fn check_table(&self, architecture: &str) -> Result<(), String> {
        let mut floor = String::new();
        let mut named: BTreeSet<Module> = BTreeSet::new();
        for row in rows(architecture) {
            let mut cells = row.split('|').skip(1);
            floor = cells.next().and_then(|cell| quoted(cell).pop()).unwrap_or(floor);
            let modules = cells.next().map(quoted).unwrap_or_default();
            named.extend(modules.into_iter().map(|module| vec![floor.clone(), module]));
            named.insert(vec![floor.clone()]);
        }
        let of_floors = self.imports.keys().filter(|module| matches!(module.len(), 1 | 2));
        let missing = of_floors.clone().find(|module| !named.contains(*module));
        if let Some(module) = missing {
            return Err(format!(
                "ARCHITECTURE.md: the table leaves out {}; name it in the row of its floor",
                shown("core/src", module)
            ));
        }
        let gone = named.iter().find(|m| !self.imports.contains_key(*m) && **m != ["lib"]);
        gone.map_or(Ok(()), |module| {
            Err(format!(
                "ARCHITECTURE.md: the table names {}, which does not exist",
                shown("core/src", module)
            ))
        })
    }

    fn check_order(&self, floors: &[String]) -> Result<(), String> {
        let height =
            |module: &Module| floors.iter().position(|floor| module.first() == Some(floor));
        for (module, target) in self.pairs().filter(|(module, _)| !module.is_empty()) {
            let what = match target.is_empty() {
                true => "imports through lib.rs; name the module where the thing lives",
                false if height(module) < height(target) => {
                    "imports upwards; hand in what is needed, or move it down"
                }
                false => continue,
            };
            let (from, to) = (shown("core/src", module), shown("core/src", target));
            return Err(format!("{from} knows {to}: it {what}"));
        }
        Ok(())
    }

    fn check_circles(&self, folder: &str) -> Result<(), String> {
        let mut done = BTreeSet::new();
        for module in self.imports.keys().filter(|module| !module.is_empty()) {
            if let Some(circle) = self.circle(module, &mut Vec::new(), &mut done) {
                let names: Vec<_> = circle.iter().map(|module| shown(folder, module)).collect();
                let names = names.join(" -> ");
                return Err(format!(
                    "{names}: a circle of imports; move what both need into a file below"
                ));
            }
        }
        Ok(())
    }

    fn circle(
        &self,
        module: &Module,
        way: &mut Vec<Module>,
        done: &mut BTreeSet<Module>,
    ) -> Option<Vec<Module>> {
        if let Some(start) = way.iter().position(|step| step == module) {
            return Some(way.iter().skip(start).chain([module]).cloned().collect());
        }
        if !done.contains(module) {
            way.push(module.clone());
            let next = self.imports.get(module).into_iter().flatten();
            let next = next.filter(|next| !next.is_empty());
            let found = next.filter_map(|next| self.circle(next, way, done)).next();
            way.pop();
            done.insert(module.clone());
            return found;
        }
        None
    }

    fn pairs(&self) -> impl Iterator<Item = (&Module, &Module)> {
        self.imports.iter().flat_map(|(module, targets)| targets.iter().map(move |t| (module, t)))
    }
}

fn is_child(module: &Module, parent: &Module) -> bool {
    !parent.is_empty() && module.len() == parent.len() + 1 && module.starts_with(parent)
}

fn shown(folder: &str, module: &Module) -> String {
    match module.is_empty() {
        true => format!("{folder}/lib.rs"),
        false => format!("{folder}/{}", module.join("/")),
    }
}

/// The sources of a folder by their modules; `mod.rs` and `lib.rs` are the folder itself.
pub(crate) fn sources(folder: &Path) -> Result<BTreeMap<Module, String>, String> {
    let mut texts = BTreeMap::new();
    collect(folder, &mut Vec::new(), &mut texts)?;
    Ok(texts)
}

fn collect(
    folder: &Path,
    above: &mut Module,
    texts: &mut BTreeMap<Module, String>,
) -> Result<(), String> {
    for entry in fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let path = entry.map_err(|e| format!("{}: {e}", folder.display()))?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            above.push(name);
            collect(&path, above, texts)?;
            above.pop();
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let mut module = above.clone();
            module.extend((name != "mod" && name != "lib").then_some(name));
            texts.insert(module, read(&path)?);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

/// A source without its comments and without the tests at its bottom, which may know what they like.
pub(crate) fn code(text: &str) -> String {
    let end = text.find("\n#[cfg(test)]\nmod tests").or(text.find("\n#[cfg(all(test"));
    let lines = text.get(..end.unwrap_or(text.len())).unwrap_or_default().lines();
    lines.map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The modules, or things in modules, that a source names from the top or from its parent.
fn paths(module: &Module, code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for root in ["crate::", "super::"] {
        for (start, _) in code.match_indices(root) {
            let before = code.get(..start).unwrap_or_default();
            if before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut names = Vec::new();
            expand(code.get(start..).unwrap_or_default(), &mut Vec::new(), &mut names);
            found.extend(names.into_iter().map(|path| absolute(module, &path)));
        }
    }
    found
}

/// Reads `a::{b, c::d}` into `a::b` and `a::c::d`; gives what is left of the text.
fn expand<'a>(text: &'a str, prefix: &mut Vec<String>, found: &mut Vec<Module>) -> &'a str {
    let depth = prefix.len();
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        prefix.extend((!name.is_empty()).then(|| name.to_owned()));
        rest = after;
        match after.strip_prefix("::") {
            Some(after) if !after.starts_with('<') => rest = after,
            _ => break,
        }
    }
    match rest.strip_prefix('{') {
        Some(mut inner) => loop {
            inner = expand(inner, prefix, found).trim_start();
            inner = match inner.chars().next() {
                Some(',') => inner.get(1..).unwrap_or_default(),
                Some('}') | None => break rest = inner.get(1..).unwrap_or_default(),
                // Such as `* ` and `as name`.
                Some(_) => inner.trim_start_matches(|c| c != ',' && c != '}'),
            };
        },
        None if prefix.len() > depth => found.push(prefix.clone()),
        None => {}
    }
    prefix.truncate(depth);
    rest
}

fn absolute(module: &Module, path: &[String]) -> Module {
    let mut from = module.clone();
    let mut path = path;
    while let [first, rest @ ..] = path {
        match first.as_str() {
            "crate" => from.clear(),
            "super" => drop(from.pop()),
            "self" => {}
            _ => break,
        }
        path = rest;
    }
    from.extend(path.iter().cloned());
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# A\n\n## The core, from the bottom\n\n| floor | modules | owns |\n|---|---|---|\n| `base` | `error` | |\n| | `log` | |\n| `http` | `sse` | |\n| `lib` | | |\n\n## B\n| `other` |\n";

    fn house(files: &[(&str, &str)]) -> House {
        let module =
            |path: &str| path.split('/').filter(|n| !n.is_empty()).map(str::to_owned).collect();
        House::of(&files.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect())
    }

    fn error(files: &[(&str, &str)]) -> String {
        let all = ["", "base", "base/error", "base/log", "http", "http/sse"].map(|path| (path, ""));
        let all: Vec<_> = all.into_iter().chain(files.iter().copied()).collect();
        let house = house(&all);
        let checks = [
            house.check_table(TABLE),
            house.check_order(&floors(TABLE)),
            house.check_circles("core/src"),
        ];
        checks.into_iter().find_map(Result::err).unwrap_or_default()
    }

    #[test]
    fn the_project_keeps_its_order() {
        check(&crate::spec::root()).unwrap();
    }

    #[test]
    fn what_imports_downwards_is_right() {
        let text = "use crate::base::{error::{Error, Result}, log};\n// crate::http\nuse super::error as e;\n#[cfg(test)]\nmod tests {\n    use crate::http::sse;\n}\n";
        assert_eq!(error(&[("base/log", text), ("http/sse", "use crate::base::log::Log;")]), "");
    }

    #[test]
    fn an_import_upwards_is_named() {
        for text in [
            "use crate::{base::error, http::sse::Frames};",
            "fn f() -> crate::http::sse::Frames {}",
            "use super::super::http::sse;",
            "use crate::http::{\n    sse,\n};",
        ] {
            let error = error(&[("base/log", text)]);
            assert!(
                error.starts_with("core/src/base/log knows core/src/http/sse"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn an_import_through_the_root_is_named() {
        let error = error(&[("http/sse", "use crate::Error;")]);
        assert!(error.contains("sse knows core/src/lib.rs"), "{error}");
    }

    #[test]
    fn what_python_imports_is_read_however_it_is_written() {
        let text = "from ._call import Call\nif x:\n    from . import _a as b, _c\nd = Later(\"libopencode._d\")\nimport os\n";
        let names: Vec<_> = siblings(text).into_iter().flatten().collect();
        assert_eq!(names, ["_a", "_c", "_call", "_d"]);
    }

    #[test]
    fn a_circle_is_named() {
        let files = [("base/log", "use super::error::E;"), ("base/error", "use super::log::L;")];
        assert!(error(&files).contains("error -> core/src/base/log -> core/src/base/error"));
        let below = [("base/log", ""), ("base/log/line", "use super::L;")];
        assert_eq!(error(&below), "");
        let deep =
            [("base/log/line", "use crate::base::error::E;"), ("base/error", "use super::log::L;")];
        assert!(error(&deep).contains("circle"));
    }

    #[test]
    fn the_table_names_what_there_is() {
        assert!(error(&[("base/mask", "")]).contains("leaves out core/src/base/mask"));
        let gone = TABLE.replace("`sse`", "`sse` `gone`");
        let house =
            house(&["", "base", "base/error", "base/log", "http", "http/sse"].map(|p| (p, "")));
        assert!(house.check_table(&gone).is_err_and(|e| e.contains("http/gone")));
    }
}
