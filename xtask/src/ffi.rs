//! The programs of docs/ffi.md: the C library in the hands of other languages. `cargo xtask ffi` runs them all.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Model, Result, Server};

use crate::artefact::{self, LUAS, Profile};
use crate::{progress, readme, test};

/// What the programs need of PyPI and npm; pinned.
const CFFI: &str = "cffi==2.1.1";
const ZIG: &str = "ziglang==0.17.1";
const KOFFI: &str = "koffi@3.3.4";

/// What every program must print a part of.
const ANSWER: &str = "You said: \"Say hello\"";

/// Those whose tools the tests have anyway, or get in a moment.
pub(crate) const QUICK: &[&str] = &["LuaJIT", "Python: ctypes", "Python: cffi", "Node: koffi"];

/// Runs all of them.
///
/// # Errors
/// The first tool that is missing, and the first program that fails.
pub(crate) fn run() -> Result<()> {
    crate::tools::ensure(crate::tools::Need::Test)?;
    crate::server::ensure()?;
    artefact::native(&LUAS[0], Profile::Dev)?;
    let model = Model::start(0).map_err(|e| Error::wrap("the scripted model", e))?;
    let server = Server::builder(&model.url()).start()?;
    for (title, mut program) in programs(None)? {
        program.envs(server.env());
        let said = progress::run(&title, &mut program)?;
        check(&title, &said)?;
    }
    Ok(())
}

/// Whether a program said what the model answers.
///
/// # Errors
/// With what it said.
pub(crate) fn check(title: &str, said: &str) -> Result<()> {
    match said.contains(ANSWER) {
        true => Ok(()),
        false => Err(Error::new(format!("docs/ffi.md, {title}: it printed '{said}'"))),
    }
}

/// The programs of these titles, or all.
///
/// # Errors
/// When a tool is missing, and when docs/ffi.md has a title without a program or one of another language.
pub(crate) fn programs(titles: Option<&[&str]>) -> Result<Vec<(String, Command)>> {
    let document = workspace().join("docs/ffi.md");
    let text = fs::read_to_string(&document).map_err(|e| Error::wrap(document.display(), e))?;
    let folder = test::scratch("ffi")?;
    let header = workspace().join("include/opencode.h");
    fs::copy(&header, folder.join("opencode.h")).map_err(|e| Error::wrap(header.display(), e))?;
    let mut programs = Vec::new();
    for section in text.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default().to_owned();
        if titles.is_some_and(|titles| !titles.contains(&title.as_str())) {
            continue;
        }
        let blocks = readme::blocks(section);
        let [(language, code)] = &blocks[..] else {
            return Err(Error::new(format!("docs/ffi.md: {title} has not one program")));
        };
        programs.push((title.clone(), program(&title, language, code, &folder)?));
    }
    match titles {
        Some(titles) if titles.len() != programs.len() => {
            Err(Error::new(format!("docs/ffi.md has not all of {titles:?}")))
        }
        _ => Ok(programs),
    }
}

/// A command that builds and runs a program of a language.
fn program(title: &str, language: &str, code: &str, folder: &Path) -> Result<Command> {
    let library = artefact::dist().join("c");
    let name = title.replace([':', ' ', '#'], "_").to_lowercase();
    let source = folder.join(format!("{name}.{language}"));
    fs::write(&source, code).map_err(|e| Error::wrap(source.display(), e))?;
    let mut python = PathBuf::new();
    let (tool, package, script) = match language {
        "lua" => ("luajit", "luajit", "exec luajit \"$SOURCE\""),
        "python" if code.contains("import cffi") => {
            python = artefact::venv("ffi", &[CFFI])?;
            ("python3", "python3", "exec \"$PYTHON\" \"$SOURCE\"")
        }
        "python" => ("python3", "python3", "exec python3 \"$SOURCE\""),
        "js" => {
            koffi(folder)?;
            ("node", "nodejs", "exec node \"$SOURCE\"")
        }
        "ruby" => ("ruby", "ruby", "exec ruby \"$SOURCE\""),
        "go" => ("go", "golang-go", "GOCACHE=\"$PWD/go\" GOFLAGS=-mod=mod exec go run \"$SOURCE\""),
        "nim" => (
            "nim",
            "nim",
            "nim c --verbosity:0 --hints:off --nimcache:nim -o:nim_program \"$SOURCE\" && exec ./nim_program",
        ),
        "d" => (
            "ldc2",
            "ldc",
            "ldc2 -of=d_program \"$SOURCE\" -L-L\"$LIBRARY\" -L-lopencode && exec ./d_program",
        ),
        "csharp" => (
            "mcs",
            "mono-mcs mono-runtime libmono-system-core4.0-cil",
            "mcs -out:cs_program.exe \"$SOURCE\" && exec mono cs_program.exe",
        ),
        "zig" => {
            python = artefact::venv("ffi-zig", &[ZIG])?;
            (
                "python3",
                "python3",
                "\"$PYTHON\" -m ziglang translate-c opencode.h -lc > c.zig && \
                 exec \"$PYTHON\" -m ziglang run \"$SOURCE\" -lc -lopencode -L\"$LIBRARY\" 2>&1",
            )
        }
        other => return Err(Error::new(format!("docs/ffi.md: nothing here runs {other}"))),
    };
    if !crate::tools::has(tool) {
        return Err(Error::new(format!("{title} needs {tool}: apt-get install {package}")));
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("cd \"$FOLDER\" && {script}")]);
    let include = workspace().join("include");
    shell.env("FOLDER", folder).env("SOURCE", &source).env("PYTHON", python);
    shell.env("LIBRARY", &library).env("LD_LIBRARY_PATH", &library);
    shell.env("CGO_CFLAGS", format!("-I{}", include.display()));
    shell.env("CGO_LDFLAGS", format!("-L{}", library.display()));
    shell.env("NODE_PATH", folder.join("node_modules"));
    Ok(shell)
}

/// Fetches koffi once.
fn koffi(folder: &Path) -> Result<()> {
    let there = folder.join("node_modules/koffi/package.json");
    let version = KOFFI.split('@').nth(1).unwrap_or_default();
    if fs::read_to_string(&there).is_ok_and(|text| text.contains(&format!("\"{version}\""))) {
        return Ok(());
    }
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--no-save", "--prefix"]);
    npm.arg(folder).arg(KOFFI).env("PATH", env::var_os("PATH").unwrap_or_default());
    progress::run(&format!("install {KOFFI}"), &mut npm).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_of_the_page_has_one_program() {
        let text = fs::read_to_string(workspace().join("docs/ffi.md")).unwrap();
        let sections: Vec<_> = text.split("\n## ").skip(1).collect();
        assert_eq!(sections.len(), 10);
        for section in &sections {
            assert_eq!(readme::blocks(section).len(), 1, "{section}");
        }
        let titles: Vec<_> = sections.iter().filter_map(|text| text.lines().next()).collect();
        assert!(QUICK.iter().all(|title| titles.contains(title)), "{titles:?}");
        assert!(check("x", "You said: \"Say hello\". I am").is_ok() && check("x", "").is_err());
    }
}
