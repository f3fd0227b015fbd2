//! `cargo xtask dist c --prefix DIR`: the C library as systems and build tools expect it. The folder may be moved.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use crate::{abi, glibc, progress};

/// Programs that were linked with a library of this name run with every later one of it: it is OPENCODE_ABI_VERSION.
pub(crate) const SONAME: &str = "libopencode.so.1";

/// What a program that is linked statically needs of the system.
const SYSTEM: &[&str] = &["util", "rt", "pthread", "m", "dl"];

/// Builds the library and puts it below a folder: `include`, `lib`, files for pkg-config and CMake. On Linux it is for every
/// system with glibc [`glibc::FLOOR`] or later.
///
/// # Errors
/// When it cannot be built, would need a later glibc, or the folder cannot be written.
pub(crate) fn run(prefix: &Path, http_only: bool) -> Result<()> {
    let mut arguments = vec!["-p", "opencode-c"];
    if http_only {
        arguments.push("--no-default-features");
    }
    if !cfg!(target_os = "linux") {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(workspace()).env("CARGO_TARGET_DIR", workspace().join("target"));
        cargo.args(["build", "--release"]).args(arguments);
        progress::run("build the C library", &mut cargo)?;
        return assemble(prefix, &workspace().join("target/release"));
    }
    let built = glibc::build("the C library", &arguments)?;
    assemble(prefix, &built)?;
    glibc::check(&prefix.join("lib").join(SONAME))
}

/// Puts a library that was built below a folder.
fn assemble(prefix: &Path, built: &Path) -> Result<()> {
    let lib = prefix.join("lib");
    let version = env!("CARGO_PKG_VERSION");

    let real = format!("libopencode.so.{version}");
    copy(&built.join("libopencode.so"), &lib.join(&real))?;
    link(&real, &lib.join(SONAME))?;
    link(SONAME, &lib.join("libopencode.so"))?;
    archive(&built.join("libopencode.a"), &lib.join("libopencode.a"))?;
    for name in headers()? {
        copy(&workspace().join("include").join(&name), &prefix.join("include").join(&name))?;
    }
    copy(&workspace().join("LICENSE"), &prefix.join("share/licenses/opencode/LICENSE"))?;
    write(&lib.join("pkgconfig/opencode.pc"), &pkg_config(version, false))?;
    write(&lib.join("pkgconfig/opencode-static.pc"), &pkg_config(version, true))?;
    let cmake = lib.join("cmake/opencode");
    write(&cmake.join("opencode-config.cmake"), &cmake_config(&real))?;
    write(&cmake.join("opencode-config-version.cmake"), &cmake_version(version))
}

