//! [`Event`]: one thing that happened on the server.

mod envelope;
mod quick;

use crate::base::json::{Object, write_text};
pub(crate) use envelope::{ReadEvent, read};
pub(crate) use quick::kind_of;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// One event of the server. Types that this version does not know come through like all others.
///
/// Cheap to clone: those that came together share the memory of their texts, some 16 KiB. Who keeps a few of many for long
/// keeps what it needs of them.
#[derive(Clone)]
pub struct Event {
    text: Arc<String>,
    pieces: EventPlaces,
}

/// Where in the text the parts of an event lie.
#[derive(Clone, Copy)]
struct EventPlaces {
    json: TextPlace,
    id: TextPlace,
    kind: TextPlace,
    directory: Option<TextPlace>,
    session: Option<TextPlace>,
    properties: TextPlace,
}

/// An event is never as long as 4 GiB.
#[derive(Clone, Copy)]
struct TextPlace {
    start: u32,
    length: u32,
}

impl Event {
    /// Reads the data of one stream event in any of the server's envelopes; `None` for the doubled form that
    /// the stream of all directories adds to each stored event. A field of another shape than expected counts as
    /// absent.
    ///
    /// # Errors
    /// Why there is no event in it, in words that follow "an event cannot be read: ".
    pub(crate) fn read(data: &[u8]) -> Result<Option<Event>, String> {
        let mut batch = EventBatch::default();
        Ok(read(data)?.and_then(|event| {
            batch.push(&event);
            batch.take().pop()
        }))
    }

    /// The server's id of the event; empty for the few that have none.
    pub fn id(&self) -> &str {
        self.piece(self.pieces.id)
    }

    /// Such as `message.part.updated`.
    pub fn kind(&self) -> &str {
        self.piece(self.pieces.kind)
    }

    /// The directory of the project it belongs to, on a stream of all directories.
    pub fn directory(&self) -> Option<&str> {
        self.pieces.directory.map(|piece| self.piece(piece))
    }

    /// The session it is about, if any.
    pub fn session_id(&self) -> Option<&str> {
        self.pieces.session.map(|piece| self.piece(piece))
    }

    /// Its properties as the server has them: JSON.
    pub fn properties(&self) -> &str {
        self.piece(self.pieces.properties)
    }

    /// The event as one JSON object: what the bindings hand to their hosts.
    pub fn json(&self) -> &str {
        self.piece(self.pieces.json)
    }

    /// The same as a text of its own.
    pub fn to_json(&self) -> String {
        let json = self.json();
        // Room for the byte that C wants behind it.
        let mut text = String::with_capacity(json.len() + 1);
        text.push_str(json);
        text
    }

    /// Its properties as a value.
    pub(crate) fn value(&self) -> &RawValue {
        // They were read before.
        serde_json::from_str(self.properties()).unwrap_or(RawValue::NULL)
    }

    /// Its properties one by one; none where they are no object.
    pub(crate) fn fields(&self) -> Object<'_> {
        serde_json::from_str(self.properties()).unwrap_or_default()
    }

    fn piece(&self, piece: TextPlace) -> &str {
        let start = piece.start as usize;
        self.text.get(start..start + piece.length as usize).unwrap_or_default()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.json())
    }
}

/// `id`, `type`, `directory` where there is one, and `properties` as the server wrote them.
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_map(None)?;
        fields.serialize_entry("id", self.id())?;
        fields.serialize_entry("type", self.kind())?;
        if let Some(directory) = self.directory() {
            fields.serialize_entry("directory", directory)?;
        }
        fields.serialize_entry("properties", self.value())?;
        fields.end()
    }
}

/// Events that come together: their texts lie in one piece of memory.
#[derive(Default)]
pub(crate) struct EventBatch {
    text: String,
    pieces: Vec<EventPlaces>,
}

/// A batch of this many bytes is long enough: memory for another event costs nothing any more, and one event that
/// somebody keeps holds no more than this.
const LONG: usize = 16 << 10;
/// Room for what stands around the properties of most events.
const ENVELOPE: usize = 512;

impl EventBatch {
    pub(crate) fn push(&mut self, event: &ReadEvent<'_>) {
        let start = self.text.len();
        // A long one is copied once.
        self.text.reserve(event.properties.len() + ENVELOPE);
        self.text.push_str("{\"id\":");
        let id = self.add(&event.id);
        self.text.push_str(",\"type\":");
        let kind = self.add(&event.kind);
        let directory = event.directory.as_ref().map(|directory| {
            self.text.push_str(",\"directory\":");
            self.add(directory)
        });
        self.text.push_str(",\"properties\":");
        let properties = self.mark(event.properties.len());
        self.text.push_str(event.properties);
        self.text.push('}');
        let json = piece(start, self.text.len() - start);
        let session = event.session_id.as_ref().map(|session| self.beside(properties, session));
        let id = id.unwrap_or_else(|| self.append(&event.id));
        let kind = kind.unwrap_or_else(|| self.append(&event.kind));
        let directory = directory.map(|found| {
            found.unwrap_or_else(|| self.append(event.directory.as_deref().unwrap_or_default()))
        });
        self.pieces.push(EventPlaces { json, id, kind, directory, session, properties });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn is_long(&self) -> bool {
        self.text.len() >= LONG
    }

    /// All of them; the batch is empty then.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        // A long text is handed on, and another one begun; the place of short ones is used again.
        let text = match self.is_long() {
            true => std::mem::replace(&mut self.text, String::with_capacity(LONG + ENVELOPE)),
            false => self.text.clone(),
        };
        let text = Arc::new(text);
        self.text.clear();
        self.pieces.drain(..).map(|pieces| Event { text: Arc::clone(&text), pieces }).collect()
    }

