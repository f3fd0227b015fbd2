//! Whether the server knows the agent and the model. Without events nothing would tell that it does not, so they are
//! looked up before the send; of a run that was sent and is silent the event that would say so may be lost.

use super::{Opening, OpeningEffect, RequestKind};
use crate::base::error::Result;
use crate::run::wire::{Request, Response};

/// What is looked up next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameCheck {
    Agent,
    Model,
    Known,
}

impl Opening {
    /// Asks for what tells whether agent or model are known; false when there is nothing left to ask.
    pub(super) fn ask_names(&mut self, out: &mut Vec<OpeningEffect>) -> bool {
        if self.name_check == NameCheck::Agent && self.prompt.agent.is_none() {
            self.name_check = NameCheck::Model;
        }
        if self.name_check == NameCheck::Model && self.prompt.model.is_none() {
            self.name_check = NameCheck::Known;
        }
        let directory = self.directory.clone();
        let (kind, request) = match (self.name_check, &self.prompt.agent, &self.prompt.model) {
            (NameCheck::Agent, Some(agent), _) => {
                (RequestKind::Agents, Request::CheckAgent { agent: agent.clone(), directory })
            }
            (NameCheck::Model, _, Some(model)) => {
                (RequestKind::Models, Request::CheckModel { model: model.clone(), directory })
            }
            _ => return false,
        };
        out.push(OpeningEffect::Ask(kind, request));
        true
    }

    /// Whether agent and model are known, or need not be.
    pub(in crate::run::machine) fn knows_names(&self) -> bool {
        let has_model = self.prompt.model.is_some();
        match self.name_check {
            NameCheck::Agent => self.prompt.agent.is_none() && !has_model,
            NameCheck::Model => !has_model,
            NameCheck::Known => true,
        }
    }

    pub(super) fn checked_name(&mut self, kind: &RequestKind) {
        let is_agent = *kind == RequestKind::Agents;
        self.name_check = if is_agent { NameCheck::Model } else { NameCheck::Known };
    }

    /// What the server said of a name of a run that is silent.
    pub(super) fn on_names(
        &mut self,
        kind: &RequestKind,
        result: Result<Response>,
        out: &mut Vec<OpeningEffect>,
    ) {
        let Ok(Response::Name(checked)) = result else {
            // What cannot be asked now is asked at the next look.
            return out.push(OpeningEffect::NamesUnchecked);
        };
        self.checked_name(kind);
        match checked {
            Err(error) => out.push(OpeningEffect::WrongName(error)),
            Ok(()) => {
                self.ask_names(out);
            }
        }
    }
}
