//! The C interface. `include/opencode.h` is made from this crate by `cargo xtask codegen`; its first page says
//! what holds for all functions. Every function converts, checks and forwards; the core does the rest.

#![allow(
    clippy::missing_safety_doc,
    reason = "the first page of the header states what every pointer must be"
)]

// In the order of the header.
mod status;

mod client;

mod drift;

mod ready;
mod reply;

mod look;

mod json;

mod call;

mod run;

mod update;
mod update_type;

mod tool;

mod pty;

mod server;

mod events;

mod attach;
mod discover;
mod export;
mod pages;
mod pointer;

mod usage;

mod tui;

mod replay;

mod guard;
mod handle;
mod text;

pub use attach::*;
pub use call::*;
pub use client::*;
pub use discover::*;
pub use drift::*;
pub use events::*;
pub use export::*;
pub use json::*;
pub use look::*;
pub use pages::*;
pub use pty::*;
pub use ready::*;
pub use replay::*;
pub use reply::*;
pub use run::*;
pub use server::*;
pub use status::*;
pub use tool::*;
pub use tui::*;
pub use update::*;
pub use update_type::*;
pub use usage::*;

use std::ffi::c_char;

/// The version of the library, such as "0.1.0". Never NULL; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn opencode_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Rises with every change that a program compiled against an older header would not survive. Compare it with
/// OPENCODE_ABI_VERSION of the header.
#[unsafe(no_mangle)]
pub extern "C" fn opencode_abi_version() -> u32 {
    1
}
