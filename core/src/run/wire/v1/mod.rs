//! The servers of 1.x.

mod events;
mod messages;
mod requests;
mod responses;

pub(super) use events::{fact, is_for_all, parent, parent_of_new};
pub(crate) use messages::{raw_info, read_info};
#[cfg(test)]
pub(crate) use messages::{read_inquiry, read_message, read_status};
pub(super) use requests::call;
pub(super) use responses::{read, snapshot};
