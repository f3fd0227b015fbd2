//! The servers of 1.x.

mod events;
mod messages;
mod requests;
mod responses;
mod summary_step;
mod unfinished;

pub(super) use events::{fact, is_for_all, parent, parent_of_new};
#[cfg(test)]
pub(crate) use messages::read_status;
pub(crate) use messages::{
    raw_info, read_failure, read_info, read_inquiry, read_message, read_part,
};
pub(super) use requests::call;
pub(super) use responses::{check_agent_in, is_handed, read, snapshot};
pub(super) use summary_step::SummaryStep;
