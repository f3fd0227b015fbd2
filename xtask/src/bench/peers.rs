//! The clients: ours as they are shipped, and what users would take instead, from the registries.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use opencode_tests::binary::workspace;
use opencode_tests::{Error, Result};

use super::folder;
use crate::artefact::{self, LUAS, Profile};
use crate::{progress, tools};

/// What users of Python would take; `orjson` and `pydantic` come with what is compared.
const PYTHON: [&str; 5] = ["requests", "httpx", "urllib3", "orjson", "opencode-ai==0.1.0a36"];
/// The SDK of npm, of the version of the server.
const NODE: &str = "@opencode-ai/sdk@1.18.33";

/// Who can be measured, and how; and why somebody cannot.
pub(crate) struct Clients {
    commands: BTreeMap<&'static str, Vec<OsString>>,
    missing: BTreeMap<&'static str, String>,
    /// What they run with.
    pub(crate) variables: Vec<(&'static str, OsString)>,
    /// Name and version of everything that was compared.
    pub(crate) versions: Vec<(String, String)>,
    /// The program of the core.
    pub(crate) program: PathBuf,
}

impl Clients {
    /// The command of a client, for a row.
    ///
    /// # Errors
    /// Why it cannot be had.
    pub(crate) fn command(&self, name: &str) -> Result<&[OsString]> {
        if let Some(why) = self.missing.get(name) {
            return Err(Error::new(why));
        }
        self.commands
            .get(name)
            .map(Vec::as_slice)
            .ok_or_else(|| Error::new(format!("no client is called {name}")))
    }

    /// Who cannot be measured, and why.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (&str, &str)> {
        self.missing.iter().map(|(name, why)| (*name, why.as_str()))
    }

    fn add(&mut self, name: &'static str, command: Result<Vec<OsString>>) {
        match command {
            Ok(command) => drop(self.commands.insert(name, command)),
            Err(error) => {
                let text = error.to_string();
                let line = text
                    .lines()
                    .find(|line| !line.trim().is_empty())
                    .unwrap_or("no reason was given");
                drop(self.missing.insert(name, line.to_owned()));
            }
        }
    }
}

/// Whose numbers are ours.
pub(crate) fn is_ours(name: &str) -> bool {
    matches!(name, "core" | "C" | "Python" | "Lua")
}

/// Builds what is shipped, and installs the peers.
///
/// # Errors
/// When something of our own cannot be built. A peer that cannot be had is named, and the others are measured.
pub(crate) fn get() -> Result<Clients> {
    let module = artefact::native(&LUAS[0], Profile::Release)?;
    let program = artefact::benches()?;
    let python = artefact::python_with_wheel("bench", Profile::Release, &PYTHON)?;
    let mut clients = Clients {
        commands: BTreeMap::new(),
        missing: BTreeMap::new(),
        variables: Vec::new(),
        versions: Vec::new(),
        program: program.clone(),
    };
    let sources = workspace().join("benches/clients");
    clients.variables = vec![
        ("LUA_CPATH", format!("{}/?.so;;", module.display()).into()),
        ("LUA_PATH", format!("{}/?.lua;;", sources.display()).into()),
        ("PYTHONPATH", sources.clone().into()),
        ("BENCH_NODE_MODULES", folder().join("node/node_modules").into()),
    ];
    let words = |program: &Path, words: &[&str]| -> Vec<OsString> {
        [program.as_os_str().to_owned()]
            .into_iter()
            .chain(words.iter().map(OsString::from))
            .collect()
    };
    for (name, word) in [
        ("core", "core"),
        ("ureq", "ureq"),
        ("crowd", "crowd"),
        ("prompt", "prompt"),
        ("waiting", "waiting"),
        ("close", "close"),
    ] {
        clients.add(name, Ok(words(&program, &[word])));
    }
    compiled(&mut clients, &sources);
    let script = |name: &str| sources.join(name).display().to_string();
    clients.add("Python", Ok(words(&python, &[&script("ours.py")])));
    for (name, peer) in [
        ("urllib3 + orjson", "urllib3_orjson"),
        ("urllib3 + json", "urllib3_json"),
        ("http.client", "http_client"),
        ("requests", "requests"),
        ("httpx", "httpx"),
        ("opencode-ai", "sdk"),
    ] {
        clients.add(name, Ok(words(&python, &[&script("peers.py"), peer])));
    }
    for (name, peer) in [("json only", "json_only"), ("urllib3", "urllib3")] {
        clients.add(name, Ok(words(&python, &[&script("start.py"), peer])));
    }
    let lua = Path::new(LUAS[0].hosts[0]);
    clients.add("Lua", Ok(words(lua, &[&script("ours.lua")])));
    for (name, host, file, package, module) in [
        (
            "LuaSocket + cjson",
            LUAS[0].hosts[0],
            "luasocket.lua",
            "lua-socket lua-cjson",
            "require 'socket.http' require 'cjson'",
        ),
        (
            "lua-http + cjson",
            "lua5.1",
            "luahttp.lua",
            "lua-http lua-cjson",
            "require 'http.request' require 'cjson'",
        ),
    ] {
        let there = installed(package, || {
            let probe = Command::new(host).args(["-e", module]).output()?;
            if probe.status.success() {
                Ok(())
            } else {
                Err(Error::new(String::from_utf8_lossy(&probe.stderr)))
            }
        });
        clients.add(name, there.map(|()| words(Path::new(host), &[&script(file)])));
    }
    let node = node();
    let has_node = || {
        if tools::has("node") {
            Ok(())
        } else {
            Err(Error::new("node is not there (package nodejs)"))
        }
    };
    clients.add(
        "fetch",
        installed("nodejs", has_node)
            .map(|()| words(Path::new("node"), &[&script("node.mjs"), "fetch"])),
    );
    clients.add(
        "@opencode-ai/sdk",
        node.map(|()| words(Path::new("node"), &[&script("node.mjs"), "sdk"])),
    );
    // Only asked whether it is there.
    let has_nginx = || match Path::new("/usr/sbin/nginx").is_file() || tools::has("nginx") {
        true => Ok(()),
        false => Err(Error::new("nginx is not there (package nginx-light)")),
    };
    if let Err(error) = installed("nginx-light", has_nginx) {
        clients.missing.insert("nginx", error.to_string());
    }
    clients.versions = versions(&python);
    Ok(clients)
}

