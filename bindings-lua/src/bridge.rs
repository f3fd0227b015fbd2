//! The border to Lua, and the only unsafe code of this crate.
//!
//! A call goes in three steps. The arguments are read into plain values; the function works on those and knows no Lua;
//! its results are pushed. An error of Lua itself, such as that of a host's hook or finalizer, or no memory, jumps from
//! the first or the last step straight to the host, with its own value. So no frame here owns anything while Lua is
//! called: what a call owns lies in its parcel, a userdata on Lua's stack, and the collector frees what an error left.
//! A finalizer of the host may call the module in the middle of such a step: nothing is shared between two calls.

mod arguments;
mod door;
mod encode;
mod object;
mod parcel;
mod push;
mod quick;
mod results;

pub(crate) use arguments::{Arguments, Misuse};
pub(crate) use door::{Done, Function, open};
pub(crate) use object::{Class, Found, Handle};
pub(crate) use quick::{Method, Quick};
pub(crate) use results::{Results, line};

/// Makes a type of the core a handle of Lua.
macro_rules! handle {
    ($type:ty, $name:literal) => {
        impl crate::bridge::Handle for $type {
            fn class() -> &'static crate::bridge::Class {
                static CLASS: crate::bridge::Class = crate::bridge::Class::of::<$type>($name);
                &CLASS
            }
        }
    };
}
pub(crate) use handle;
