//! What servers there are, what is wrong with one, how it differs from the table.

pub(crate) mod discover;
pub(crate) mod doctor;
pub(crate) mod drift;
pub(crate) mod ready;
