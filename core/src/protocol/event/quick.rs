//! The envelope as servers write it, in one walk over the bytes that keeps nothing: there are hundreds of thousands of
//! events in a second where a server is busy.

use crate::base::check::{after_spaces, after_value};
use crate::base::depth::MAX_DEPTH;
use crate::base::json::Object;
use crate::base::scan::plain;
use std::borrow::Cow;

/// What is around an event.
#[derive(Default)]
pub(super) struct EventEnvelope<'a> {
    pub(super) directory: Option<Cow<'a, str>>,
    pub(super) location: Option<&'a str>,
    pub(super) payload: Option<EventBody<'a>>,
    /// Where there is no payload.
    pub(super) body: EventBody<'a>,
}

/// The event itself.
#[derive(Default)]
pub(super) struct EventBody<'a> {
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) kind: Option<Cow<'a, str>>,
    pub(super) properties: Option<&'a str>,
    pub(super) data: Option<&'a str>,
}

/// The properties of an event, up to the session, as servers write them.
pub(super) const SESSION: &str = r#"{"sessionID":""#;

/// The envelope, where everything in it has the shape that servers give it; `None` says nothing. It is as strict as a reader
/// of values.
pub(super) fn envelope(data: &[u8]) -> Option<EventEnvelope<'_>> {
    let text = std::str::from_utf8(data).ok()?;
    let mut walk = EnvelopeWalk { text, rest: after_spaces(data), deepest: 0 };
    let mut envelope = EventEnvelope::default();
    walk.object(|walk, name| match name {
        "directory" => fill(&mut envelope.directory, walk.plain()?),
        "location" => fill(&mut envelope.location, walk.value()?),
        "payload" => {
            let mut body = EventBody::default();
            walk.object(|walk, name| walk.field(name, &mut body))?;
            fill(&mut envelope.payload, body)
        }
        _ => walk.field(name, &mut envelope.body),
    })?;
    let is_whole = after_spaces(walk.rest).is_empty() && walk.deepest + 2 <= MAX_DEPTH;
    is_whole.then_some(envelope)
}

/// The type of an event, where it stands in front of what the event tells: nothing behind it is read. `None` says
/// nothing.
pub(crate) fn kind_of(data: &[u8]) -> Option<&str> {
    let mut rest = after_spaces(data).strip_prefix(b"{")?;
    loop {
        let (name, behind) = string(after_spaces(rest))?;
        rest = after_spaces(after_spaces(behind).strip_prefix(b":")?);
        rest = match name {
            b"type" => return std::str::from_utf8(string(rest)?.0).ok(),
            b"payload" => {
                rest = rest.strip_prefix(b"{")?;
                continue;
            }
            // They may be long, and have a type of their own.
            b"properties" | b"data" => return None,
            _ => after_spaces(after_value(rest, &mut 0)?).strip_prefix(b",")?,
        };
    }
}

/// The session, where it is the first thing that is told, as servers write it: nothing behind it is read.
pub(super) fn leading_session(properties: &str) -> Option<&str> {
    let (session, _) = properties.strip_prefix(SESSION)?.split_once('"')?;
    (!session.contains('\\')).then_some(session)
}

/// The directory of a location.
pub(super) fn directory_of(location: &str) -> Option<Cow<'_, str>> {
    // Mostly it is all that a location has.
    if let Some((directory, b"}")) =
        location.strip_prefix(r#"{"directory":"#).and_then(|rest| string(rest.as_bytes()))
    {
        return std::str::from_utf8(directory).ok().map(Cow::Borrowed);
    }
    let found: Option<Object<'_>> = serde_json::from_str(location).ok();
    found?.text("directory").map(Cow::Owned)
}

/// Each field comes once.
fn fill<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// A string without escapes at the front, without its quotation marks, and what is behind it.
fn string(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = rest.strip_prefix(b"\"")?;
    let (string, behind) = inside.split_at_checked(plain(inside))?;
    Some((string, behind.strip_prefix(b"\"")?))
}

struct EnvelopeWalk<'a> {
    text: &'a str,
    /// The end of the text, as far as it was not walked over.
    rest: &'a [u8],
    /// Levels of the values that were passed over.
    deepest: usize,
}

impl<'a> EnvelopeWalk<'a> {
    /// Walks over an object; `field` walks over the value of each name.
    #[inline(always)]
    fn object(&mut self, mut field: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.rest = after_spaces(self.rest.strip_prefix(b"{")?);
        if let Some(behind) = self.rest.strip_prefix(b"}") {
            self.rest = behind;
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.rest = after_spaces(after_spaces(self.rest).strip_prefix(b":")?);
            field(self, name)?;
            let (next, behind) = after_spaces(self.rest).split_first()?;
            self.rest = behind;
            match next {
                b',' => self.rest = after_spaces(behind),
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Walks over a field of the event itself.
    #[inline(always)]
    fn field(&mut self, name: &str, body: &mut EventBody<'a>) -> Option<()> {
        match name {
            "id" => fill(&mut body.id, self.plain()?),
            "type" => fill(&mut body.kind, self.plain()?),
            "properties" => fill(&mut body.properties, self.value()?),
            "data" => fill(&mut body.data, self.value()?),
            _ => self.pass(),
        }
    }

    fn plain(&mut self) -> Option<Cow<'a, str>> {
        self.string().map(Cow::Borrowed)
    }

    fn string(&mut self) -> Option<&'a str> {
        let start = self.at() + 1;
        let (string, behind) = string(self.rest)?;
        self.rest = behind;
        self.text.get(start..start + string.len())
    }

    /// A value; null is as good as none, and has another shape.
    fn value(&mut self) -> Option<&'a str> {
        let start = self.at();
        let is_null = self.rest.first() == Some(&b'n');
        self.pass()?;
        self.text.get(start..self.at()).filter(|_| !is_null)
    }

    fn pass(&mut self) -> Option<()> {
        self.rest = after_value(self.rest, &mut self.deepest)?;
        Some(())
    }

    fn at(&self) -> usize {
        self.text.len() - self.rest.len()
    }
}
