//! What the cases of one language run in: a server, a model, and folders.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::variables::Variables;
use crate::{Directory, Error, Generation, Model, Result, Server, eventually};

/// A server of its own, so that what a case breaks, it breaks for nobody else.
pub(super) struct World {
    pub(super) server: Server,
    _model: Model,
    folder: Directory,
    next: AtomicU64,
    project: Value,
}

impl World {
    pub(super) fn start(generation: Generation) -> Result<World> {
        let model = Model::start(0).map_err(|e| Error::wrap("the scripted model", e))?;
        let config = json!({ "permission": { "bash": "ask" } });
        let builder = Server::builder(&model.url()).generation(generation).config(config);
        let (server, project) = match generation {
            Generation::One => {
                let server = builder.config_file().start()?;
                // The first prompt of a directory loads its plugins: that is no case's business.
                let project = server.get("/project/current")?.json()["id"].clone();
                (server, project)
            }
            Generation::Two => {
                let server = builder.start()?;
                // Lists are empty in the first moments of a directory.
                for list in ["agent", "model"] {
                    eventually(list, || {
                        let found = server.get(&format!("/api/{list}")).ok()?.json();
                        found["data"].as_array().filter(|list| !list.is_empty()).map(drop)
                    });
                }
                let project = server.get("/api/location")?.json()["project"]["id"].clone();
                (server, project)
            }
        };
        let folder = Directory::new("conformance")?;
        Ok(World { server, _model: model, folder, next: AtomicU64::new(0), project })
    }

    /// What every case knows. `unique` is another text for each.
    pub(super) fn variables(&self) -> Variables {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut variables = Variables::default();
        let tests = crate::binary::workspace().join("tests/conformance");
        variables.set("unique", json!(format!("{:x}{number}", self.server.pid())));
        variables.set("directory", json!(self.server.directory()));
        variables.set("project", self.project.clone());
        variables.set("folder", json!(self.folder.path()));
        variables.set("tests", json!(tests));
        variables
    }

    /// Sends a plain request.
    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<crate::http::Response> {
        self.server.request(method, path, (!body.is_null()).then_some(body))
    }

    /// Runs a program in the project.
    pub(super) fn execute(&self, words: &[String]) -> Result<()> {
        let (program, arguments) =
            words.split_first().ok_or_else(|| Error::new("an empty command"))?;
        let output = Command::new(program)
            .args(arguments)
            .current_dir(self.server.directory())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Error::wrap(program, error))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(Error::new(format!(
                "{}: {}",
                words.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            ))),
        }
    }
}
