//! What is shipped, built: the Lua modules, the wheel, the C library.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use crate::{glibc, progress, tools};

/// Builds the wheel; pinned, so that a new release does not change what we ship.
const MATURIN: &str = "maturin==1.16.0";

/// The oldest musl that a wheel is for, as its tag: that of Alpine 3.13 and later.
const MUSL: &str = "musllinux_1_2";

/// How thoroughly to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build; for the inner loop.
    Dev,
    /// What is shipped.
    Release,
}

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Profile::Dev => "debug",
            Profile::Release => "release",
        }
    }

    /// The flag for cargo, and for maturin.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Profile::Dev => &[],
            Profile::Release => &["--release"],
        }
    }
}

/// What a product can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// TLS, and servers of the local network.
    Whole,
    /// Without them: half as large, for games and editors whose server is on the same machine.
    HttpOnly,
}

impl Reach {
    /// The features of a package of ours, after those that it needs anyway.
    fn features(self, package: &str, needed: &[&str]) -> String {
        let reach: &[&str] = match self {
            Reach::Whole => &["tls", "mdns"],
            Reach::HttpOnly => &[],
        };
        let names = needed.iter().chain(reach).map(|name| format!("{package}/{name}"));
        names.collect::<Vec<_>>().join(",")
    }

    /// Where what reaches so far comes together.
    pub(crate) fn dist(self) -> PathBuf {
        match self {
            Reach::Whole => dist(),
            Reach::HttpOnly => dist().join("http-only"),
        }
    }
}

/// A version of Lua: the feature that builds for it and the programs that load it.
pub(crate) struct Lua {
    pub(crate) feature: &'static str,
    /// Who loads it.
    pub(crate) title: &'static str,
    pub(crate) hosts: &'static [&'static str],
}

/// One module serves Lua 5.1 and LuaJIT: both want the same functions of their host.
pub(crate) const LUAS: &[Lua] = &[
    Lua { feature: "lua54", title: "Lua 5.4", hosts: &["lua5.4"] },
    Lua { feature: "lua51", title: "Lua 5.1 and LuaJIT", hosts: &["lua5.1", "luajit"] },
    Lua { feature: "lua52", title: "Lua 5.2", hosts: &["lua5.2"] },
    Lua { feature: "lua53", title: "Lua 5.3", hosts: &["lua5.3"] },
    // Debian has no Lua 5.5 yet: tests load it with an interpreter that they build.
    Lua { feature: "lua55", title: "Lua 5.5", hosts: &[] },
];

/// The programs of examples/, the same in every language.
pub(crate) const EXAMPLES: &[&str] =
    &["ai", "ask", "attach", "events", "permissions", "poll_in_tick", "pty", "tools"];

/// Where everything that is built comes together.
pub(crate) fn dist() -> PathBuf {
    workspace().join("target/dist")
}

/// Builds the C library and the Lua module for a version, and gives the folder for `package.cpath`. They are
/// built together: apart, each would compile the core anew.
///
/// # Errors
/// When they cannot be built.
pub(crate) fn native(lua: &Lua, profile: Profile) -> Result<PathBuf> {
    native_reaching(lua, profile, Reach::Whole)
}

/// The same for what reaches so far.
///
/// # Errors
/// When they cannot be built.
pub(crate) fn native_reaching(lua: &Lua, profile: Profile, reach: Reach) -> Result<PathBuf> {
    let features = [
        reach.features("opencode-lua", &["module", lua.feature]),
        reach.features("opencode-c", &[]),
    ];
    let mut cargo = cargo("build", profile);
    cargo
        .args(["-p", "opencode-lua", "-p", "opencode-c", "--no-default-features"])
        .args(["--features", features.join(",").trim_end_matches(',')]);
    let what = format!("build the C library and the Lua module ({})", lua.feature);
    progress::run(&what, &mut cargo)?;
    let built = workspace().join("target").join(profile.folder());
    for name in ["libopencode.so", "libopencode.a"] {
        place(&built.join(name), &reach.dist().join("c").join(name))?;
    }
    crate::install::link("libopencode.so", &reach.dist().join("c").join(crate::install::SONAME))?;
    c_package(reach)?;
    lua_package(lua, &built.join("libopencode_lua.so"), reach)
}

