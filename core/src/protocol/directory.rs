//! The name of a directory as a server of 1.x reads it: it decodes what is encoded already.

use crate::base::error::Error;

/// A directory as `?directory=` wants it: a server of 1.x decodes that value twice.
pub(crate) fn twice(directory: &str) -> String {
    directory.replace('%', "%25")
}

/// What a server of 1.x makes of the directory of a session: it decodes the stored text once more, unless that fails.
/// `None` where it stays what it is.
pub(crate) fn misread(directory: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(directory.len());
    let mut rest = directory.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        decoded.push(match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                u8::try_from(digit(high)? << 4 | digit(low)?).ok()?
            }
            (b'%', _) => return None,
            (byte, _) => *byte,
        });
    }
    String::from_utf8(decoded).ok().filter(|decoded| decoded != directory)
}

/// Whether an operation of 1.x has something done in the directory of a session: by an agent, a shell, or the server.
pub(crate) fn is_worked_in_by(operation: &str) -> bool {
    const WORKERS: [&str; 8] = [
        "session.command",
        "session.create",
        "session.init",
        "session.prompt",
        "session.prompt_async",
        "session.revert",
        "session.shell",
        "session.unrevert",
    ];
    WORKERS.contains(&operation)
}

/// Why nobody may work in a directory that the server would take for another one.
pub(crate) fn refuse_misread(operation: &str, directory: &str, other: &str) -> Error {
    Error::invalid(format!(
        "{operation}: the server would work in '{other}' in place of the directory '{directory}', whose name it decodes; rename that directory"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_the_server_would_take_for_another_is_told() {
        let cases = [
            ("/p/r%20s", Some("/p/r s")),
            ("/p%25q", Some("/p%q")),
            ("/%C3%a4", Some("/ä")),
            ("/100%", None),
            ("/p%q %20", None),
            ("/%ff", None),
            ("/p q ä", None),
        ];
        for (directory, other) in cases {
            assert_eq!(misread(directory).as_deref(), other, "{directory}");
        }
    }
}
