//! The pinned server: fetched once from npm, then kept below `target/`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

use opencode_tests::binary::{self, VERSION};
use opencode_tests::{Error, Result, is_alive};

use crate::progress;

/// Gives the server to test against, fetching it when it is not there: that takes a minute and
/// 60 MB. Two runs at once do not disturb each other.
///
/// # Errors
/// When it cannot be fetched or does not say the right version.
pub(crate) fn ensure() -> Result<PathBuf> {
    if let Some(given) = env::var_os("OPENCODE_BIN").filter(|value| !value.is_empty()) {
        let path = binary::path()?;
        let version = version(&path)?;
        eprintln!("OPENCODE_BIN is {} ({version}), so it is used", given.to_string_lossy());
        return Ok(path);
    }
    let target = binary::pinned();
    place(&target, |scratch| {
        let mut problems = Vec::new();
        for package in packages(env::consts::OS, env::consts::ARCH, &Machine::this()) {
            match fetch(&package, scratch) {
                Ok(binary) => return Ok(binary),
                Err(error) => problems.push(format!("{package}: {error}")),
            }
        }
        Err(Error::new(format!("no opencode {VERSION} for this machine\n{}", problems.join("\n"))))
    })?;
    Ok(target)
}

/// Puts a file at `target`, made by `make` in a scratch directory. The file appears complete or
/// not at all, also when several processes do this at once.
fn place(target: &Path, make: impl FnOnce(&Path) -> Result<PathBuf>) -> Result<()> {
    if target.is_file() {
        return Ok(());
    }
    let directory = target.parent().ok_or_else(|| Error::new("the target has no directory"))?;
    let wrap = |error| Error::wrap(directory.display(), error);
    fs::create_dir_all(directory).map_err(wrap)?;
    remove_leftovers(directory);
    let scratch = directory.join(format!("{SCRATCH}{}", process::id()));
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir(&scratch).map_err(wrap)?;
    let made = make(&scratch).and_then(|file| {
        fs::rename(&file, target).map_err(|error| Error::wrap(target.display(), error))
    });
    let _ = fs::remove_dir_all(&scratch);
    made
}

/// How scratch directories start; the process id follows.
const SCRATCH: &str = "fetch-";

/// Removes the scratch directories of processes that were killed.
fn remove_leftovers(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(SCRATCH)?.parse().ok());
        if owner.is_some_and(|pid| !is_alive(pid)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Fetches a package and gives its program, proven to run and to be the right version.
fn fetch(package: &str, scratch: &Path) -> Result<PathBuf> {
    let spec = format!("{package}@{VERSION}");
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", &spec]).current_dir(scratch);
    let printed = progress::run(&format!("fetch {spec}"), &mut npm)?;
    let archive = printed.lines().last().unwrap_or_default().trim();
    let mut tar = Command::new("tar");
    tar.args(["-xzf", archive, "package/bin/opencode"]).current_dir(scratch);
    progress::run(&format!("unpack {archive}"), &mut tar)?;
    let binary = scratch.join("package/bin/opencode");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755))?;
    let found = progress::step("ask it for its version", |_| version(&binary))?;
    match found == VERSION {
        true => Ok(binary),
        false => Err(Error::new(format!("it says that it is {found}, not {VERSION}"))),
    }
}

/// What a server says to `--version`.
fn version(binary: &Path) -> Result<String> {
    // It creates directories in its home even for that.
    let home = opencode_tests::Directory::new("version")?;
    let output = Command::new(binary)
        .arg("--version")
        .env("HOME", home.path())
        .envs(
            ["CACHE", "CONFIG", "DATA", "STATE"]
                .map(|name| (format!("XDG_{name}_HOME"), home.path())),
        )
        .output()
        .map_err(|error| Error::wrap(binary.display(), error))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() {
        true => Ok(text),
        false => Err(Error::new(format!("{} --version: {}", binary.display(), output.status))),
    }
}

/// What decides between the builds for one system.
struct Machine {
    /// The C library is musl.
    musl: bool,
    /// The processor lacks AVX2, which the usual x64 build needs.
    old: bool,
}

impl Machine {
    fn this() -> Machine {
        let lib = |directory: &str, start: &str| {
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(start))
        };
        let glibc = lib("/lib64", "ld-linux") || lib("/lib", "ld-linux");
        #[cfg(target_arch = "x86_64")]
        let old = !std::arch::is_x86_feature_detected!("avx2");
        #[cfg(not(target_arch = "x86_64"))]
        let old = false;
        Machine { musl: lib("/lib", "ld-musl") && !glibc, old }
    }
}

/// The npm packages to try, best first.
fn packages(os: &str, arch: &str, machine: &Machine) -> Vec<String> {
    let os = if os == "macos" { "darwin" } else { os };
    let arch = match arch {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let musl = if machine.musl { "-musl" } else { "" };
    let usual = format!("opencode-{os}-{arch}{musl}");
    let baseline = format!("opencode-{os}-{arch}-baseline{musl}");
    match arch {
        "x64" if machine.old => vec![baseline],
        // A virtual machine may promise more than it can do.
        "x64" => vec![usual, baseline],
        _ => vec![usual],
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use opencode_tests::Directory;

    use super::*;

    #[test]
    fn each_machine_gets_its_package() {
        let plain = Machine { musl: false, old: false };
        let linux = packages("linux", "x86_64", &plain);
        assert_eq!(linux, ["opencode-linux-x64", "opencode-linux-x64-baseline"]);
        assert_eq!(packages("macos", "aarch64", &plain), ["opencode-darwin-arm64"]);
        let alpine = Machine { musl: true, old: true };
        assert_eq!(packages("linux", "x86_64", &alpine), ["opencode-linux-x64-baseline-musl"]);
        assert_eq!(packages("linux", "aarch64", &alpine), ["opencode-linux-arm64-musl"]);
    }

    #[test]
    fn a_file_is_made_once_and_appears_complete() {
        let directory = Directory::new("place").unwrap();
        let target = directory.path().join("1.0/tool");
        let made = AtomicUsize::new(0);
        let make = |scratch: &Path| {
            made.fetch_add(1, Ordering::SeqCst);
            fs::write(scratch.join("half"), "whole").map_err(Error::from)?;
            Ok(scratch.join("half"))
        };
        place(&target, make).unwrap();
        place(&target, make).unwrap();
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert_eq!(fs::read_to_string(&target).unwrap(), "whole");
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_nothing_and_leftovers_are_removed() {
        let directory = Directory::new("place").unwrap();
        let dead = directory.path().join("fetch-4194999");
        let alive = directory.path().join("fetch-1");
        fs::create_dir(&dead).unwrap();
        fs::create_dir(&alive).unwrap();
        let target = directory.path().join("tool");
        let error = place(&target, |_| Err(Error::new("no network"))).unwrap_err();
        assert_eq!(error.to_string(), "no network");
        assert!(!target.exists() && !dead.exists());
        assert!(alive.exists(), "another run is at work there");
    }

    #[test]
    fn whoever_comes_second_replaces_the_file_by_its_equal() {
        let directory = Directory::new("place").unwrap();
        let target = directory.path().join("tool");
        place(&target, |scratch| {
            fs::write(&target, "first").unwrap();
            fs::write(scratch.join("x"), "second").unwrap();
            Ok(scratch.join("x"))
        })
        .unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "second");
    }
}
