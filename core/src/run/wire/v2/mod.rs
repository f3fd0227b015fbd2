//! The servers of 2.x.
//!
//! Its messages, permissions and forms are turned into the form of 1.x first: that is what hosts are given, and what the
//! reading of 1.x knows.

mod events;
mod inquiry;
mod memory;
mod messages;
mod requests;
mod responses;
mod step;

pub(super) use events::{fact, is_for_all, parent, parent_of_new};
pub(crate) use memory::Memory;
pub(super) use requests::{call, known};
pub(super) use responses::{read, snapshot};
pub(super) use step::Step;
