//! How a server is to be started.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::binary::Generation;
use crate::settings::{config, environment, merge, random};
use crate::{Directory, Error, Result, Server, project};

/// Choices for a server; [`ServerBuilder::start`] starts it.
#[derive(Debug, Clone)]
pub struct ServerBuilder {
    generation: Generation,
    binary: Option<PathBuf>,
    model: String,
    username: String,
    password: Password,
    port: Option<u16>,
    directory: Option<PathBuf>,
    persistent: bool,
    config_file: bool,
    config: Vec<Value>,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
}

#[derive(Debug, Clone)]
enum Password {
    Random,
    Given(String),
    None,
}

/// What a server needs to be started, and started again.
pub(crate) struct Blueprint {
    pub(crate) generation: Generation,
    pub(crate) binary: PathBuf,
    /// Otherwise it may be older than what its health is asked with.
    pub(crate) is_pinned: bool,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) username: String,
    pub(crate) password: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) directory: PathBuf,
    /// Removed with the server: its world, and the project when it is ours.
    pub(crate) _owned: Vec<Directory>,
}

impl ServerBuilder {
    pub(crate) fn new(model: &str) -> ServerBuilder {
        ServerBuilder {
            generation: Generation::One,
            binary: None,
            model: model.into(),
            username: "opencode".into(),
            password: Password::Random,
            port: None,
            directory: None,
            persistent: false,
            config_file: false,
            config: Vec::new(),
            variables: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// Starts a server of this generation in place of 1.x. One of 2.x knows no other user than `opencode`, and
    /// always wants a password.
    #[must_use]
    pub fn generation(mut self, generation: Generation) -> ServerBuilder {
        self.generation = generation;
        self
    }

    /// Starts this program in place of the pinned one: of the same generation, and of any version.
    #[must_use]
    pub fn binary(mut self, binary: impl Into<PathBuf>) -> ServerBuilder {
        self.binary = Some(binary.into());
        self
    }

    /// Uses this user name in place of `opencode`.
    #[must_use]
    pub fn username(mut self, username: &str) -> ServerBuilder {
        self.username = username.into();
        self
    }

    /// Uses this password in place of a random one.
    #[must_use]
    pub fn password(mut self, password: &str) -> ServerBuilder {
        self.password = Password::Given(password.into());
        self
    }

    /// Lets everybody in.
    #[must_use]
    pub fn no_password(mut self) -> ServerBuilder {
        self.password = Password::None;
        self
    }

    /// Listens on this port in place of any free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> ServerBuilder {
        self.port = Some(port);
        self
    }

    /// Works in this directory, which stays, in place of a temporary git project.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> ServerBuilder {
        self.directory = Some(directory.into());
        self
    }

    /// Keeps sessions in a file, so that they survive [`Server::restart`]; else in memory.
    #[must_use]
    pub fn persistent(mut self) -> ServerBuilder {
        self.persistent = true;
        self
    }

    /// Writes the configuration into the user's file too: the newer dialect (`/api/...`) reads it
    /// nowhere else.
    #[must_use]
    pub fn config_file(mut self) -> ServerBuilder {
        self.config_file = true;
        self
    }

    /// Merges this into the configuration of the server: objects field by field.
    #[must_use]
    pub fn config(mut self, config: Value) -> ServerBuilder {
        self.config.push(config);
        self
    }

    /// Sets an environment variable of the server; wins over what the harness sets.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> ServerBuilder {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Adds a command line argument behind `opencode serve`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> ServerBuilder {
        self.arguments.push(argument.into());
        self
    }

    /// Starts the server and waits until it is healthy: seconds, at most a minute.
    ///
    /// # Errors
    /// When the server is not there, ends early or does not get healthy; the message holds what
    /// it printed.
    pub fn start(self) -> Result<Server> {
        Server::from_blueprint(self.blueprint()?)
    }

    fn blueprint(self) -> Result<Blueprint> {
        let world = Directory::new("server")?;
        let mut owned = Vec::new();
        let directory = match self.directory {
            Some(path) => path
                .canonicalize()
                .map_err(|error| Error::wrap(format!("directory {}", path.display()), error))?,
            None => {
                let project = project::create()?;
                let path = project.path().to_owned();
                owned.push(project);
                path
            }
        };
        let mut settings = config(&self.model);
        for extra in self.config {
            merge(&mut settings, extra);
        }
        let database = match self.persistent {
            true => world.path().join("opencode.db").display().to_string(),
            false => ":memory:".into(),
        };
        let password = match self.password {
            Password::Random => Some(random(16)?),
            Password::Given(text) => Some(text),
            Password::None => None,
        };
        let mut variables = environment(world.path())?;
        if self.config_file {
            let folder = world.path().join("home/.config/opencode");
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("opencode.json"), settings.to_string())?;
        }
        variables.push(("OPENCODE_CONFIG_CONTENT".into(), settings.to_string()));
        variables.push(("OPENCODE_DB".into(), database));
        if let Some(password) = &password {
            variables.push(("OPENCODE_SERVER_USERNAME".into(), self.username.clone()));
            variables.push(("OPENCODE_SERVER_PASSWORD".into(), password.clone()));
            // 2.x reads this one first.
            variables.push(("OPENCODE_PASSWORD".into(), password.clone()));
        }
        variables.extend(self.variables);
        owned.push(world);
        Ok(Blueprint {
            is_pinned: self.binary.is_none(),
            binary: self.binary.map_or_else(|| self.generation.binary(), Ok)?,
            generation: self.generation,
            arguments: self.arguments,
            variables,
            username: self.username,
            password,
            port: self.port,
            directory,
            _owned: owned,
        })
    }
}
