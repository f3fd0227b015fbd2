//! The arguments of a call, as plain values.

use super::object::{Found, Handle};
use mlua::ffi;
use opencode_core::Interrupt;
use std::ffi::c_int;
use std::ptr;
use std::slice;
use std::time::Duration;

/// Functions take no more.
pub(super) const MAX: usize = 8;

/// The module called itself wrongly; scripts reach this only with what they must not touch.
#[derive(Debug)]
pub(crate) struct Misuse(pub(super) String);

/// One value; texts stay where Lua has them, on the stack of the call.
#[derive(Clone, Copy, Default)]
pub(super) enum Argument {
    #[default]
    Nil,
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(*const u8, usize),
    /// A table, as JSON: its place in the list.
    Table(usize),
    Handle(Found),
    /// Something else, by its name.
    Other(&'static str),
}

/// The Lua that calls, as far as a function may know it that blocks.
#[derive(Clone, Copy)]
pub(super) struct Host {
    state: *mut ffi::lua_State,
    /// The events of its hook when the call began.
    events: c_int,
}

// SAFETY: only the thread that blocks asks, which is the one of Lua, and only as long as the call lasts.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    /// # Safety
    /// Lua calls, and the state is that of the call.
    pub(super) unsafe fn of(state: *mut ffi::lua_State) -> Host {
        // SAFETY: as the caller promises; reads a number.
        Host { state, events: unsafe { ffi::lua_gethookmask(state) } }
    }

    /// Whether a hook was set meanwhile: only a handler of a signal can have done that, to end the script when the call is over.
    fn is_hooked(&self) -> bool {
        // SAFETY: the call lasts, and with it its state; reads a number.
        !self.state.is_null() && unsafe { ffi::lua_gethookmask(self.state) } != self.events
    }
}

impl Default for Host {
    fn default() -> Host {
        Host { state: ptr::null_mut(), events: 0 }
    }
}

/// All of a call.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(super) host: Host,
    pub(super) all: [Argument; MAX],
    /// Tables as JSON, or why they are none.
    pub(super) tables: Vec<Result<String, String>>,
}

impl Arguments {
    fn get(&self, at: usize) -> Argument {
        self.all.get(at).copied().unwrap_or_default()
    }

    pub(crate) fn is_nil(&self, at: usize) -> bool {
        matches!(self.get(at), Argument::Nil)
    }

    pub(crate) fn flag(&self, at: usize) -> bool {
        matches!(self.get(at), Argument::Boolean(true))
    }

    pub(crate) fn handle<T: Handle>(&self, at: usize) -> Result<&T, Misuse> {
        let name = T::class().name;
        match self.all.get(at) {
            Some(Argument::Handle(found)) => match found.get::<T>() {
                Some(value) => Ok(value),
                None if found.is_collected::<T>() => {
                    Err(Misuse(format!("this {name} was collected already")))
                }
                None => Err(Misuse(format!("this is no {name}"))),
            },
            _ => Err(Misuse(format!("this is no {name}"))),
        }
    }

    pub(crate) fn bytes(&self, at: usize) -> Result<&[u8], Misuse> {
        match self.get(at) {
            // SAFETY: the text is an argument: it lies on Lua's stack for as long as the call lasts, and never changes.
            Argument::Text(start, length) => Ok(unsafe { slice::from_raw_parts(start, length) }),
            _ => Err(Misuse(format!("argument {} must be a string", at + 1))),
        }
    }

    pub(crate) fn text(&self, at: usize) -> Result<&str, Misuse> {
        std::str::from_utf8(self.bytes(at)?)
            .map_err(|_| Misuse(format!("argument {} is not UTF-8", at + 1)))
    }

    pub(crate) fn optional_text(&self, at: usize) -> Result<Option<&str>, Misuse> {
        if self.is_nil(at) { Ok(None) } else { self.text(at).map(Some) }
    }

    pub(crate) fn number(&self, at: usize) -> Option<f64> {
        match self.get(at) {
            Argument::Integer(whole) => Some(whole as f64),
            Argument::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Ends what blocks when Ctrl-C shall end the script. Not for what goes on when the call is over.
    pub(crate) fn interrupt(&self) -> Interrupt {
        let host = self.host;
        Interrupt::new(move || host.is_hooked())
    }

    /// A time in milliseconds. Negative and absurd ones are brought within bounds.
    pub(crate) fn time(&self, at: usize) -> Option<Duration> {
        self.number(at).map(opencode_core::milliseconds)
    }

    /// A value as JSON; `""` for nil.
    ///
    /// # Errors
    /// A one-line text that names the place of what cannot be sent.
    pub(crate) fn json(&self, at: usize) -> Result<String, String> {
        match self.get(at) {
            Argument::Nil => Ok(String::new()),
            Argument::Null => Ok("null".to_owned()),
            Argument::Boolean(flag) => Ok(flag.to_string()),
            Argument::Integer(whole) => Ok(whole.to_string()),
            Argument::Number(number) => super::encode::number(number)
                .ok_or_else(|| "a number that is not finite cannot be sent as JSON".to_owned()),
            Argument::Text(..) => match self.text(at) {
                Ok(text) => Ok(serde_json::Value::from(text).to_string()),
                Err(_) => Err("text that is not UTF-8 cannot be sent as JSON".to_owned()),
            },
            Argument::Table(table) => {
                self.tables.get(table).cloned().unwrap_or_else(|| Ok(String::new()))
            }
            Argument::Handle(_) => Err("a userdata cannot be sent as JSON".to_owned()),
            Argument::Other(name) => Err(format!("{name} cannot be sent as JSON")),
        }
    }
}

impl Misuse {
    pub(crate) fn new(why: impl Into<String>) -> Misuse {
        Misuse(why.into())
    }
}

impl From<opencode_core::Error> for Misuse {
    fn from(error: opencode_core::Error) -> Misuse {
        Misuse(error.message().to_owned())
    }
}
