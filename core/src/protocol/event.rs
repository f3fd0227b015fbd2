//! [`Event`]: one thing that happened on the server.

use crate::base::depth::excess;
use crate::base::json::Object;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// One event of the server. Types that this version does not know come through like all others.
#[derive(Debug, Clone)]
pub struct Event {
    /// The server's id of the event; empty for the few that have none.
    pub id: String,
    /// Such as `message.part.updated`.
    pub kind: String,
    /// The directory of the project it belongs to, on a stream of all directories.
    pub directory: Option<String>,
    /// The session it is about, if any.
    pub session_id: Option<String>,
    /// Its properties as the server has them.
    pub properties: Box<RawValue>,
}

impl Event {
    /// Reads the data of one stream event in any of the server's envelopes; `None` for the doubled form that
    /// the stream of all directories adds to each stored event. A field of another shape than expected counts as
    /// absent.
    ///
    /// # Errors
    /// Why there is no event in it, in words that follow "an event cannot be read: ".
    pub(crate) fn read(data: &[u8]) -> std::result::Result<Option<Event>, String> {
        if let Some(depth) = excess(data) {
            return Err(format!("it is nested {depth} levels deep"));
        }
        let envelope = match EventEnvelope::plain(data) {
            Some(envelope) => envelope,
            None => EventEnvelope::odd(data).map_err(|e| e.to_string())?,
        };
        let outer = envelope.directory;
        let (body, directory) = match envelope.payload {
            Some(payload) => (payload, None),
            None => {
                let location = envelope.location.and_then(Object::read);
                (envelope.body, location.and_then(|location| location.text("directory")))
            }
        };
        let kind = body.kind.ok_or("it has no type")?.into_owned();
        if kind == "sync" {
            return Ok(None);
        }
        let properties = body.properties.or(body.data).map_or_else(empty, RawValue::to_owned);
        let session_id = leading_session(properties.get())
            .map(str::to_owned)
            .or_else(|| Object::read(&properties).and_then(|known| session_of(&kind, &known)));
        Ok(Some(Event {
            id: body.id.unwrap_or_default().into_owned(),
            kind,
            directory: directory.or_else(|| outer.map(Cow::into_owned)),
            session_id,
            properties,
        }))
    }

    /// The type of an event, where it stands in front of what the event tells: nothing behind it is read.
    pub(crate) fn kind_of(data: &[u8]) -> Option<String> {
        let mut found = None;
        let mut reader = serde_json::Deserializer::from_slice(data);
        // It ends with an error where the rest is left unread.
        let _ = KindSeed(&mut found).deserialize(&mut reader);
        found
    }

    /// The event as one JSON object: what the bindings hand to their hosts.
    pub fn to_json(&self) -> String {
        let properties = self.properties.get();
        let directory = self.directory.as_deref();
        let length = self.id.len() + self.kind.len() + directory.map_or(0, str::len);
        // Room for the names too, and for the byte that C wants behind it.
        let mut json = String::with_capacity(length + properties.len() + 64);
        json.push_str("{\"id\":");
        push_text(&mut json, &self.id);
        json.push_str(",\"type\":");
        push_text(&mut json, &self.kind);
        if let Some(directory) = directory {
            json.push_str(",\"directory\":");
            push_text(&mut json, directory);
        }
        json.push_str(",\"properties\":");
        json.push_str(properties);
        json.push('}');
        json
    }
}

/// `id`, `type`, `directory` where there is one, and `properties` as the server wrote them.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("id", &self.id)?;
        fields.serialize_entry("type", &self.kind)?;
        if let Some(directory) = &self.directory {
            fields.serialize_entry("directory", directory)?;
        }
        fields.serialize_entry("properties", &*self.properties)?;
        fields.end()
    }
}

/// A text as JSON. Most need no escape.
fn push_text(json: &mut String, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        // A text cannot fail.
        json.push_str(&serde_json::to_string(text).unwrap_or_default());
        return;
    }
    json.push('"');
    json.push_str(text);
    json.push('"');
}

/// Reads an envelope up to its type.
struct KindSeed<'a>(&'a mut Option<String>);

