//! The harness: the real server, the scripted model, a hostile proxy and a lying server.
//!
//! Tests, benches, examples and `cargo xtask demo` stand on it. It knows nothing of the code
//! under test: it has its own few lines of HTTP, so that a bug cannot hide itself.
//!
//! ```no_run
//! use opencode_tests::{Model, Server, prompt};
//! use serde_json::json;
//!
//! let model = Model::start(0)?;
//! let server = Server::builder(&model.url()).start()?;
//! let session = server.post("/session", &json!({}))?.json();
//! let path = format!("/session/{}/message", session["id"].as_str().unwrap_or_default());
//! let text = prompt("Say hello", json!([{"text": "Hello."}]));
//! let reply = server.post(&path, &json!({"parts": [{"type": "text", "text": text}]}))?.json();
//! assert_eq!(reply["info"]["finish"], "stop");
//! assert_eq!(model.runs("Say hello"), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything here blocks. Whatever was started ends when its value is dropped and, at the
//! latest, when the process ends, however it ends. That part reads `/proc`: Linux only.

pub mod binary;
mod builder;
mod chunk_duplicator;
pub mod conformance;
pub mod costs;
mod directory;
mod error;
mod fake;
mod flood;
pub mod http;
mod model;
mod output;
mod plan;
mod process;
pub mod project;
mod proxy;
mod reaper;
mod server;
mod settings;
mod shared;
mod stage;
mod swift;
mod tunnel;
mod wait;

pub use binary::Generation;
pub use builder::ServerBuilder;
pub use directory::Directory;
pub use error::{Error, Result};
pub use fake::{Answer, Fake};
pub use flood::{SURGE, flood, surge, trickle};
pub use model::{Model, prompt};
pub use opencode_fake_provider::http::Request;
pub use plan::{Asked, End, Plan};
pub use process::{Signal, is_alive, kill, stop, wait};
pub use proxy::{Counters, Proxy};
pub use server::Server;
pub use shared::{Shared, shared, shared_two};
pub use stage::{Doomed, Stage};
pub use swift::{SWIFT_ANSWER, swift};
pub use wait::{LIMIT, eventually};
