//! A scripted OpenAI-compatible model on loopback.
//!
//! The script travels inside the prompt, so a test says in one place what is asked and what the
//! model does with it: the prompt holds `@@` followed by a JSON array of [steps](Step), one step
//! per request of the tool loop.
//!
//! ```text
//! list the files @@[{"tools":[{"name":"bash","arguments":{"command":"ls"}}]}, {"text":"Three files."}]
//! ```
//!
//! The first request plays step 0, the request that carries the tool result plays step 1, and so
//! on; the last step repeats. A prompt without a script gets a friendly fixed answer. The calls
//! that name a session (they bring no tools) get [`TITLE`], and those for a summary the first step that follows
//! `@summary` in what was said, or [`SUMMARY`].
//!
//! ```no_run
//! let model = opencode_fake_provider::Model::start(0)?;
//! println!("base URL of the provider: {}", model.url());
//! println!("requests so far: {:?}", model.log());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! `GET /log` answers what [`Model::log`] returns, `DELETE /log` forgets it.

mod chat;
mod connection;
pub mod http;
mod log;
mod model;
mod play;
mod script;
pub mod socket;
mod wire;

pub use chat::{SUMMARY, TITLE};
pub use model::Model;
pub use script::{Failure, Script, ScriptError, Stall, Step, ToolCall, Usage};