impl<'de> DeserializeSeed<'de> for KindSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for KindSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while let Some(name) = fields.next_key::<&str>()? {
            match name {
                "type" => {
                    *self.0 = Some(fields.next_value()?);
                    return Ok(());
                }
                "payload" => return fields.next_value_seed(KindSeed(self.0)),
                // They may be long, and have a type of their own.
                "properties" | "data" => return Ok(()),
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// What is around an event, whatever server sent it.
struct EventEnvelope<'a> {
    directory: Option<Cow<'a, str>>,
    location: Option<&'a RawValue>,
    payload: Option<EventBody<'a>>,
    /// Where there is no payload.
    body: EventBody<'a>,
}

/// Both as one object.
#[derive(Deserialize)]
struct PlainEvent<'a> {
    #[serde(borrow)]
    directory: Option<Cow<'a, str>>,
    #[serde(borrow)]
    location: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<EventBody<'a>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// The event itself.
#[derive(Deserialize)]
struct EventBody<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl<'a> EventEnvelope<'a> {
    /// One in which everything has the shape that servers give it: one pass over the text.
    fn plain(data: &'a [u8]) -> Option<Self> {
        let plain: PlainEvent<'a> = serde_json::from_str(std::str::from_utf8(data).ok()?).ok()?;
        let PlainEvent { directory, location, payload, id, kind, properties, data } = plain;
        Some(EventEnvelope {
            directory,
            location,
            payload,
            body: EventBody { id, kind, properties, data },
        })
    }

    /// Any other: what has another shape counts as absent.
    fn odd(data: &'a [u8]) -> serde_json::Result<Self> {
        let envelope = Object::parse(data)?;
        let text = |name| envelope.text(name).map(Cow::Owned);
        Ok(EventEnvelope {
            directory: text("directory"),
            location: envelope.get("location"),
            payload: envelope.object("payload").map(|payload| EventBody::odd(&payload)),
            body: EventBody::odd(&envelope),
        })
    }
}

impl<'a> EventBody<'a> {
    fn odd(object: &Object<'a>) -> Self {
        let text = |name| object.text(name).map(Cow::Owned);
        EventBody {
            id: text("id"),
            kind: text("type"),
            properties: object.get("properties"),
            data: object.get("data"),
        }
    }
}

fn empty() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_default()
}

