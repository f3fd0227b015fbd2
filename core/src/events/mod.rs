//! Events of a server: the one connection, and the streams that hosts read.

pub(crate) mod feed;
pub(crate) mod stream;