    /// Writes a text as JSON, and gives its place, where it stands there as it is.
    #[expect(clippy::ptr_arg, reason = "what is borrowed stands in JSON as it is")]
    fn add(&mut self, text: &Cow<'_, str>) -> Option<TextPlace> {
        match text {
            // It was found in JSON, between its quotation marks.
            Cow::Borrowed(text) => {
                self.text.push('"');
                let place = self.mark(text.len());
                self.text.push_str(text);
                self.text.push('"');
                Some(place)
            }
            Cow::Owned(text) => {
                write_text(&mut self.text, text);
                None
            }
        }
    }

    /// The place of what is written next.
    fn mark(&self, length: usize) -> TextPlace {
        piece(self.text.len(), length)
    }

    /// Puts a text behind the event that does not stand in it as it is.
    fn append(&mut self, text: &str) -> TextPlace {
        let place = self.mark(text.len());
        self.text.push_str(text);
        place
    }

    /// The place of the session: mostly it is the first of the properties.
    fn beside(&mut self, properties: TextPlace, session: &str) -> TextPlace {
        let start = properties.start as usize + quick::SESSION.len();
        if self.text.get(start..start + session.len()) == Some(session) {
            return piece(start, session.len());
        }
        self.append(session)
    }
}

fn piece(start: usize, length: usize) -> TextPlace {
    // Nothing lies where it could not be pointed to.
    let [start, length] = [start, length].map(|number| u32::try_from(number).unwrap_or_default());
    TextPlace { start, length }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> Option<Event> {
        Event::read(data.as_bytes()).unwrap()
    }

    #[test]
    fn an_event_is_written_as_its_fields_say() {
        let texts = ["", "evt_1", "\"\\\n\u{1f}\u{7f}ä", r#"/a "b"\c"#];
        for id in texts {
            for directory in [None, Some(texts[2]), Some("/p")] {
                let written = serde_json::json!({
                    "id": id, "type": "x.y", "directory": directory, "properties": { "a": 1.5, "sessionID": texts[2] },
                });
                let event = read(&written.to_string()).unwrap();
                assert_eq!(event.json(), serde_json::to_string(&event).unwrap());
                assert_eq!((event.id(), event.kind(), event.directory()), (id, "x.y", directory));
                assert_eq!(event.session_id(), Some(texts[2]));
                assert_eq!(event.properties(), written["properties"].to_string());
            }
        }
    }

    #[test]
    fn events_that_come_together_stay_apart() {
        let mut batch = EventBatch::default();
        let written = |number: usize| {
            let properties = format!(r#"{{"sessionID":"s{number}","n":"\u00e4\n"}}"#);
            format!(
                r#"{{"id":"{number}\n","type":"a","directory":"/{number}","properties":{properties}}}"#
            )
        };
        for number in 0..1_000 {
            batch.push(&envelope::read(written(number).as_bytes()).unwrap().unwrap());
        }
        assert!(batch.is_long());
        for (number, event) in batch.take().iter().enumerate() {
            let number = number.to_string();
            assert_eq!(event.id(), format!("{number}\n"));
            assert_eq!(event.directory(), Some(format!("/{number}").as_str()));
            assert_eq!(event.session_id(), Some(format!("s{number}").as_str()));
            let json: serde_json::Value = serde_json::from_str(event.json()).unwrap();
            assert_eq!(json["properties"]["n"], "ä\n");
        }
        assert!(batch.is_empty() && batch.text.capacity() <= 2 * LONG, "a burst is not kept");
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
            assert_eq!((event.id(), event.kind()), ("evt_1", "session.idle"));
            assert_eq!(event.session_id(), Some("s"));
        }
        assert_eq!(global.unwrap().directory(), Some("/p"));
    }

    #[test]
    fn the_type_is_found_and_what_is_behind_it_is_not_read() {
        for data in [
            r#"{"id":"evt_1","type":"a.b","properties":{"type":"x"}}"#,
            r#"{"directory":"/p","project":"x","payload":{"id":"evt_1","type":"a.b","#,
            r#"{"id":"evt_1","durable":{"type":"x"},"type":"a.b",no json"#,
        ] {
            assert_eq!(kind_of(data.as_bytes()), Some("a.b"), "{data}");
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
            assert_eq!(kind_of(data.as_bytes()), None, "{data}");
        }
    }

    #[test]
    fn older_servers_name_the_session_inside() {
        for old in ["info", "part"] {
            let data = format!(r#"{{"type":"x","properties":{{"{old}":{{"sessionID":"s"}}}}}}"#);
            assert_eq!(read(&data).unwrap().session_id(), Some("s"));
        }
        for properties in
            [r#"{"sessionID":"s"}"#, r#"{ "sessionID" : "s" }"#, r#"{"a":1,"sessionID":"\u0073"}"#]
        {
            let data = format!(r#"{{"type":"x","properties":{properties}}}"#);
            assert_eq!(read(&data).unwrap().session_id(), Some("s"), "{properties}");
        }
        let old = read(r#"{"type":"session.created","properties":{"info":{"id":"s"}}}"#);
        assert_eq!(old.unwrap().session_id(), Some("s"));
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
        assert_eq!(event.unwrap().session_id(), None);
        let event = read(r#"{"payload":5,"type":"a","data":{"part":{"sessionID":"s"}}}"#);
        assert_eq!(event.unwrap().session_id(), Some("s"));
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
