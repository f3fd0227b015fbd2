//! What stands on which side of a border: unsafe code in few files, no host language in the core, no protocol, no waiting
//! and no threads in the bindings.

use std::path::Path;

use crate::floors::{code, sources};

struct Rule {
    folder: &'static str,
    /// Modules to which it does not apply, with what lies below them.
    but: &'static [&'static str],
    words: &'static [&'static str],
    /// What the words are, and where they belong.
    why: &'static str,
}

const UNSAFE: &[&str] = &["unsafe {", "unsafe fn", "unsafe extern", "unsafe impl"];
const PROTOCOL: &[&str] =
    &["sleep(", "thread::spawn", "thread::Builder", "\"http", "\"session.", "\"v2.", "\"/session"];
const BINDING: &str = "a binding converts, checks and forwards: addresses, operations, pauses and threads belong into core";

const RULES: &[Rule] = &[
    Rule {
        folder: "core/src",
        but: &["base/hooks", "base/mask"],
        words: UNSAFE,
        why: "unsafe code of the core stands where the system demands it, in base/hooks and base/mask",
    },
    Rule {
        folder: "core/src",
        but: &[],
        words: &["mlua", "pyo3", "Py<"],
        why: "the core knows no host language: its threads can hold no value of one",
    },
    Rule {
        folder: "bindings-lua/src",
        but: &["", "bridge", "tests"],
        words: UNSAFE,
        why: "unsafe code of the Lua module stands in bridge, and where Lua enters it",
    },
    Rule {
        folder: "bindings-python/src",
        but: &[],
        words: UNSAFE,
        why: "pyo3 has all unsafe code that the Python package needs",
    },
    Rule { folder: "bindings-c/src", but: &[], words: PROTOCOL, why: BINDING },
    Rule {
        folder: "bindings-lua/src",
        // Which arguments are lists, by operation: generated.
        but: &["shapes/operations", "tests"],
        words: PROTOCOL,
        why: BINDING,
    },
    Rule { folder: "bindings-python/src", but: &[], words: PROTOCOL, why: BINDING },
];

/// Names the first line that stands on the wrong side.
///
/// # Errors
/// One line: which file has what, and where it belongs.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    for rule in RULES {
        for (module, text) in sources(&root.join(rule.folder))? {
            let module = module.join("/");
            if let Some(word) = rule.broken_by(&module, &text) {
                return Err(format!("{}/{module}: has `{word}`; {}", rule.folder, rule.why));
            }
        }
    }
    Ok(())
}

impl Rule {
    fn broken_by(&self, module: &str, text: &str) -> Option<&'static str> {
        let is_below = |top: &&str| {
            module.strip_prefix(*top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if self.but.iter().any(is_below) {
            return None;
        }
        let code = code(text);
        self.words.iter().copied().find(|word| code.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_stands_on_its_side() {
        check(&crate::spec::root()).unwrap();
    }

    #[test]
    fn what_stands_on_the_wrong_side_is_found() {
        let of = |folder: &str, word: &str| {
            RULES.iter().find(|rule| rule.folder == folder && rule.words.contains(&word)).unwrap()
        };
        let rule = of("core/src", "unsafe {");
        assert_eq!(rule.broken_by("run/engine", "fn f() { unsafe { g() } }"), Some("unsafe {"));
        assert_eq!(rule.broken_by("base/mask", "fn f() { unsafe { g() } }"), None);
        assert_eq!(rule.broken_by("base/masks", "unsafe fn f() {}"), Some("unsafe fn"));
        let rule = of("bindings-c/src", "sleep(");
        assert_eq!(rule.broken_by("run", "thread::sleep(time);"), Some("sleep("));
        assert_eq!(rule.broken_by("run", "// \"session.get\"\nlet x = 1;"), None);
        assert_eq!(rule.broken_by("run", "call(\"session.get\")"), Some("\"session."));
    }
}
