//! [`Token`]: what the reader of JSON writes, and the bridge pushes to Lua.

/// One value, or the beginning of a container.
#[derive(Debug)]
pub(crate) enum Token {
    Nil,
    /// A null inside of a list: `opencode.null`.
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    /// A piece of a source.
    Text(Piece),
    Word(&'static str),
    /// A handle, by its number.
    Handle(usize),
    /// A list and its length; its items follow.
    List(usize),
    /// An object and its length; keys and values follow in turn.
    Object(usize),
}

/// Where a text lies: sources are not copied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) source: usize,
    pub(crate) start: usize,
    pub(crate) length: usize,
}
