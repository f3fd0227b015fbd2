//! Events of a server: the one connection, and the streams that hosts read.

pub(crate) mod feed;
mod places;
pub(crate) mod stream;
