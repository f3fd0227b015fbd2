//! Long lists page by page, and sums over them.

mod children;
pub(crate) mod export;
pub(crate) mod pages;
pub(crate) mod usage;
