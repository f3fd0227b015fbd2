//! Everything the server can do, as one table of facts.
//!
//! A row says where each flat argument goes (path, query or body) and what comes back, so a call
//! needs no code of its own:
//!
//! ```
//! use opencode_core::operation;
//!
//! let update = operation::find("session.update").expect("in the table");
//! assert_eq!(update.path, "/session/{sessionID}");
//! assert_eq!(operation::nearest("session.updat"), Some("session.update"));
//! ```

mod flat_arguments;
pub(crate) mod route;
// One line per argument is easier to compare than what rustfmt makes of it.
#[rustfmt::skip]
mod table;

use crate::protocol::dialect::Dialect;

/// One endpoint of the server.
#[derive(Debug)]
pub struct Operation {
    /// The server's own operation id: `tui.appendPrompt`.
    pub id: &'static str,
    /// Our name: the id in snake_case, `tui.append_prompt`.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path, with `{argument}` for each [`Place::Path`] and `*` for [`Place::Tail`].
    pub path: &'static str,
    /// Path arguments in path order, then the required ones, then all others.
    pub arguments: &'static [Argument],
    /// What the body looks like.
    pub body: BodyShape,
    /// What a successful answer holds.
    pub answer: AnswerKind,
    /// How the operation is told which directory to work in.
    pub scope: DirectoryScope,
    /// Headers that the server insists on.
    pub headers: &'static [(&'static str, &'static str)],
    /// Whether a second try after a lost answer can do no harm.
    pub may_repeat: bool,
    /// How long an answer may take.
    pub pace: Pace,
    /// What a server must speak to have it; `None` when servers of 1.x and of 2.x both do.
    pub dialect: Option<Dialect>,
    /// The operations that do its work on a server of 2.x, if it is one of 1.x only.
    pub instead: &'static [&'static str],
    /// What it does and what is surprising about it, in one line.
    pub doc: &'static str,
}

/// One flat argument of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// The server's spelling: `sessionID`.
    pub name: &'static str,
    /// Where it goes.
    pub place: Place,
    /// What it may be. JSON `null` is let through for every kind, the server judges it.
    pub kind: Kind,
    /// Whether the call is refused without it.
    pub required: bool,
    /// What a server must speak to take it; `None` when both do.
    pub dialect: Option<Dialect>,
    /// Whether the server that alone takes it refuses a call without it.
    pub required_there: bool,
    /// The most UTF-8 bytes a text may have; more would harm the server.
    pub max_length: Option<u32>,
    /// The only texts the server knows, or empty when any text will do.
    pub values: &'static [&'static str],
    /// Words of ours, each with the text of the server that it stands for.
    pub aliases: &'static [(&'static str, &'static str)],
    /// When this is true and not sent itself, what it makes of another argument.
    pub turns: Option<Turn>,
    /// How this argument spells a model, if it is one.
    pub model: Option<ModelShape>,
    /// The body field that gets the same value, for a body that repeats the ids of its path.
    pub copy_to: Option<&'static str>,
}

/// What an argument that is true makes of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The name of the other argument.
    pub argument: &'static str,
    /// The only value of it that this goes with.
    pub from: &'static str,
    /// What is sent instead.
    pub to: &'static str,
}

/// The HTTP methods of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Does something.
    Post,
    /// Replaces.
    Put,
    /// Changes some fields.
    Patch,
    /// Removes.
    Delete,
}

/// Where an argument goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Into the path, percent-encoded, `/` included.
    Path,
    /// Into the end of the path in place of `*`, percent-encoded, `/` included: so it may begin with one.
    Tail,
    /// Into the query.
    Query,
    /// Into the JSON body, as a field.
    Body,
}

/// The JSON type of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// A number without a fraction.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`, also in a query.
    Boolean,
    /// An array; an empty table of Lua is one here.
    Array,
    /// An object.
    Object,
    /// More than one of these.
    Any,
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyShape {
    /// No body.
    None,
    /// An object with the listed fields. It is sent even when empty: without a body it is a 400.
    Object,
    /// An object that takes any field beside the listed ones. Sent even when empty.
    Open,
    /// Any JSON: the argument `body` as it is, or else an object made of all other arguments.
    Any,
}

/// What a successful answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// A JSON document.
    Json,
    /// No body (204).
    Nothing,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// Server-sent events without an end.
    Events,
    /// A websocket.
    Websocket,
}

