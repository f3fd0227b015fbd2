//! Sessions and what belongs to them.

use super::{Tokens, maybe_whole, or_default, whole};
use serde::Deserialize;

/// A conversation.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Session {
    /// Such as `ses_1`.
    pub id: String,
    /// The project that its directory belongs to.
    #[serde(rename = "projectID")]
    pub project_id: String,
    /// The directory that it works in.
    pub directory: String,
    /// The session that started this one, of a subagent.
    #[serde(rename = "parentID")]
    pub parent_id: Option<String>,
    /// What it is called.
    pub title: String,
    /// The version of the server that made it.
    pub version: String,
    /// The agent that it was made with.
    pub agent: Option<String>,
    /// The model that it was made with.
    pub model: Option<ModelRef>,
    /// What it cost so far, in dollars.
    #[serde(deserialize_with = "or_default")]
    pub cost: f64,
    /// What it used so far.
    #[serde(deserialize_with = "or_default")]
    pub tokens: Tokens,
    /// The files that it changed, in numbers.
    pub summary: Option<SessionSummary>,
    /// When things happened to it.
    pub time: SessionTime,
}

/// When things happened to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SessionTime {
    /// When it was made.
    #[serde(deserialize_with = "whole")]
    pub created: u64,
    /// When it last changed.
    #[serde(deserialize_with = "whole")]
    pub updated: u64,
    /// When it was put away.
    #[serde(deserialize_with = "maybe_whole")]
    pub archived: Option<u64>,
}

/// The files that a session changed, in numbers.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SessionSummary {
    /// Lines added.
    #[serde(deserialize_with = "whole")]
    pub additions: u64,
    /// Lines removed.
    #[serde(deserialize_with = "whole")]
    pub deletions: u64,
    /// Files touched.
    #[serde(deserialize_with = "whole")]
    pub files: u64,
    /// The changes, where the server gives them.
    pub diffs: Vec<FileDiff>,
}

/// A model by its names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ModelRef {
    /// Such as `anthropic`.
    #[serde(rename = "providerID")]
    pub provider_id: String,
    /// Such as `claude-sonnet-4`.
    #[serde(rename = "modelID", alias = "id")]
    pub model_id: String,
    /// Such as `high`.
    pub variant: Option<String>,
}

/// What changed in one file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FileDiff {
    /// The file; its path from the project's root.
    #[serde(alias = "path")]
    pub file: String,
    /// The change in the format of `diff -u`.
    pub patch: String,
    /// Lines added.
    #[serde(deserialize_with = "whole")]
    pub additions: u64,
    /// Lines removed.
    #[serde(deserialize_with = "whole")]
    pub deletions: u64,
    /// `added`, `deleted` or `modified`.
    pub status: Option<String>,
}

/// One thing that the agent means to do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Todo {
    /// What.
    pub content: String,
    /// `pending`, `in_progress`, `completed` or `cancelled`.
    pub status: String,
    /// `high`, `medium` or `low`.
    pub priority: String,
}
