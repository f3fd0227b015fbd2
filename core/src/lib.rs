//! A blocking client for OpenCode servers that never freezes its host.

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

pub use base::cancel::Interrupt;
pub use base::depth::{MAX_DEPTH, MAX_HANDED_DEPTH, check_depth, json_depth};
pub use base::error::{Error, ErrorKind, Result};
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
pub use call::tui::TuiControl;
pub use client::Client;
pub use events::stream::{EventOptions, EventStream, Scope, StreamEvent};
pub use history::pages::{MessageOptions, NextItem, PageFetcher, Pages, SessionOptions};
pub use history::usage::{Share, Usage, UsageOptions};
pub use http::answer::Answer;
#[doc(hidden)]
pub use inspect::discover::discover_timeout;
pub use inspect::discover::{Found, Source, discover, start_discover};
pub use inspect::doctor::{Check, CheckStatus, Diagnosis};
pub use inspect::drift::{Change, Drift, Endpoint};
pub use protocol::dialect::{Dialect, ServerInfo};
pub use protocol::event::Event;
pub use protocol::model_name::Model;
pub use protocol::permission::{
    Decision, PermissionPolicy, PermissionReply, PermissionRule, QuestionPolicy,
};
pub use protocol::tokens::{CacheTokens, Tokens};
pub use protocol::{model, operation};
pub use pty::{Pty, PtyOpening, PtyOptions};
pub use run::attach::{AttachOptions, attach, attach_bytes};
pub use run::{
    DecisionRecord, Detached, Prompt, Reply, Run, RunLimits, State, TextStream, TextUpdate,
    Timings, Update, WhenBusy, take_losses, wait_until_sent,
};
pub use server::replay::Replay;
pub use server::{Server, ServerOptions, ServerState};
