//! What servers say and are asked: operations, events, models, permissions. No I/O.

pub(crate) mod dialect;
pub(crate) mod directory;
pub(crate) mod event;
pub(crate) mod id;
pub mod model;
pub(crate) mod model_name;
pub mod operation;
pub(crate) mod page;
pub(crate) mod permission;
pub(crate) mod schema;
pub(crate) mod stored;
pub(crate) mod tokens;
