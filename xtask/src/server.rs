//! The pinned servers: fetched once from npm, then kept below `target/`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

use opencode_tests::binary::Generation;
use opencode_tests::{Error, Result, is_alive};

use crate::progress;

/// Gives the servers to test against, one of each generation, fetching what is not there: that takes a minute
/// and 150 MB. Two runs at once do not disturb each other.
///
/// # Errors
/// When one cannot be fetched or does not say the right version.
pub(crate) fn ensure() -> Result<[PathBuf; 2]> {
    Ok([ensure_one(Generation::One)?, ensure_one(Generation::Two)?])
}

/// The same for one generation.
///
/// # Errors
/// As [`ensure`].
pub(crate) fn ensure_one(generation: Generation) -> Result<PathBuf> {
    let variable = generation.variable();
    if let Some(given) = env::var_os(variable).filter(|value| !value.is_empty()) {
        let path = generation.binary()?;
        let version = version(&path)?;
        eprintln!("{variable} is {} ({version}), so it is used", given.to_string_lossy());
        return Ok(path);
    }
    version_of(generation, generation.version())
}

/// Gives the server of a version, fetching it when it is not there.
///
/// # Errors
/// When it cannot be fetched, or does not say that it is this version.
pub(crate) fn version_of(generation: Generation, version: &str) -> Result<PathBuf> {
    let target = generation.place(version);
    place(&target, |scratch| {
        let mut problems = Vec::new();
        for package in packages(generation, env::consts::OS, env::consts::ARCH, &Machine::this()) {
            match fetch(&package, version, scratch) {
                Ok(binary) => return Ok(binary),
                Err(error) => problems.push(format!("{package}: {error}")),
            }
        }
        Err(Error::new(format!("no opencode {version} for this machine\n{}", problems.join("\n"))))
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
fn fetch(package: &str, wanted: &str, scratch: &Path) -> Result<PathBuf> {
    let spec = format!("{package}@{wanted}");
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
    match found == wanted {
        true => Ok(binary),
        false => Err(Error::new(format!("it says that it is {found}, not {wanted}"))),
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
    // 1.x says 1.18.33, 2.x says opencode v2.0.15.
    let text = String::from_utf8_lossy(&output.stdout);
    let text = text.split_whitespace().last().unwrap_or_default();
    let text = text.trim_start_matches('v').to_owned();
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
fn packages(generation: Generation, os: &str, arch: &str, machine: &Machine) -> Vec<String> {
    let name = match generation {
        Generation::One => "opencode",
        Generation::Two => "@opencode/cli",
    };
    let os = if os == "macos" { "darwin" } else { os };
    let arch = match arch {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let musl = if machine.musl { "-musl" } else { "" };
    let usual = format!("{name}-{os}-{arch}{musl}");
    let baseline = format!("{name}-{os}-{arch}-baseline{musl}");
    match arch {
        "x64" if machine.old => vec![baseline],
        // The registry has only this one of 2.x.
        "x64" if generation == Generation::Two => vec![baseline],
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
        let linux = packages(Generation::One, "linux", "x86_64", &plain);
        assert_eq!(linux, ["opencode-linux-x64", "opencode-linux-x64-baseline"]);
        let linux = packages(Generation::Two, "linux", "x86_64", &plain);
        assert_eq!(linux, ["@opencode/cli-linux-x64-baseline"]);
        let packages = |os, arch, machine| packages(Generation::One, os, arch, machine);
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
