//! One case: a call and what it says comes back.

use serde_json::{Value, json};

use super::driver::{Driver, Got};
use super::fixture::{Fixtures, Step, names, steps};
use super::pattern::{compare, type_of};
use super::variables::Variables;
use super::world::World;
use crate::{Error, Generation, Result};

/// One case of `spec/cases`.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) operation: String,
    /// The server that it is called on.
    pub(super) server: Generation,
    /// What it shows, when an operation has several.
    about: Option<String>,
    /// Fixtures, by name.
    pub(super) needs: Vec<String>,
    /// Why only an error can be shown.
    pub(super) exempt: Option<String>,
    arguments: Value,
    options: Value,
    expect: Expect,
    /// Looked at afterwards, by plain requests.
    then: Vec<Step>,
}

#[derive(Debug)]
enum Expect {
    /// A success with this status. `None`: without an answer.
    Success { status: u64, answer: Option<Value> },
    /// An error with these fields.
    Error(Value),
}

const FIELDS: [&str; 8] =
    ["operation", "about", "needs", "exempt", "arguments", "options", "expect", "then"];

impl Case {
    pub(super) fn parse(value: &Value, server: Generation) -> Result<Case> {
        let operation = value["operation"].as_str().unwrap_or_default().to_owned();
        let wrong = |what: &str| Err(Error::new(format!("{operation}: {what}")));
        let mut given = value.as_object().into_iter().flatten().map(|(name, _)| name);
        if let Some(name) = given.find(|name| !FIELDS.contains(&name.as_str())) {
            return wrong(&format!("a case has no '{name}'"));
        }
        let expect = &value["expect"];
        let expect = match (expect.get("status").and_then(Value::as_u64), expect.get("error")) {
            (Some(status @ 200..=299), None) => {
                Expect::Success { status, answer: expect.get("answer").cloned() }
            }
            (None, Some(error)) if error.get("kind").is_some() => Expect::Error(error.clone()),
            _ => return wrong("expects a status from 200 to 299, or an error with a kind"),
        };
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let exempt = text("exempt");
        if exempt.is_some() && matches!(expect, Expect::Success { .. }) {
            return wrong("is exempt and succeeds");
        }
        Ok(Case {
            server,
            about: text("about"),
            needs: names(&value["needs"])?,
            exempt,
            arguments: value.get("arguments").cloned().unwrap_or_else(|| json!({})),
            options: value.get("options").cloned().unwrap_or_else(|| json!({})),
            expect,
            then: steps(&value["then"])?,
            operation,
        })
    }

    /// How the case is called in messages.
    pub(super) fn title(&self) -> String {
        let server = self.server.version();
        match &self.about {
            Some(about) => format!("{} ({about}) on {server}", self.operation),
            None => format!("{} on {server}", self.operation),
        }
    }

    /// Prepares, calls, compares; gives what was seen in a few words.
    pub(super) fn run(
        &self,
        world: &World,
        fixtures: &Fixtures,
        driver: &mut Driver,
        nothing: &Value,
    ) -> Result<String> {
        let mut variables = world.variables();
        fixtures.prepare(&self.needs, world, &mut variables)?;
        let arguments = variables.fill(&self.arguments)?;
        let got = driver.call(&self.operation, &arguments, &self.options)?;
        let seen = self.judge(&got, &variables, nothing)?;
        for step in &self.then {
            step.run(world, &mut variables).map_err(|e| Error::wrap("afterwards", e))?;
        }
        Ok(seen)
    }

    fn judge(&self, got: &Got, variables: &Variables, nothing: &Value) -> Result<String> {
        match (&self.expect, got) {
            (Expect::Success { status, answer }, Got::Success { status: seen, answer: value }) => {
                if seen.is_some_and(|seen| seen != *status) {
                    return Err(Error::new(format!("the status is {seen:?}, not {status}")));
                }
                let pattern = match answer {
                    Some(pattern) => variables.fill(pattern)?,
                    None => nothing.clone(),
                };
                compare(&pattern, value).map_err(Error::new)?;
                let status = seen.map_or_else(String::new, |status| format!("{status} "));
                Ok(match answer {
                    None => format!("{status}nothing"),
                    Some(_) => format!("{status}{}", type_of(value)),
                })
            }
            (Expect::Error(pattern), Got::Failure(error)) => {
                compare(&variables.fill(pattern)?, error).map_err(Error::new)?;
                let message = error["message"].as_str().unwrap_or_default();
                if !message.starts_with(&format!("{}: ", self.operation)) || message.contains('\n')
                {
                    return Err(Error::new(format!("the message is {message:?}")));
                }
                let word = |name: &str| match &error[name] {
                    Value::Null => None,
                    Value::String(text) => Some(text.clone()),
                    other => Some(other.to_string()),
                };
                let words = [word("kind"), word("status"), word("code")];
                Ok(words.into_iter().flatten().collect::<Vec<_>>().join(" "))
            }
            (_, Got::Success { answer, .. }) => {
                Err(Error::new(format!("it succeeded with {answer}, and should not")))
            }
            (_, Got::Failure(error)) => Err(Error::new(format!("it failed: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_that_nobody_understands_is_refused() {
        let parse = |value: Value| {
            Case::parse(&value, Generation::One).map(drop).map_err(|e| e.to_string())
        };
        let right = json!({"operation": "a.b", "expect": {"status": 200, "answer": {}}});
        assert_eq!(parse(right), Ok(()));
        for (value, part) in [
            (json!({"operation": "a.b"}), "expects"),
            (json!({"operation": "a.b", "expect": {"status": 404}}), "expects"),
            (json!({"operation": "a.b", "expect": {"error": {"status": 404}}}), "expects"),
            (json!({"operation": "a.b", "expcet": {}}), "expcet"),
            (
                json!({"operation": "a.b", "expect": {"status": 204}, "exempt": "why"}),
                "exempt and succeeds",
            ),
        ] {
            let error = parse(value).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
