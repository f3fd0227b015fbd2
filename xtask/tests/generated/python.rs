use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{output, root, samples, scratch, skip};

/// Code that no checker complains about, and code with a mistake on every line that says so.
const RIGHT: [&str; 2] = ["right.py", "user_right.py"];
const WRONG: [&str; 2] = ["wrong.py", "user_wrong.py"];

const TOOLS: [&str; 2] = ["mypy==2.4.1", "pyright==1.1.414"];

/// The package as type checkers see it, beside the samples.
fn project(name: &str) -> PathBuf {
    let folder = scratch(name);
    let package = folder.join("libopencode");
    fs::create_dir(&package).expect("the target folder can be written");
    let source = root().join("bindings-python/python/libopencode");
    for entry in fs::read_dir(source).expect("the package is there") {
        let file = entry.expect("it can be read").path();
        if let Some(name) = file.file_name().filter(|_| file.is_file()) {
            fs::copy(&file, package.join(name)).expect("the target folder can be written");
        }
    }
    for file in RIGHT.iter().chain(&WRONG) {
        fs::copy(samples().join(file), folder.join(file)).expect("the samples are there");
    }
    folder
}

/// A virtual environment with the type checkers. Tests run at the same time: it is made by one of them.
fn environment() -> Option<PathBuf> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MADE.get_or_init(make_environment).clone()
}

/// Once per target folder.
fn make_environment() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("type-checkers");
    let marker = folder.join(TOOLS.join("-"));
    if !marker.exists() {
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let python = folder.join("bin/python");
        let installed = Command::new(&python).args(pip).args(TOOLS).output();
        if !(made.is_ok_and(|o| o.status.success()) && installed.is_ok_and(|o| o.status.success()))
        {
            skip("mypy and pyright cannot be installed");
            return None;
        }
        fs::write(&marker, "").expect("the target folder can be written");
    }
    Some(folder.join("bin"))
}

/// The lines of a file that a checker calls wrong.
fn wrong_lines(text: &str, file: &str) -> BTreeSet<usize> {
    text.lines()
        .filter(|line| line.contains("error"))
        .filter_map(|line| line.split_once(&format!("{file}:"))?.1.split(':').next()?.parse().ok())
        .collect()
}

fn expected_lines(file: &str) -> BTreeSet<usize> {
    let sample = fs::read_to_string(samples().join(file)).expect("the sample is there");
    let lines = sample.lines().enumerate();
    lines.filter(|(_, line)| line.ends_with("# wrong")).map(|(index, _)| index + 1).collect()
}

#[test]
fn mypy_takes_right_calls_and_refuses_wrong_ones() {
    let Some(tools) = environment() else { return };
    let folder = project("mypy");
    let mypy = |arguments: &[&str]| {
        let mut command = Command::new(tools.join("mypy"));
        output(command.arg("--strict").args(arguments).current_dir(&folder))
    };
    for arguments in [&["-p", "libopencode"][..], &RIGHT] {
        let (is_clean, text) = mypy(arguments);
        assert!(is_clean, "{text}");
    }
    for file in WRONG {
        let (_, text) = mypy(&[file]);
        assert_eq!(wrong_lines(&text, file), expected_lines(file), "{text}");
    }
}

#[test]
fn pyright_takes_right_calls_and_refuses_wrong_ones() {
    let Some(tools) = environment() else { return };
    let folder = project("pyright");
    let settings = r#"{"typeCheckingMode": "strict", "reportMissingModuleSource": false}"#;
    fs::write(folder.join("pyrightconfig.json"), settings).expect("it can be written");
    let pyright = |files: &[&str]| {
        output(Command::new(tools.join("pyright")).args(files).current_dir(&folder))
    };
    // What is generated, and what is written by hand for type checkers alone.
    let files =
        ["libopencode/_operations.pyi", "libopencode/_call_types.pyi", "libopencode/types.pyi"];
    let files: Vec<&str> = files.into_iter().chain(RIGHT).collect();
    let (is_clean, text) = pyright(&files);
    assert!(is_clean, "{text}");
    for file in WRONG {
        let (_, text) = pyright(&[file]);
        assert_eq!(wrong_lines(&text, file), expected_lines(file), "{text}");
    }
}

#[test]
fn exceptions_survive_pickling_and_are_caught_as_builtins() {
    let program = r#"
import pickle
from libopencode import _errors as errors

for kind, cls in errors.BY_KIND.items():
    error = cls("text", status=404, code="X", operation="session.get", body={}, sent=True)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls and str(again) == "text" and again.kind == kind, kind
    assert vars(again) == vars(error), kind
for kind, builtin in [
    ("timeout", TimeoutError), ("timeout", errors.APIConnectionError),
    ("connection", ConnectionError), ("invalid_argument", ValueError),
    ("not_found", errors.APIStatusError), ("limit", errors.RunError),
]:
    assert issubclass(errors.BY_KIND[kind], (builtin,)), kind
from libopencode.types import Session
assert Session(id="ses_1") == {"id": "ses_1"}
"#;
    let folder = project("errors");
    // The whole package needs its native half, these modules do not.
    fs::write(folder.join("libopencode/__init__.py"), "").expect("it can be written");
    let Ok(_) = Command::new("python3").arg("--version").output() else {
        return skip("python3 is not installed");
    };
    let mut command = Command::new("python3");
    let (is_fine, text) = output(command.args(["-c", program]).current_dir(folder));
    assert!(is_fine, "{text}");
}