/// What programs include, below the folder `include`.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn headers() -> Result<Vec<PathBuf>> {
    let include = workspace().join("include");
    let mut found = Vec::new();
    for folder in ["", "opencode"] {
        let entries = fs::read_dir(include.join(folder)).map_err(|e| Error::wrap(folder, e))?;
        for entry in entries {
            let name = Path::new(folder).join(entry?.file_name());
            if name.extension().is_some_and(|ending| ending == "h" || ending == "hpp") {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// One object with our functions and no other: Rust's own would meet those of another library, and what the linker made
/// for itself confuses the tools of packagers.
fn archive(from: &Path, to: &Path) -> Result<()> {
    let folder = crate::test::scratch("archive")?;
    let names: Vec<String> = abi::names()?.into_iter().collect();
    let (all, one) = (folder.join("all.o"), folder.join("opencode.o"));
    let keep = folder.join("symbols");
    write(&keep, &(names.join("\n") + "\n"))?;
    let wanted = names.iter().map(|name| format!("--undefined={name}"));
    let mut ld = Command::new("ld");
    ld.args(["-r", "--gc-sections"]).args(wanted).arg("-o").arg(&all).arg(from);
    progress::run("link the static library into one object", &mut ld)?;
    let mut objcopy = Command::new("objcopy");
    objcopy.arg(format!("--keep-global-symbols={}", keep.display()));
    objcopy.args(["--remove-section=.llvmbc", "--remove-section=.llvmcmd", "--strip-debug"]);
    progress::run("hide what is not ours", objcopy.arg(&all).arg(&one))?;
    // An archive that is there would keep its members.
    let _ = fs::remove_file(to);
    progress::run("make the archive", Command::new("ar").arg("rcs").arg(to).arg(&one)).map(drop)
}

fn pkg_config(version: &str, is_static: bool) -> String {
    let system: Vec<String> = SYSTEM.iter().map(|name| format!("-l{name}")).collect();
    let system = system.join(" ");
    let beginning =
        "prefix=${pcfiledir}/../..\nlibdir=${prefix}/lib\nincludedir=${prefix}/include\n\n";
    let (name, libs, define) = match is_static {
        true => {
            ("opencode-static", format!("${{libdir}}/libopencode.a {system}"), " -DOPENCODE_STATIC")
        }
        false => ("opencode", format!("-L${{libdir}} -lopencode\nLibs.private: {system}"), ""),
    };
    format!(
        "{beginning}Name: {name}\nDescription: Drives an OpenCode server\nVersion: {version}\n\
         Cflags: -I${{includedir}}{define}\nLibs: {libs}\n"
    )
}

fn cmake_config(real: &str) -> String {
    format!(
        "get_filename_component(_opencode_prefix \"${{CMAKE_CURRENT_LIST_DIR}}/../../..\" ABSOLUTE)\n\
         if(NOT TARGET opencode::opencode)\n\
         \x20 add_library(opencode::opencode SHARED IMPORTED)\n\
         \x20 set_target_properties(opencode::opencode PROPERTIES\n\
         \x20   IMPORTED_LOCATION \"${{_opencode_prefix}}/lib/{real}\"\n\
         \x20   IMPORTED_SONAME \"{SONAME}\"\n\
         \x20   INTERFACE_INCLUDE_DIRECTORIES \"${{_opencode_prefix}}/include\")\n\
         \x20 add_library(opencode::opencode_static STATIC IMPORTED)\n\
         \x20 set_target_properties(opencode::opencode_static PROPERTIES\n\
         \x20   IMPORTED_LOCATION \"${{_opencode_prefix}}/lib/libopencode.a\"\n\
         \x20   INTERFACE_INCLUDE_DIRECTORIES \"${{_opencode_prefix}}/include\"\n\
         \x20   INTERFACE_COMPILE_DEFINITIONS OPENCODE_STATIC\n\
         \x20   INTERFACE_LINK_LIBRARIES \"{}\")\n\
         endif()\nunset(_opencode_prefix)\n",
        SYSTEM.join(";")
    )
}

fn cmake_version(version: &str) -> String {
    // Before 1.0 nothing but the same version is promised to fit.
    format!(
        "set(PACKAGE_VERSION \"{version}\")\n\
         if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)\n\
         \x20 set(PACKAGE_VERSION_COMPATIBLE FALSE)\n\
         else()\n\
         \x20 set(PACKAGE_VERSION_COMPATIBLE TRUE)\n\
         \x20 if(PACKAGE_FIND_VERSION STREQUAL PACKAGE_VERSION)\n\
         \x20   set(PACKAGE_VERSION_EXACT TRUE)\n\
         \x20 endif()\n\
         endif()\n"
    )
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    parent(to)?;
    // A program may have the old one loaded.
    let _ = fs::remove_file(to);
    fs::copy(from, to).map(drop).map_err(|e| Error::wrap(from.display(), e))
}

/// A link to a file beside it.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn link(target: &str, at: &Path) -> Result<()> {
    let _ = fs::remove_file(at);
    std::os::unix::fs::symlink(target, at).map_err(|e| Error::wrap(at.display(), e))
}

fn write(path: &Path, text: &str) -> Result<()> {
    parent(path)?;
    fs::write(path, text).map_err(|e| Error::wrap(path.display(), e))
}

fn parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|e| Error::wrap(folder.display(), e))
}

/// Builds and runs programs against an installed library that was moved, as its users do: with pkg-config, CMake and
/// meson, shared and static.
///
/// # Errors
/// The first one that is not built or does not run.
pub(crate) fn try_out(note: &progress::Note) -> Result<()> {
    let scratch = crate::test::scratch("install")?;
    let (first, moved) = (scratch.join("first"), scratch.join("moved here"));
    let _ = fs::remove_dir_all(&first);
    let _ = fs::remove_dir_all(&moved);
    assemble(&first, &crate::artefact::dist().join("c"))?;
    glibc::check_static(&first.join("lib/libopencode.a"))?;
    fs::rename(&first, &moved)?;
    let tools =
        crate::artefact::venv("install", &["cmake==4.1.2", "meson==1.9.1", "ninja==1.13.0"])?;
    let bin = tools.parent().unwrap_or(&tools).to_owned();
    let script = workspace().join("tests/c/install/try.sh");
    let mut shell = Command::new("sh");
    let path = env::var_os("PATH").unwrap_or_default();
    let paths = [bin].into_iter().chain(env::split_paths(&path));
    let path = env::join_paths(paths).map_err(|e| Error::wrap("PATH", e))?;
    shell.arg(&script).arg(&moved).arg(scratch.join("build")).env("PATH", path);
    progress::follow(&mut shell, note).map(drop)
}

/// The folder that `--prefix` names.
pub(crate) fn prefix(text: &str) -> Result<PathBuf> {
    std::path::absolute(text).map_err(|e| Error::wrap(text, e))
}