/// How an operation is told which directory to work in.
///
/// Where an argument of the operation is itself called `directory`, a value given for this call is
/// that argument, and the scope is what the client is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryScope {
    /// Not at all.
    None,
    /// By `?directory=` and `?workspace=`.
    Directory,
    /// By `?location[directory]=` and `?location[workspace]=`.
    Location,
    /// By the field `location` of its body, when the call gives none.
    Body,
}

/// How long an answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The server answers from what it has.
    Quick,
    /// A model, a program or a person is waited for.
    Slow,
    /// It goes on until somebody closes it.
    Stream,
}

/// How an argument spells a model. A caller may write `"provider/model"` for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelShape {
    /// `{providerID, modelID}`
    Object,
    /// `{id, providerID}`
    Reference,
    /// `"provider/model"`
    Text,
    /// Two arguments beside this one, `providerID` and `modelID`; this one is not sent.
    Fields,
}

/// All operations, sorted by name.
pub fn all() -> &'static [Operation] {
    table::OPERATIONS
}

/// Finds an operation by our name or by the server's id.
///
/// A segment may carry the `_` that a language needs behind a keyword: `global_.health`.
pub fn find(name: &str) -> Option<&'static Operation> {
    by_name(name)
        .or_else(|| all().iter().find(|operation| operation.id == name))
        .or_else(|| by_name(&without_underscores(name)))
}

/// The operation that a request is, if it is one: that whose path says the most of it.
pub(crate) fn at(method: &str, target: &str) -> Option<&'static Operation> {
    let path = target.split('?').next().unwrap_or_default();
    let known = all().iter().filter(|operation| operation.method.as_str() == method);
    let fits =
        known.filter_map(|operation| Some((words_in_common(operation.path, path)?, operation)));
    fits.max_by_key(|(words, _)| *words).map(|(_, operation)| operation)
}

/// How many segments of a path are those of an operation's; `None` when it is not one of its paths.
fn words_in_common(pattern: &str, path: &str) -> Option<usize> {
    let mut given = path.split('/');
    let mut words = 0;
    for segment in pattern.split('/') {
        let found = given.next()?;
        match segment {
            "*" => return Some(words),
            _ if segment == found => words += 1,
            _ if segment.starts_with('{') && !found.is_empty() => {}
            _ => return None,
        }
    }
    given.next().is_none().then_some(words)
}

/// The name that was probably meant, if one is near enough.
pub fn nearest(name: &str) -> Option<&'static str> {
    let name = without_underscores(name);
    let names = all().iter().flat_map(|o| [(o.name, o.name), (o.id, o.name)]);
    crate::base::suggest::among(&name, names).or_else(|| {
        // The namespace was forgotten, or was not clear.
        let last = name.rsplit('.').next()?;
        let mut same_end = all().iter().filter(|o| o.name.rsplit('.').next() == Some(last));
        same_end.next().filter(|_| same_end.next().is_none()).map(|o| o.name)
    })
}

/// What a language calls a segment of a name: a keyword of Python or Lua has a `_` behind it.
pub fn attribute(segment: &str) -> &str {
    table::KEYWORDS.iter().find(|(word, _)| *word == segment).map_or(segment, |(_, safe)| safe)
}

impl Operation {
    /// The argument of this name.
    pub fn argument(&self, name: &str) -> Option<&'static Argument> {
        self.arguments.iter().find(|argument| argument.name == name)
    }

    /// The argument that was probably meant, if one is near enough.
    pub fn nearest_argument(&self, name: &str) -> Option<&'static str> {
        crate::base::suggest::among(name, self.arguments.iter().map(|a| (a.name, a.name)))
    }

    /// The arguments that may be given by position: those of the path, in its order.
    pub fn positional(&self) -> impl Iterator<Item = &'static Argument> + use<> {
        self.arguments.iter().take_while(|a| matches!(a.place, Place::Path | Place::Tail))
    }
}

impl Method {
    /// As it stands in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// The short notation of the generated table.
impl Argument {
    const fn new(place: Place, name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            place,
            kind,
            required: false,
            dialect: None,
            required_there: false,
            max_length: None,
            values: &[],
            aliases: &[],
            turns: None,
            model: None,
            copy_to: None,
        }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn only(self, dialect: Dialect, required_there: bool) -> Self {
        Self { dialect: Some(dialect), required_there, ..self }
    }

    const fn max_length(self, max_length: u32) -> Self {
        Self { max_length: Some(max_length), ..self }
    }

    const fn values(self, values: &'static [&'static str]) -> Self {
        Self { values, ..self }
    }

