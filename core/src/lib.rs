//! A blocking client for OpenCode servers that never freezes its host.

#![deny(unsafe_code)]
#![warn(clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::arithmetic_side_effects))]

mod answer;
mod attach;
mod base_url;
mod call;
mod caller;
mod cancel;
mod client;
mod credentials;
mod depth;
mod dialect;
mod discover;
mod doctor;
mod drift;
mod error;
mod event;
mod event_stream;
mod feed;
mod hooks;
mod json;
mod leaving;
mod limits;
mod log;
mod mailbox;
mod mask;
pub mod model;
mod nearest;
pub mod operation;
mod options;
mod pages;
#[doc(hidden)]
pub mod pointer;
mod pty;
mod random;
mod record;
mod redact;
mod remedy;
mod replay;
mod retry;
mod run;
mod schema;
mod server;
mod signal;
mod sse;
mod sync;
mod thread;
mod transport;
mod tui;
mod usage;
mod worker;

pub use answer::Answer;
pub use attach::{AttachOptions, attach, attach_bytes};
pub use call::Call;
pub use cancel::Interrupt;
pub use client::Client;
pub use depth::{MAX_DEPTH, MAX_HANDED_DEPTH, check_depth, json_depth};
pub use dialect::Dialect;
pub use discover::{Found, Source, discover, start_discover};
pub use doctor::{Check, CheckStatus, Diagnosis};
pub use drift::{Change, Drift, Endpoint};
pub use error::{Error, ErrorKind, Result};
pub use event::Event;
pub use event_stream::{EventOptions, EventStream, Scope, StreamEvent};
pub use json::Json;
#[doc(hidden)]
pub use leaving::settle;
pub use log::{Level, Log, LogRecord};
pub use options::{CallOptions, ClientOptions};
pub use pages::{MessageOptions, PageFetcher, Pages, SessionOptions};
pub use pty::{Pty, PtyOpening, PtyOptions};
pub use replay::Replay;
pub use run::{
    CacheTokens, Decision, DecisionRecord, Detached, Model, PermissionPolicy, PermissionReply,
    PermissionRule, Prompt, QuestionPolicy, Reply, Run, RunLimits, State, TextUpdate, Timings,
    Tokens, Update, WhenBusy, wait_until_sent,
};
pub use server::{Server, ServerOptions, ServerState};
pub use tui::TuiControl;
pub use usage::{Share, Usage, UsageOptions};