/// Builds the Lua module for a version alone and quickly, and gives the folder for `package.cpath`.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn quick_module(lua: &Lua) -> Result<PathBuf> {
    let reach = Reach::Whole;
    let mut cargo = cargo("build", Profile::Dev);
    cargo
        .args(["-p", "opencode-lua", "--no-default-features", "--features"])
        .arg(reach.features("opencode-lua", &["module", lua.feature]));
    progress::run(&format!("build the Lua module ({}), quickly", lua.feature), &mut cargo)?;
    let built = workspace().join("target").join(Profile::Dev.folder());
    lua_package(lua, &built.join("libopencode_lua.so"), reach)
}

/// Builds the Lua module for a version alone, for every system with glibc [`glibc::FLOOR`] or later, and gives its folder.
///
/// # Errors
/// When it cannot be built, or would need a later glibc.
pub(crate) fn portable(lua: &Lua, reach: Reach) -> Result<PathBuf> {
    let features = reach.features("opencode-lua", &["module", lua.feature]);
    let arguments = ["-p", "opencode-lua", "--no-default-features", "--features", &features];
    let built = glibc::build(&format!("the Lua module ({})", lua.feature), &arguments)?;
    let built = built.join("libopencode_lua.so");
    glibc::check(&built)?;
    lua_package(lua, &built, reach)
}

/// Puts a module where it is shipped, with its annotations and the license, and gives that folder.
fn lua_package(lua: &Lua, library: &Path, reach: Reach) -> Result<PathBuf> {
    let folder = reach.dist().join("lua").join(lua.feature);
    place(library, &folder.join("libopencode.so"))?;
    place(&workspace().join("LICENSE"), &folder.join("LICENSE"))?;
    let meta = workspace().join("bindings-lua/meta");
    let files = fs::read_dir(&meta).map_err(|e| Error::wrap(meta.display(), e))?;
    for file in files {
        let file = file?;
        place(&file.path(), &folder.join("meta").join(file.file_name()))?;
    }
    Ok(folder)
}

/// Builds Rust examples and gives their folder.
///
/// # Errors
/// When they cannot be built.
pub(crate) fn examples(names: &[&str], profile: Profile) -> Result<PathBuf> {
    let mut cargo = cargo("build", profile);
    cargo.args(["-p", "opencode-examples"]).args(names.iter().flat_map(|name| ["--bin", name]));
    progress::run("build the Rust examples", &mut cargo)?;
    let built = workspace().join("target").join(profile.folder());
    let folder = dist().join("rust");
    for name in names {
        place(&built.join(name), &folder.join(name))?;
    }
    Ok(folder)
}

/// Puts beside the C library what a program needs to be compiled with it: the headers, and a file for pkg-config. The
/// folder may be moved.
fn c_package(reach: Reach) -> Result<()> {
    let folder = reach.dist().join("c");
    for name in crate::install::headers()? {
        place(&workspace().join("include").join(&name), &folder.join("include").join(&name))?;
    }
    let description = format!(
        "prefix=${{pcfiledir}}\nName: opencode\nDescription: Drives an OpenCode server\nVersion: {}\n\
         Cflags: -I${{prefix}}/include\nLibs: -L${{prefix}} -lopencode\n\
         Libs.private: -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc\n",
        env!("CARGO_PKG_VERSION")
    );
    let path = folder.join("opencode.pc");
    fs::write(&path, description).map_err(|e| Error::wrap(path.display(), e))
}

/// Builds the program of benches/, and gives its place.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn benches() -> Result<PathBuf> {
    let mut cargo = cargo("build", Profile::Release);
    progress::run("build the benches", cargo.args(["-p", "opencode-benches"]))?;
    Ok(workspace().join("target/release/opencode-benches"))
}

