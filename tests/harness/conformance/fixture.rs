//! What a case stands on: sessions, messages, files, made by plain requests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::pattern::compare;
use super::variables::Variables;
use super::world::World;
use crate::{Error, LIMIT, Result};

/// Recipes by name.
#[derive(Debug)]
pub(super) struct Fixtures(BTreeMap<String, Fixture>);

#[derive(Debug)]
struct Fixture {
    needs: Vec<String>,
    steps: Vec<Step>,
}

/// One thing that is done before a case, or looked at after it.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A request, repeated until its answer fits; parts of the answer become variables.
    Send(Box<Request>),
    /// A file of the project, or anywhere.
    Write { path: String, text: String },
    /// A program.
    Run(Vec<String>),
}

/// A request and what its answer must be.
#[derive(Debug, Clone)]
pub(super) struct Request {
    method: String,
    path: String,
    body: Value,
    /// The status; any success when absent.
    status: Option<u64>,
    /// A pattern for the answer, or null for any.
    until: Value,
    /// A pattern for an item of the answer, or null for the whole answer.
    find: Value,
    /// Variables, with the place where each is found.
    take: Value,
}

impl Fixtures {
    pub(super) fn parse(value: &Value) -> Result<Fixtures> {
        let mut all = BTreeMap::new();
        for (name, value) in value.as_object().into_iter().flatten() {
            let wrap = |error| Error::wrap(format!("spec/fixtures.json: {name}"), error);
            let steps = steps(&value["steps"]).map_err(wrap)?;
            all.insert(name.clone(), Fixture { needs: names(&value["needs"])?, steps });
        }
        let fixtures = Fixtures(all);
        for fixture in fixtures.0.values() {
            fixtures.check(&fixture.needs)?;
        }
        Ok(fixtures)
    }

    pub(super) fn check(&self, needs: &[String]) -> Result<()> {
        match needs.iter().find(|name| !self.0.contains_key(*name)) {
            Some(name) => Err(Error::new(format!("there is no fixture '{name}'"))),
            None => Ok(()),
        }
    }

    /// Makes what is needed, each thing once.
    pub(super) fn prepare(
        &self,
        needs: &[String],
        world: &World,
        variables: &mut Variables,
    ) -> Result<()> {
        let mut done = Vec::new();
        needs.iter().try_for_each(|name| self.prepare_one(name, world, variables, &mut done))
    }

    fn prepare_one(
        &self,
        name: &str,
        world: &World,
        variables: &mut Variables,
        done: &mut Vec<String>,
    ) -> Result<()> {
        if done.iter().any(|have| have == name) {
            return Ok(());
        }
        done.push(name.to_owned());
        let Some(fixture) = self.0.get(name) else { return Ok(()) };
        for needed in &fixture.needs {
            self.prepare_one(needed, world, variables, done)?;
        }
        for step in &fixture.steps {
            step.run(world, variables).map_err(|e| Error::wrap(format!("fixture {name}"), e))?;
        }
        Ok(())
    }
}

impl Step {
    pub(super) fn run(&self, world: &World, variables: &mut Variables) -> Result<()> {
        let text = |text: &str, variables: &Variables| -> Result<String> {
            let filled = variables.fill(&Value::from(text))?;
            Ok(filled.as_str().map_or_else(|| filled.to_string(), str::to_owned))
        };
        match self {
            Step::Write { path, text: content } => {
                let path = world.server.directory().join(text(path, variables)?);
                fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
                Ok(fs::write(path, text(content, variables)?)?)
            }
            Step::Run(words) => {
                let words: Result<Vec<String>> =
                    words.iter().map(|word| text(word, variables)).collect();
                world.execute(&words?)
            }
            Step::Send(request) => {
                let path = text(&request.path, variables)?;
                request.send(&path, world, variables)
            }
        }
    }
}

impl Request {
    fn send(&self, path: &str, world: &World, variables: &mut Variables) -> Result<()> {
        let method = &self.method;
        let (body, until) = (variables.fill(&self.body)?, variables.fill(&self.until)?);
        let find = variables.fill(&self.find)?;
        let found = wait(|| {
            let answer = world.send(method, path, &body)?;
            let shown = || format!("{method} {path}: {} {}", answer.status, answer.text());
            let fits = match self.status {
                Some(status) => u64::from(answer.status) == status,
                None => answer.status < 300,
            };
            if !fits {
                return Ok(Err(shown()));
            }
            let value = answer.json();
            if !until.is_null()
                && let Err(why) = compare(&until, &value)
            {
                return Ok(Err(format!("{method} {path}: {why}")));
            }
            if find.is_null() {
                return Ok(Ok(value));
            }
            let mut items = value.as_array().into_iter().flatten();
            let item = items.find(|item| compare(&find, item).is_ok());
            Ok(item.cloned().ok_or_else(|| format!("{find} is not in {}", shown())))
        })?;
        for (name, pointer) in self.take.as_object().into_iter().flatten() {
            let pointer = pointer.as_str().unwrap_or_default();
            let value = found
                .pointer(pointer)
                .cloned()
                .ok_or_else(|| Error::new(format!("{method} {path}: no {pointer} in {found}")))?;
            variables.set(name, value);
        }
        Ok(())
    }
}

/// Tries again while the answer is not what is waited for.
fn wait(mut look: impl FnMut() -> Result<std::result::Result<Value, String>>) -> Result<Value> {
    let end = Instant::now() + LIMIT;
    let mut pause = Duration::from_millis(10);
    loop {
        match look()? {
            Ok(value) => return Ok(value),
            Err(why) if Instant::now() > end => return Err(Error::new(why)),
            Err(_) => thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(160));
    }
}

/// Reads a list of steps.
pub(super) fn steps(value: &Value) -> Result<Vec<Step>> {
    value.as_array().into_iter().flatten().map(step).collect()
}

/// Reads a list of names.
pub(super) fn names(value: &Value) -> Result<Vec<String>> {
    let text = |value: &Value| {
        value.as_str().map(str::to_owned).ok_or_else(|| Error::new(format!("{value} is no text")))
    };
    value.as_array().into_iter().flatten().map(text).collect()
}

fn step(value: &Value) -> Result<Step> {
    let fields = value.as_object().ok_or_else(|| Error::new(format!("{value} is no step")))?;
    let known = ["send", "status", "until", "find", "take", "write", "run"];
    if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(Error::new(format!("a step has no '{name}'")));
    }
    if let Some(words) = fields.get("run") {
        return Ok(Step::Run(names(words)?));
    }
    if let Some(file) = fields.get("write") {
        let [path, text] = <[String; 2]>::try_from(names(file)?)
            .map_err(|_| Error::new("write takes a path and a text"))?;
        return Ok(Step::Write { path, text });
    }
    let request = fields.get("send").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let [Value::String(method), Value::String(path), rest @ ..] = request else {
        return Err(Error::new(format!("{value} is no step")));
    };
    let get = |name: &str| fields.get(name).cloned().unwrap_or_default();
    Ok(Step::Send(Box::new(Request {
        method: method.clone(),
        path: path.clone(),
        body: rest.first().cloned().unwrap_or_default(),
        status: get("status").as_u64(),
        until: get("until"),
        find: get("find"),
        take: get("take"),
    })))
}
