//! Random numbers, all of them from the operating system.
//!
//! Never from a generator in this process: its copies, made by fork, would all go on with the same numbers.

use std::hash::{BuildHasher, Hasher, RandomState};

/// So many random bytes, fit for secrets.
///
/// # Errors
/// When the system has none to give.
pub(crate) fn bytes(count: usize) -> Result<Vec<u8>, getrandom::Error> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// 64 random bits for ids and pauses; not for secrets.
pub(crate) fn number() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        // A system without random numbers: at least no two processes draw the same.
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.finish()
    })
}