/// The Python command of the row `start`: nothing else may be imported there.
pub(crate) fn start_command(clients: &Clients, name: &str) -> Result<Vec<OsString>> {
    let mut command = clients.command(name)?.to_vec();
    let peer = match name {
        "Python" => "ours".into(),
        "opencode-ai" => "sdk".into(),
        other => OsString::from(other.replace(' ', "_")),
    };
    command.truncate(1);
    command.push(workspace().join("benches/clients/start.py").into());
    command.push(peer);
    Ok(command)
}

fn compiled(clients: &mut Clients, sources: &Path) {
    let built = artefact::dist().join("c");
    let ours = format!(
        "-I{0} -L{1} -lopencode -Wl,--disable-new-dtags,-rpath,{1}",
        workspace().join("include").display(),
        built.display()
    );
    for (name, file, packages, flags) in [
        ("raw socket", "raw.c", "gcc", String::new()),
        ("C", "ours.c", "gcc", format!("{ours} -lpthread")),
        (
            "libcurl + cJSON",
            "curl.c",
            "libcurl4-openssl-dev libcjson-dev",
            "-lcurl -lcjson".to_owned(),
        ),
    ] {
        let program = folder().join(file).with_extension("");
        let done = installed(packages, || {
            let mut gcc = Command::new("gcc");
            gcc.args(["-O2", "-std=c99", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra"])
                .arg(sources.join(file))
                .arg("-o")
                .arg(&program);
            let output =
                gcc.args(flags.split_whitespace()).output().map_err(|e| Error::wrap("gcc", e))?;
            if output.status.success() {
                Ok(())
            } else {
                Err(Error::new(String::from_utf8_lossy(&output.stderr)))
            }
        });
        clients.add(name, done.map(|()| vec![program.into_os_string()]));
    }
}

/// Tries, and where that fails installs packages of Debian and tries again.
fn installed(packages: &str, attempt: impl Fn() -> Result<()>) -> Result<()> {
    let Err(first) = attempt() else { return Ok(()) };
    let names: Vec<&str> = packages.split_whitespace().collect();
    match tools::install(&names) {
        Ok(()) => attempt(),
        Err(error) => Err(Error::new(format!("{packages} cannot be installed ({error}): {first}"))),
    }
}

fn node() -> Result<()> {
    let place = folder().join("node");
    let name = NODE.rsplit_once('@').map_or(NODE, |(name, _)| name);
    if place.join("node_modules").join(name).is_dir() {
        return Ok(());
    }
    fs::create_dir_all(&place)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&place).arg(NODE);
    progress::run(&format!("install {NODE}"), &mut npm).map(drop)
}

/// What was compared, as the packages say it.
fn versions(python: &Path) -> Vec<(String, String)> {
    let said = |program: &str, words: &[&str]| -> Option<String> {
        let output = Command::new(program).args(words).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
    };
    let mut versions = Vec::new();
    let mut add = |name: &str, version: Option<String>| {
        let text =
            version.filter(|text| !text.is_empty()).unwrap_or_else(|| "not there".to_owned());
        versions.push((name.to_owned(), text));
    };
    add("libopencode", Some(format!("{} ({})", env!("CARGO_PKG_VERSION"), commit())));
    add("OpenCode", Some("1.18.33".to_owned()));
    add("rustc", said("rustc", &["-V"]));
    add("nginx", said("/usr/sbin/nginx", &["-v"]).or_else(|| said("nginx", &["-v"])));
    add("gcc", said("gcc", &["-dumpfullversion"]));
    for package in ["libcurl", "libcjson"] {
        add(package, said("pkg-config", &["--modversion", package]));
    }
    let python = python.display().to_string();
    add("Python", said(&python, &["-V"]));
    for package in PYTHON.map(|package| package.split('=').next().unwrap_or(package)) {
        let code = format!("import importlib.metadata as m; print(m.version('{package}'))");
        add(package, said(&python, &["-c", &code]));
    }
    add("Lua", said(LUAS[0].hosts[0], &["-v"]));
    for package in ["lua-socket", "lua-cjson", "lua-http"] {
        add(package, said("dpkg-query", &["-W", "-f", "${Version}", package]));
    }
    add("node", said("node", &["-v"]));
    add("@opencode-ai/sdk", NODE.rsplit_once('@').map(|(_, version)| version.to_owned()));
    versions
}

fn commit() -> String {
    let output = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(workspace())
        .output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// Whether something is set that would send requests elsewhere.
pub(crate) const PROXIES: [&str; 6] =
    ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