/// The session, where it is the first thing that is told, as servers write it: nothing behind it is read.
fn leading_session(properties: &str) -> Option<&str> {
    let (session, _) = properties.strip_prefix(r#"{"sessionID":""#)?.split_once('"')?;
    (!session.contains('\\')).then_some(session)
}

/// The session that an event is about. Servers up to 1.3.2 name it only where the message or the part stands.
fn session_of(kind: &str, properties: &Object<'_>) -> Option<String> {
    let inner = |name: &str, id: &str| properties.object(name).and_then(|inner| inner.text(id));
    let of_session = || inner("info", "id").filter(|_| kind.starts_with("session."));
    let of_message = || inner("info", "sessionID").or_else(|| inner("part", "sessionID"));
    // 2.x: the questions of an agent are forms.
    let of_form = || inner("form", "sessionID");
    properties.text("sessionID").or_else(of_message).or_else(of_session).or_else(of_form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> Option<Event> {
        Event::read(data.as_bytes()).unwrap()
    }

    #[test]
    fn an_event_is_written_as_its_fields_say() {
        for id in ["", "evt_1", "\"\\\n\u{1f}\u{7f}ä"] {
            for directory in [None, Some(r#"/a "b"\c"#.to_owned()), Some("/p".to_owned())] {
                let properties = RawValue::from_string(r#"{"a": 1.0}"#.to_owned()).unwrap();
                let (id, kind) = (id.to_owned(), "x.y".to_owned());
                let event = Event { id, kind, directory, session_id: None, properties };
                assert_eq!(event.to_json(), serde_json::to_string(&event).unwrap());
            }
        }
    }

    #[test]
    fn every_envelope_is_read() {
        let plain = read(r#"{"id":"evt_1","type":"session.idle","properties":{"sessionID":"s"}}"#);
        let global = read(
            r#"{"directory":"/p","project":"x","payload":{"id":"evt_1","type":"session.idle","properties":{"sessionID":"s"}}}"#,
        );
        let newer = read(
            r#"{"id":"evt_1","type":"session.idle","durable":{"seq":1},"location":{"directory":"/p"},"data":{"sessionID":"s"}}"#,
        );
        for event in [plain, global.clone(), newer] {
            let event = event.unwrap();
            assert_eq!((event.id.as_str(), event.kind.as_str()), ("evt_1", "session.idle"));
            assert_eq!(event.session_id.as_deref(), Some("s"));
        }
        assert_eq!(global.unwrap().directory.as_deref(), Some("/p"));
    }

    #[test]
    fn the_type_is_found_and_what_is_behind_it_is_not_read() {
        for data in [
            r#"{"id":"evt_1","type":"a.b","properties":{"type":"x"}}"#,
            r#"{"directory":"/p","project":"x","payload":{"id":"evt_1","type":"a.b","#,
            r#"{"id":"evt_1","durable":{"type":"x"},"type":"a.b",no json"#,
        ] {
            assert_eq!(Event::kind_of(data.as_bytes()).as_deref(), Some("a.b"), "{data}");
        }
        // Where it is not clear, the event is read.
        for data in [
            r#"{"properties":{"type":"x"},"type":"a.b"}"#,
            r#"{"payload":{"data":{"type":"x"},"type":"a.b"}}"#,
            r#"{"type":7}"#,
            r#"{"payload":7,"type":"a.b"}"#,
            "[]",
            "",
        ] {
            assert_eq!(Event::kind_of(data.as_bytes()), None, "{data}");
        }
    }

    #[test]
    fn older_servers_name_the_session_inside() {
        for old in ["info", "part"] {
            let data = format!(r#"{{"type":"x","properties":{{"{old}":{{"sessionID":"s"}}}}}}"#);
            assert_eq!(read(&data).unwrap().session_id.as_deref(), Some("s"));
        }
        for properties in
            [r#"{"sessionID":"s"}"#, r#"{ "sessionID" : "s" }"#, r#"{"a":1,"sessionID":"\u0073"}"#]
        {
            let data = format!(r#"{{"type":"x","properties":{properties}}}"#);
            assert_eq!(read(&data).unwrap().session_id.as_deref(), Some("s"), "{properties}");
        }
        let old = read(r#"{"type":"session.created","properties":{"info":{"id":"s"}}}"#);
        assert_eq!(old.unwrap().session_id.as_deref(), Some("s"));
    }

    #[test]
    fn doubles_are_dropped_and_the_unknown_comes_through() {
        assert!(read(r#"{"payload":{"type":"sync","syncEvent":{"id":"evt_1"}}}"#).is_none());
        let event = read(r#"{"type":"hologram.started","properties":{"a":[1]}}"#).unwrap();
        assert_eq!(
            event.to_json(),
            r#"{"id":"","type":"hologram.started","properties":{"a":[1]}}"#
        );
        assert!(Event::read(b"{no json").is_err());
    }

    #[test]
    fn what_is_odd_in_an_event_counts_as_absent() {
        let event = read(r#"{"id":7,"type":"a","directory":[],"location":3,"properties":"x"}"#);
        assert_eq!(event.unwrap().to_json(), r#"{"id":"","type":"a","properties":"x"}"#);
        let event = read(r#"{"payload":{"type":"a","properties":{"sessionID":7,"info":[]}}}"#);
        assert_eq!(event.unwrap().session_id, None);
        let event = read(r#"{"payload":5,"type":"a","data":{"part":{"sessionID":"s"}}}"#);
        assert_eq!(event.unwrap().session_id.as_deref(), Some("s"));
        for data in ["[]", "7", "{}", r#"{"type":7}"#, r#"{"payload":{}}"#] {
            assert!(Event::read(data.as_bytes()).is_err(), "{data}");
        }
        let deep = format!(
            r#"{{"type":"a","properties":{{"x":{}1{}}}}}"#,
            "[".repeat(990),
            "]".repeat(990)
        );
        assert!(read(&deep).unwrap().to_json().len() > 1_900);
        let deeper = deep.replacen('[', &"[".repeat(100), 1).replacen(']', &"]".repeat(100), 1);
        assert!(Event::read(deeper.as_bytes()).unwrap_err().contains("1091 levels"));
    }
}
