//! [`Reaper`]: ends a server with everything that it has started, also when this process was killed.

#[cfg(windows)]
mod job;
#[cfg(not(windows))]
mod shell;

use crate::base::error::{Error, ErrorKind, Result};
#[cfg(windows)]
pub(super) use job::{Lease, Reaper};
#[cfg(not(windows))]
pub(super) use shell::{Lease, Reaper};

/// The variable that tags every process of a server. It is inherited, so it also finds what left the process
/// group (the server's shell tool does) and what lost its parent.
pub(super) const VARIABLE: &str = "LIBOPENCODE_SERVER";

/// So many random bytes of the operating system, in hexadecimal.
pub(super) fn random(bytes: usize) -> Result<String> {
    let bytes = crate::base::random::bytes(bytes).map_err(|e| {
        Error::new(ErrorKind::Start, format!("server: the system gives no random bytes: {e}"))
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_values_differ() {
        let (one, two) = (random(16).unwrap(), random(16).unwrap());
        assert!(one.len() == 32 && one != two);
    }
}