/// Builds the wheel, installs it into a fresh virtual environment with `packages`, and gives that
/// environment's Python.
///
/// # Errors
/// When it cannot be built or installed.
pub(crate) fn python(profile: Profile, packages: &[&str]) -> Result<PathBuf> {
    python_with_wheel("wheel", profile, packages)
}

/// The same in a virtual environment of this name.
///
/// # Errors
/// When it cannot be built or installed.
pub(crate) fn python_with_wheel(
    name: &str,
    profile: Profile,
    packages: &[&str],
) -> Result<PathBuf> {
    let wheel = wheel(profile, Reach::Whole)?;
    let python = venv(name, packages)?;
    let mut pip = pip(&python);
    pip.args(["--force-reinstall", "--no-deps"]).arg(&wheel);
    progress::run("install the wheel", &mut pip)?;
    Ok(python)
}

/// Builds the wheel alone, for this system, and gives its place.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn wheel(profile: Profile, reach: Reach) -> Result<PathBuf> {
    let tools = venv("tools", &[MATURIN])?;
    let wheels = reach.dist().join("python");
    let _ = fs::remove_dir_all(&wheels);
    let mut maturin = awaited(maturin()?);
    maturin
        .current_dir(workspace().join("bindings-python"))
        .env("CARGO_TARGET_DIR", workspace().join("target"))
        .args(["build", "--interpreter"])
        .arg(&tools)
        .arg("--out")
        .arg(&wheels)
        .args(profile.flags())
        .args(wheel_flags(reach));
    progress::run("build the Python wheel", &mut maturin)?;
    fs::read_dir(&wheels)
        .map_err(|e| Error::wrap(wheels.display(), e))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|e| e == "whl"))
        .ok_or_else(|| Error::new("maturin made no wheel"))
}

fn wheel_flags(reach: Reach) -> &'static [&'static str] {
    match reach {
        Reach::Whole => &[],
        Reach::HttpOnly => &["--no-default-features"],
    }
}

/// The program that builds wheels.
///
/// # Errors
/// When it cannot be installed.
pub(crate) fn maturin() -> Result<PathBuf> {
    Ok(venv("tools", &[MATURIN])?.with_file_name("maturin"))
}

/// Builds the wheels: for every system with glibc [`glibc::FLOOR`] or later, and for those with [`MUSL`], beside the archive of
/// their sources, and gives their folder.
///
/// # Errors
/// When one cannot be built; maturin looks that the wheel needs no later glibc.
pub(crate) fn portable_wheel(reach: Reach) -> Result<PathBuf> {
    let python = venv("wheels", &[MATURIN, glibc::ZIG])?;
    let wheels = reach.dist().join("python");
    let _ = fs::remove_dir_all(&wheels);
    let maturin = |task: &str| {
        let mut maturin = Command::new(python.with_file_name("maturin"));
        maturin
            .current_dir(workspace().join("bindings-python"))
            .arg(task)
            .arg("--out")
            .arg(&wheels);
        maturin.env("CARGO_TARGET_DIR", workspace().join("target"));
        maturin.env("CARGO_ZIGBUILD_PYTHON_PATH", &python);
        maturin
    };
    let build = |what: &str, target: Option<(&str, &str)>| {
        let mut wheel = maturin("build");
        wheel.args(["--release", "--interpreter"]).arg(&python).args(wheel_flags(reach));
        if let Some((library, tag)) = target {
            let target = target_of(library);
            wheel.args(["--zig", "--target", &target, "--compatibility", tag]);
            if library == "gnu" {
                wheel.arg("--").args(glibc::with_unwinder()?);
            }
        }
        progress::run(what, &mut wheel).map(drop)
    };
    if cfg!(target_os = "linux") {
        let tag = format!("manylinux_{}", glibc::FLOOR.replace('.', "_"));
        build("build the Python wheel", Some(("gnu", &tag)))?;
        check_library_of(&wheels, &python)?;
        if has_musl()? {
            build("build the Python wheel for musl", Some(("musl", MUSL)))?;
        }
    } else {
        build("build the Python wheel", None)?;
    }
    progress::run("pack the sources of the Python package", &mut maturin("sdist"))?;
    Ok(wheels)
}

