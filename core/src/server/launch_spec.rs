//! [`LaunchSpec`]: everything that is decided before the process is started.

use super::options::{ServerOptions, invalid};
use super::reaper::VARIABLE;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::mask::clear_in;
use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const INSTALL: &str = "install it with `npm install -g opencode-ai`";

/// A process group of its own, and no window of a console beside a host that has none.
#[cfg(windows)]
const APART: u32 = 0x0000_0200 | 0x0800_0000;

/// What the program may be called: npm installs a script on Windows.
const NAMES: &[&str] =
    if cfg!(windows) { &["opencode.exe", "opencode.cmd"] } else { &["opencode"] };

/// A server that is to be started.
pub(super) struct LaunchSpec {
    pub(super) options: ServerOptions,
    pub(super) binary: PathBuf,
    pub(super) password: String,
    pub(super) tag: String,
}

impl LaunchSpec {
    pub(super) fn new(options: ServerOptions, password: String, tag: String) -> Result<LaunchSpec> {
        options.check()?;
        let from_env = std::env::var_os("OPENCODE_BIN").filter(|value| !value.is_empty());
        let path = std::env::var_os("PATH");
        let binary = find(options.binary.as_deref(), from_env, path)?;
        Ok(LaunchSpec { options, binary, password, tag })
    }

    /// The command for one attempt on a port; `is_lower` writes the level of its log as 2.x wants it.
    pub(super) fn command(
        &self,
        port: u16,
        is_lower: bool,
        output: std::io::PipeWriter,
    ) -> std::io::Result<Command> {
        let options = &self.options;
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--hostname", &options.hostname, "--port", &port.to_string()]);
        if let Some(level) = &options.log_level {
            let level = match is_lower {
                true => level.to_ascii_lowercase(),
                false => level.to_ascii_uppercase(),
            };
            command.args(["--print-logs", "--log-level", &level]);
        }
        command.args(&options.arguments);
        if let Some(directory) = &options.directory {
            command.current_dir(directory);
        }
        // Where the host's own client goes is no business of the server and its tools: with the password of
        // this server they would knock at another one.
        command.env_remove("OPENCODE_BASE_URL");
        for (name, value) in &options.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if let Some(config) = &options.config {
            let config = serde_json::Value::Object(config.clone()).to_string();
            command.env("OPENCODE_CONFIG_CONTENT", config);
        }
        command
            .env("OPENCODE_SERVER_USERNAME", &options.username)
            .env("OPENCODE_SERVER_PASSWORD", &self.password)
            // What 2.x reads first.
            .env("OPENCODE_PASSWORD", &self.password)
            .env(VARIABLE, self.tags())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        // Ctrl-C in the host's terminal is for the host.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        #[cfg(windows)]
        std::os::windows::process::CommandExt::creation_flags(&mut command, APART);
        clear_in(&mut command);
        Ok(command)
    }

    /// The address for clients on this machine.
    pub(super) fn url(&self, port: u16) -> String {
        match self.options.hostname.trim_start_matches('[').trim_end_matches(']') {
            "0.0.0.0" => format!("http://127.0.0.1:{port}"),
            "::" => format!("http://[::1]:{port}"),
            host if host.contains(':') => format!("http://[{host}]:{port}"),
            host => format!("http://{host}:{port}"),
        }
    }

    /// The tag behind those of servers that this process itself runs below.
    fn tags(&self) -> String {
        match std::env::var(VARIABLE) {
            Ok(outer) if !outer.is_empty() => format!("{outer},{}", self.tag),
            _ => self.tag.clone(),
        }
    }
}

/// A port that is free now. Somebody may be faster: then the server says so, and another one is tried. The
/// server's own choice, port 0, is no help: it means 4096 if that is free, which belongs to whom a person starts.
pub(super) fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The program to start, with an absolute path: the server may work in another directory.
fn find(
    given: Option<&Path>,
    from_env: Option<OsString>,
    path: Option<OsString>,
) -> Result<PathBuf> {
    if let Some(given) = given {
        return absolute(given).filter(|path| path.is_file()).ok_or_else(|| {
            missing(format!("binary: there is no file '{}'; {INSTALL}", given.display()))
        });
    }
    if let Some(named) = from_env {
        let named = PathBuf::from(named);
        return absolute(&named).filter(|path| path.is_file()).ok_or_else(|| {
            missing(format!("OPENCODE_BIN: there is no file '{}'; {INSTALL}", named.display()))
        });
    }
    std::env::split_paths(&path.unwrap_or_default())
        .flat_map(|folder| NAMES.iter().map(move |name| folder.join(name)))
        .find(|file| file.is_file())
        .and_then(|file| absolute(&file))
        .ok_or_else(|| {
            missing(format!(
                "there is no program 'opencode' on the PATH; {INSTALL}, or say where it is with binary or OPENCODE_BIN"
            ))
        })
}

fn absolute(path: &Path) -> Option<PathBuf> {
    std::path::absolute(path).ok()
}

fn missing(text: String) -> Error {
    let invalid = invalid(text);
    Error::new(ErrorKind::Start, invalid.message()).with_code(Some("missing".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_where_it_is_said_to_be() {
        let here = std::env::current_exe().unwrap();
        let found = find(Some(&here), Some("/nowhere".into()), None).unwrap();
        assert_eq!(found, here);
        assert_eq!(find(None, Some(here.clone().into()), None).unwrap(), here);
        for (given, from_env, part) in [
            (Some(Path::new("/no/opencode")), None, "'/no/opencode'"),
            (None, Some("/no/other".into()), "OPENCODE_BIN: there is no file '/no/other'"),
            (None, None, "on the PATH"),
        ] {
            let error = find(given, from_env, Some("/nowhere".into())).unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Start, Some("missing")));
            assert!(error.message().contains(part), "{error}");
            assert!(error.message().contains("npm install -g opencode-ai"), "{error}");
        }
    }

    #[test]
    fn clients_get_an_address_that_they_can_reach() {
        for (hostname, url) in [
            ("127.0.0.1", "http://127.0.0.1:7"),
            ("0.0.0.0", "http://127.0.0.1:7"),
            ("::", "http://[::1]:7"),
            ("::1", "http://[::1]:7"),
            ("localhost", "http://localhost:7"),
        ] {
            let options = ServerOptions { hostname: hostname.to_owned(), ..Default::default() };
            let spec = LaunchSpec {
                options,
                binary: PathBuf::new(),
                password: String::new(),
                tag: String::new(),
            };
            assert_eq!(spec.url(7), url);
        }
    }
}
