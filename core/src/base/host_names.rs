//! What the language of the host calls the options: as core does, unless it has names of its own.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the host is a program in Python. The library is in one binding, so it is one for the whole of it.
static IS_PYTHON: AtomicBool = AtomicBool::new(false);

/// Says that errors are to name options as Python does.
pub fn speak_python() {
    IS_PYTHON.store(true, Ordering::Relaxed);
}

/// The options of one noun: generated from `spec/options.toml`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OptionNames {
    /// As core, Lua and C call them.
    pub core: &'static [&'static str],
    /// Those that have another name in Python, with it.
    pub python: &'static [(&'static str, &'static str)],
}

impl OptionNames {
    /// Those of what has no options.
    pub(crate) const NONE: OptionNames = OptionNames { core: &[], python: &[] };

    /// What the host calls an option, for errors.
    pub(crate) fn shown<'a>(&self, name: &'a str) -> &'a str {
        self.shown_in(IS_PYTHON.load(Ordering::Relaxed), name)
    }

    fn shown_in<'a>(&self, is_python: bool, name: &'a str) -> &'a str {
        match self.python.iter().find(|(core, _)| is_python && *core == name) {
            Some((_, python)) => python,
            None => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::base::option_names::{CALL, CLIENT, PROMPT};

    #[test]
    fn python_has_names_of_its_own() {
        assert_eq!(PROMPT.shown_in(true, "deadline_ms"), "deadline");
        assert_eq!(PROMPT.shown_in(true, "max_retries"), "max_provider_retries");
        assert_eq!(CLIENT.shown_in(true, "max_retries"), "max_retries");
        assert_eq!(CALL.shown_in(true, "headers"), "extra_headers");
        assert_eq!(CALL.shown_in(false, "headers"), "headers");
        assert_eq!(PROMPT.shown("deadline_ms"), "deadline_ms");
    }
}
