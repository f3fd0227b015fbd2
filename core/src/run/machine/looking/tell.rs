//! What the host is told of texts, tools, lists and files: each thing once.

use super::{Looking, LookingEffect, Millis};
use crate::base::depth::json_depth;
use crate::run::transcript::{Channel, Piece};
use crate::run::update::{TextUpdate, Update};
use serde_json::Value;
use serde_json::value::RawValue;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What was told of a tool part: its newest form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ToldTool {
    form: u64,
    pub(super) is_over: bool,
}

impl Looking {
    pub(super) fn tell_tool(
        &mut self,
        id: String,
        is_over: bool,
        raw: Box<RawValue>,
        out: &mut Vec<LookingEffect>,
    ) {
        let told = ToldTool { form: fingerprint(raw.get()), is_over };
        if self.told_tools.insert(id, told) != Some(told) {
            out.push(LookingEffect::Tell(Update::Tool(Arc::from(raw))));
        }
    }

    pub(super) fn tell_todos(&mut self, raw: Arc<RawValue>, out: &mut Vec<LookingEffect>) {
        let todos = canonical(raw.get());
        if self.todos.as_ref() != Some(&todos) {
            self.todos = Some(todos);
            out.push(LookingEffect::Tell(Update::Todo(raw)));
        }
    }

    /// Tells which files were changed, when that is something new.
    pub(super) fn tell_files(&mut self, raw: &Arc<RawValue>, out: &mut Vec<LookingEffect>) {
        if raw.get() != "[]" && self.files.as_ref().is_none_or(|told| told.get() != raw.get()) {
            self.files = Some(Arc::clone(raw));
            out.push(LookingEffect::Tell(Update::Diff(Arc::clone(raw))));
        }
    }

    pub(super) fn show(&mut self, pieces: Vec<Piece>, now: Millis, out: &mut Vec<LookingEffect>) {
        for piece in pieces {
            self.first_token.get_or_insert(now);
            let text = TextUpdate {
                delta: piece.delta,
                replaces: piece.replaces,
                message_id: piece.message_id,
                part_id: piece.part_id,
            };
            out.push(LookingEffect::Tell(match piece.channel {
                Channel::Text => Update::Text(text),
                Channel::Reasoning => Update::Reasoning(text),
            }));
        }
    }
}

/// JSON in one form, whatever the order of its keys and the spaces between: the server writes a list in two ways.
fn canonical(json: &str) -> String {
    // No list of the agent is deeper, and a deep tree would need a stack as deep.
    const LEVELS: usize = 16;
    let tree = (json_depth(json.as_bytes()) <= LEVELS).then(|| serde_json::from_str::<Value>(json));
    tree.and_then(|tree| tree.ok()).map_or_else(|| json.to_owned(), |tree| tree.to_string())
}

/// Tells one form of a part from another.
fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
