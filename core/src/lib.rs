//! A blocking client for OpenCode servers that never freezes its host.
//!
//! A [`Client`] is one handle to one server; [`Server`] starts one as part of the program. [`Client::call`] does an
//! operation and waits for its answer, [`Client::start`] does it in the background. [`Client::run`] sends a prompt and gives
//! a [`Run`] to poll, [`Client::ask`] waits for its [`Reply`]. No async runtime is needed, and none is in the way.
//!
//! ```no_run
//! use opencode_core::{Client, ClientOptions, Prompt, State, Update};
//! use std::time::Duration;
//!
//! let client = Client::new(ClientOptions {
//!     base_url: "http://127.0.0.1:4096".to_owned(),
//!     timeout: Duration::from_secs(20),
//!     ..ClientOptions::default()
//! })?;
//! let run = client.run(Prompt { agent: Some("plan".to_owned()), ..Prompt::new("Say pong") })?;
//! loop {
//!     let (state, updates) = run.poll(); // Never waits.
//!     for update in updates {
//!         match update {
//!             Update::Text(text) => print!("{}", text.delta),
//!             Update::Failed(error) => return Err(error),
//!             _ => {}
//!         }
//!     }
//!     if matches!(state, State::Done | State::Failed) {
//!         break;
//!     }
//!     std::thread::sleep(Duration::from_millis(16)); // The rest of a game's or editor's tick.
//! }
//! # Ok::<(), opencode_core::Error>(())
//! ```
//!
//! # Options
//!
//! Options are plain structs: name what differs, and take the rest from `default()`. New fields may come with a minor
//! version. What a host reads from JSON goes through `from_json`, which names a wrong field and the nearest right one:
//!
//! ```
//! use opencode_core::{ErrorKind, UsageOptions};
//!
//! let options = UsageOptions { messages: true, ..UsageOptions::default() };
//! assert!(options.tree);
//! let error = UsageOptions::from_json(r#"{"mesages":true}"#).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::InvalidArgument);
//! assert!(error.message().ends_with("did you mean 'messages'?"));
//! ```
//!
//! # Errors
//!
//! Every [`Error`] has a [kind](ErrorKind) to decide by, and one line for people:
//!
//! ```
//! use opencode_core::{Client, ClientOptions, ErrorKind};
//!
//! // Nobody listens at port 9; making a client touches no network.
//! let options = ClientOptions { max_retries: 0, base_url: "http://127.0.0.1:9".to_owned(), ..ClientOptions::default() };
//! let client = Client::new(options)?;
//! let error = client.call("session.list", ()).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Connection);
//! assert!(error.is_retryable() && error.message().starts_with("session.list: "));
//! # Ok::<(), opencode_core::Error>(())
//! ```
//!
//! # Threads
//!
//! [`Client`], [`Run`], [`Call`], [`EventStream`], [`Pages`], [`PageFetcher`], [`Pty`], [`Server`], [`Replay`], [`Log`] and
//! [`Error`] are `Send` and `Sync`. What a tick calls (`poll`, `next_update`, a timeout of zero) never waits. Dropping a
//! handle waits for nothing either: what has to be ended is ended by a thread of the library. [`Client::close`] and
//! [`Server::close`] wait.
//!
//! # Inside
//!
//! The crate has floors, folders of `src`, and a lower one imports no higher one: `base` (errors, limits, threads, values),
//! `http` (one exchange), `protocol` (what servers say), `call` (one operation done), `events`, `pty`, `inspect`, `tools`
//! (functions of the host that the agent calls), `run` (a prompt on its way to its reply), `history` (long lists and sums),
//! `client`, and `server` on top. ARCHITECTURE.md of the repository names every module.

#![deny(unsafe_code)]
#![warn(clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::arithmetic_side_effects))]

mod base;
mod call;
mod client;
mod events;
mod history;
mod http;
mod inspect;
mod protocol;
mod pty;
mod run;
mod server;
mod tools;

pub use base::cancel::Interrupt;
pub use base::depth::{MAX_DEPTH, MAX_HANDED_DEPTH, check_depth, json_depth};
pub use base::error::{Error, ErrorKind, Result};
#[doc(hidden)]
pub use base::host_names::speak_python;
pub use base::json::Json;
#[doc(hidden)]
pub use base::json::write_text;
#[doc(hidden)]
pub use base::leaving::settle;
#[doc(hidden)]
pub use base::limits::milliseconds;
pub use base::log::{Level, Log, LogRecord};
#[doc(hidden)]
pub use base::pointer;
#[doc(hidden)]
pub use base::scan;
#[doc(hidden)]
pub use base::suggest::did_you_mean;
pub use call::Call;
pub use call::options::{CallOptions, ClientOptions};
pub use call::raw_route::RequestOptions;
pub use call::tui::TuiControl;
pub use client::Client;
pub use events::stream::{EventOptions, EventStream, Scope, StreamEvent};
pub use history::export::file::Exported;
pub use history::export::{ExportFormat, ExportOptions};
pub use history::pages::{MessageOptions, NextItem, PageFetcher, Pages, SessionOptions};
pub use history::usage::{Share, Usage, UsageOptions};
pub use http::answer::Answer;
#[doc(hidden)]
pub use inspect::discover::discover_timeout;
pub use inspect::discover::{Found, Source, discover, start_discover};
pub use inspect::doctor::{Check, CheckStatus, Diagnosis};
pub use inspect::drift::{Change, Drift, Endpoint};
pub use inspect::ready::{Ready, ReadyOptions};
pub use protocol::dialect::{Dialect, ServerInfo};
pub use protocol::event::Event;
pub use protocol::model_name::Model;
pub use protocol::permission::{
    Decision, PermissionPolicy, PermissionReply, PermissionRule, QuestionPolicy,
};
pub use protocol::tokens::{CacheTokens, Tokens};
pub use protocol::{model, operation};
pub use pty::{Pty, PtyOpening, PtyOptions};
pub use run::attach::{ATTACH, AttachOptions, attach, attach_bytes};
pub use run::{
    CompactOptions, DecisionRecord, Detached, Prompt, Reply, Run, RunLimits, State, TextStream,
    TextUpdate, Timings, Update, WhenBusy, take_losses, wait_until_sent,
};
pub use server::replay::Replay;
pub use server::{Server, ServerOptions, ServerState};
pub use tools::{HostToolCall, Tool, ToolAnswer, ToolHandler};

/// Handles go from thread to thread, and are used from several.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Client>();
    shared::<Run>();
    shared::<Call>();
    shared::<EventStream>();
    shared::<Pages<model::Message>>();
    shared::<PageFetcher>();
    shared::<Pty>();
    shared::<PtyOpening>();
    shared::<Server>();
    shared::<Replay>();
    shared::<TuiControl>();
    shared::<Interrupt>();
    shared::<Log>();
    shared::<Error>();
    shared::<Answer>();
    shared::<Reply>();
    shared::<Update>();
    shared::<Event>();
    shared::<Json>();
    shared::<Prompt>();
    shared::<ClientOptions>();
};