/// Looks at the library in the one wheel of a folder, see [`glibc::check`].
fn check_library_of(wheels: &Path, python: &Path) -> Result<()> {
    let unpacked = crate::test::scratch("wheel")?;
    let code = "import pathlib, sys, zipfile\n\
                wheel, = pathlib.Path(sys.argv[1]).glob('*.whl')\n\
                archive = zipfile.ZipFile(wheel)\n\
                name, = (name for name in archive.namelist() if name.endswith('.so'))\n\
                print(archive.extract(name, sys.argv[2]))";
    let mut unpack = Command::new(python);
    unpack.args(["-c", code]).arg(wheels).arg(unpacked);
    let library = progress::run("unpack the library of the wheel", &mut unpack)?;
    glibc::check(Path::new(library.trim()))
}

/// The target of this machine's Linux with a library of C, `gnu` or `musl`.
pub(crate) fn target_of(library: &str) -> String {
    format!("{}-unknown-linux-{library}", env::consts::ARCH)
}

/// Whether Rust's own library for musl is there, now or from rustup. Who has no rustup builds for glibc alone.
fn has_musl() -> Result<bool> {
    if !tools::has("rustup") {
        progress::step("no rustup, and so no wheel for musl", |_| Ok(()))?;
        return Ok(false);
    }
    let mut rustup = Command::new("rustup");
    rustup.current_dir(workspace()).args(["target", "add", &target_of("musl")]);
    progress::run("get Rust's library for musl", &mut rustup).map(|_| true)
}

/// What the demo runs with.
pub(crate) struct Demo {
    /// The folder of the C library, and of the Lua module as `libopencode_lua.so`.
    pub(crate) libraries: PathBuf,
    /// The folder for `package.cpath`.
    pub(crate) lua: PathBuf,
    /// The folder for `PYTHONPATH`.
    pub(crate) python: PathBuf,
    /// The example in Rust.
    pub(crate) rust: PathBuf,
}

/// Builds what the demo needs, with one call of cargo: apart, each language would compile the core and most crates below
/// it anew, as each wants other features of them. Nothing of it is what is shipped: it is without optimisation and, where
/// no https is spoken, without TLS.
///
/// # Errors
/// When something cannot be built.
pub(crate) fn demo(has_tls: bool) -> Result<Demo> {
    let mut features = vec!["opencode-lua/module", "opencode-lua/lua54", "opencode-python/abi3"];
    if has_tls {
        features.extend([
            "opencode-lua/tls",
            "opencode-python/tls",
            "opencode-c/tls",
            "opencode-examples/tls",
        ]);
    }
    let mut cargo = cargo("build", Profile::Dev);
    // As maturin has it: the interpreter brings its own symbols.
    cargo.env("PYO3_BUILD_EXTENSION_MODULE", "1").args([
        "--profile",
        "demo",
        "--lib",
        "--bin",
        "ask",
    ]);
    for package in ["opencode-lua", "opencode-c", "opencode-python", "opencode-examples"] {
        cargo.args(["-p", package]);
    }
    cargo.args(["--no-default-features", "--features", &features.join(",")]);
    progress::run(
        "build the C library, the Lua module, the Python package and the Rust example",
        &mut cargo,
    )?;
    let built = workspace().join("target/demo");
    let folder = crate::test::scratch("demo")?;
    let (lua, python) = (folder.join("lua"), folder.join("python"));
    place(&built.join("libopencode_lua.so"), &lua.join("libopencode.so"))?;
    place(&built.join("lib_native.so"), &python.join("libopencode/_native.abi3.so"))?;
    let package = workspace().join("bindings-python/python/libopencode");
    for file in fs::read_dir(&package).map_err(|e| Error::wrap(package.display(), e))? {
        let path = file?.path();
        if path.extension().is_some_and(|ending| ending == "py") {
            place(&path, &python.join("libopencode").join(path.file_name().unwrap_or_default()))?;
        }
    }
    let libraries = folder.join("c");
    place(&built.join("libopencode.so"), &libraries.join("libopencode.so"))?;
    crate::install::link("libopencode.so", &libraries.join(crate::install::SONAME))?;
    Ok(Demo { libraries, lua, python, rust: built.join("ask") })
}

