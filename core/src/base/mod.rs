//! What everything stands on: errors, limits, threads, values. Knows no server.

pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod depth;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod hooks;
pub(crate) mod host_names;
pub(crate) mod json;
pub(crate) mod leaving;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod mailbox;
pub(crate) mod mask;
pub(crate) mod moment;
pub(crate) mod option_names;
pub(crate) mod own_servers;
pub(crate) mod per_process;
pub mod pointer;
pub(crate) mod pool;
pub(crate) mod random;
pub mod scan;
pub(crate) mod signal;
pub(crate) mod suggest;
pub(crate) mod sync;
pub(crate) mod thread;