    const fn aliases(self, aliases: &'static [(&'static str, &'static str)]) -> Self {
        Self { aliases, ..self }
    }

    const fn turns(self, argument: &'static str, from: &'static str, to: &'static str) -> Self {
        Self { turns: Some(Turn { argument, from, to }), ..self }
    }

    const fn model(self, shape: ModelShape) -> Self {
        Self { model: Some(shape), ..self }
    }

    const fn copy_to(self, field: &'static str) -> Self {
        Self { copy_to: Some(field), ..self }
    }
}

fn by_name(name: &str) -> Option<&'static Operation> {
    let position = all().binary_search_by_key(&name, |operation| operation.name).ok()?;
    all().get(position)
}

fn without_underscores(name: &str) -> String {
    let segments: Vec<&str> =
        name.split('.').map(|segment| segment.trim_end_matches('_')).collect();
    segments.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_names_are_unique() {
        assert!(all().windows(2).all(|pair| pair[0].name < pair[1].name));
        assert_eq!(all().len(), 279);
    }

    #[test]
    fn name_id_and_keyword_spelling_find_the_same_row() {
        for (given, name) in [
            ("tui.append_prompt", "tui.append_prompt"),
            ("tui.appendPrompt", "tui.append_prompt"),
            ("vcs.diff.raw", "vcs.diff_raw"),
            ("global_.health", "global.health"),
            ("v2.session.prompt", "v2.session.prompt"),
        ] {
            assert_eq!(find(given).map(|o| o.name), Some(name), "{given}");
        }
        assert!(find("session").is_none());
        assert!(find("").is_none());
    }

    #[test]
    fn a_wrong_spelling_leads_to_the_right_one() {
        for (wrong, right) in [
            ("session.promt", Some("session.prompt")),
            ("sesion.create", Some("session.create")),
            ("tui.appendPromp", Some("tui.append_prompt")),
            ("find.file", Some("find.files")),
            ("prompt_async", Some("session.prompt_async")),
            ("weather.today", None),
        ] {
            assert_eq!(nearest(wrong), right, "{wrong}");
        }
        let update = find("session.update").expect("in the table");
        assert_eq!(update.nearest_argument("titel"), Some("title"));
        assert_eq!(update.nearest_argument("session_id"), Some("sessionID"));
        assert_eq!(update.nearest_argument("colour"), None);
    }

    #[test]
    fn every_placeholder_of_a_path_is_an_argument_and_the_other_way_round() {
        for operation in all() {
            let mut path = operation.path.to_owned();
            for argument in operation.positional() {
                let hole = match argument.place {
                    Place::Tail => "*".to_owned(),
                    _ => format!("{{{}}}", argument.name),
                };
                assert!(argument.required && path.contains(&hole), "{} {hole}", operation.name);
                path = path.replacen(&hole, "x", 1);
            }
            assert!(!path.contains(['{', '*']), "{path}");
            let rest = operation.arguments.iter().skip(operation.positional().count());
            assert!(rest.into_iter().all(|a| matches!(a.place, Place::Query | Place::Body)));
        }
    }

    #[test]
    fn only_reads_with_an_end_are_repeated() {
        for operation in all().iter().filter(|operation| operation.may_repeat) {
            assert_eq!(operation.method, Method::Get);
            assert_ne!(operation.pace, Pace::Stream);
        }
        assert!(!find("tui.control.next").expect("in the table").may_repeat);
    }

    #[test]
    fn what_the_server_hides_is_in_the_table() {
        let query = find("find.files").and_then(|o| o.argument("query")).expect("in the table");
        assert_eq!(query.max_length, Some(4679));
        let reply = find("permission.reply").and_then(|o| o.argument("reply")).expect("there");
        assert_eq!(reply.values, ["once", "always", "reject"]);
        let part = find("part.update").and_then(|o| o.argument("partID")).expect("there");
        assert_eq!(part.copy_to, Some("id"));
        let shape = |id: &str| find(id).and_then(|o| o.argument("model")).and_then(|a| a.model);
        assert_eq!(shape("session.prompt"), Some(ModelShape::Object));
        assert_eq!(shape("session.command"), Some(ModelShape::Text));
        assert_eq!(shape("session.create"), Some(ModelShape::Reference));
        assert_eq!(shape("session.summarize"), Some(ModelShape::Fields));
    }

    #[test]
    fn keywords_are_made_safe() {
        assert_eq!(attribute("global"), "global_");
        assert_eq!(attribute("session"), "session");
    }
}