/// Compiles a program in C or C++ against the shipped header and library.
///
/// # Errors
/// When it does not compile, warnings included.
pub(crate) fn compile(source: &Path, flags: &[&str]) -> Result<PathBuf> {
    compile_with(&dist().join("c"), source, flags)
}

/// The same against the library in a folder.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_with(library: &Path, source: &Path, flags: &[&str]) -> Result<PathBuf> {
    let program = program(source);
    crate::test::scratch(&source.extension().unwrap_or_default().to_string_lossy())?;
    let is_cpp = source.extension().is_some_and(|ending| ending == "cpp");
    let mut gcc = Command::new(if is_cpp { "g++" } else { "gcc" });
    gcc.args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-g"])
        .args(flags)
        .arg("-I")
        .arg(workspace().join("include"))
        .arg(source)
        .arg("-o")
        .arg(&program)
        .arg("-L")
        .arg(library)
        .arg("-lopencode")
        // Stronger than LD_LIBRARY_PATH, in which cargo puts the folder of its own debug build.
        .args(["-Wl,--disable-new-dtags", &format!("-Wl,-rpath,{}", library.display())]);
    progress::run(&format!("compile {}", source.display()), &mut gcc)?;
    Ok(program)
}

/// Where [`compile`] puts the program of a source: not beside what is shipped.
pub(crate) fn program(source: &Path) -> PathBuf {
    // Those of C and C++ may have one name.
    let ending = source.extension().unwrap_or_default();
    let folder = workspace().join("target/scratch").join(ending);
    folder.join(source.file_stem().unwrap_or_default())
}

/// A virtual environment below `target/` with some packages in it; gives its Python.
pub(crate) fn venv(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = workspace().join("target/venv").join(name);
    let python = folder.join("bin/python");
    let wanted = packages.join("\n");
    let stamp = folder.join("packages.txt");
    if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    let _ = fs::remove_dir_all(&folder);
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&folder);
    progress::run(&format!("make the virtual environment '{name}'"), &mut make)?;
    if !packages.is_empty() {
        let mut pip = pip(&python);
        progress::run(&format!("install {}", packages.join(", ")), pip.args(packages))?;
    }
    fs::write(&stamp, wanted).map_err(|e| Error::wrap(stamp.display(), e))?;
    Ok(python)
}

fn pip(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    pip
}

/// A call of cargo for what is shipped.
pub(crate) fn cargo(task: &str, profile: Profile) -> Command {
    let mut cargo = awaited(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).arg(task).args(profile.flags());
    // The exit of one library is the entrance of the next: all go into one target folder.
    cargo.env("CARGO_TARGET_DIR", workspace().join("target"));
    cargo
}

/// A program that computes and gives way to those that wait for somebody.
pub(crate) fn polite(program: impl AsRef<OsStr>) -> Command {
    nice("19", program)
}

/// The same for what makes something that others wait for: it goes before what is only polite.
fn awaited(program: impl AsRef<OsStr>) -> Command {
    nice("10", program)
}

fn nice(level: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", level]).arg(program);
    command
}

fn place(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|e| Error::wrap(folder.display(), e))?;
    }
    // Written aside and renamed: a program may have the old one loaded.
    let aside = to.with_extension("new");
    fs::copy(from, &aside)
        .and_then(|_| fs::rename(&aside, to))
        .map_err(|e| Error::wrap(from.display(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_http_only_is_built_without_tls_and_mdns_and_lies_apart() {
        let whole = Reach::Whole.features("opencode-lua", &["module"]);
        assert_eq!(whole, "opencode-lua/module,opencode-lua/tls,opencode-lua/mdns");
        assert_eq!(Reach::HttpOnly.features("opencode-lua", &["module"]), "opencode-lua/module");
        assert_eq!(Reach::HttpOnly.features("opencode-c", &[]), "");
        assert!(Reach::HttpOnly.dist().starts_with(Reach::Whole.dist()));
    }
}
