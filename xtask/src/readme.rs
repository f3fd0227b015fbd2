//! The code in README.md and docs/, made into programs that the tests run.

use std::fs;
use std::path::Path;
use std::process::Command;

use opencode_tests::{Error, Result};

use crate::artefact::{self, LUAS};
use crate::test::scratch;

/// One program per block of Lua, Python, C and C++ that is a whole program. Those of Rust in README.md are documentation
/// tests of examples/rust.
///
/// # Errors
/// When the document cannot be read, or a block does not compile.
pub(crate) fn programs(document: &Path, python: &Path) -> Result<Vec<(String, Command)>> {
    let text = fs::read_to_string(document).map_err(|e| Error::wrap(document.display(), e))?;
    let folder = scratch("readme")?;
    let name = document.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut programs = Vec::new();
    let whole = blocks(&text).into_iter().filter(|(_, code)| is_whole(code));
    for (number, (language, code)) in whole.enumerate() {
        let write = |ending: &str| {
            let path = folder.join(format!("{name}{number}.{ending}"));
            fs::write(&path, &code).map_err(|e| Error::wrap(path.display(), e)).map(|()| path)
        };
        let command = match language.as_str() {
            "lua" => {
                let module = artefact::dist().join("lua").join(LUAS[0].feature);
                let mut lua = Command::new(LUAS[0].hosts[0]);
                lua.env("LUA_CPATH", module.join("?.so")).arg(write("lua")?);
                lua
            }
            "python" => {
                let mut command = Command::new(python);
                command.arg(write("py")?);
                command
            }
            "cpp" => Command::new(artefact::compile(&write("cpp")?, &["-std=c++17"])?),
            "c" => Command::new(artefact::compile(&write("c")?, &["-std=c99"])?),
            _ => continue,
        };
        programs.push((format!("{name}: {language} (block {number})"), command));
    }
    Ok(programs)
}

/// Whether a block is a program, and not a piece of one.
fn is_whole(code: &str) -> bool {
    ["import ", "local opencode = require", "#include"].iter().any(|start| code.starts_with(start))
}

/// Language and text of each fenced block, in order.
pub(crate) fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some((language.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, code))) => {
                code.push_str(line);
                code.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_language() {
        let text = "a\n```lua\nx = 1\n```\nb\n```\nplain\n```\n";
        let found = blocks(text);
        assert_eq!(found[0], ("lua".to_owned(), "x = 1\n".to_owned()));
        assert_eq!(found[1].0, "");
    }
}
