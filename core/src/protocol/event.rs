//! [`Event`]: one thing that happened on the server.

use crate::base::depth::excess;
use crate::base::json::Object;
use serde_json::value::RawValue;
use std::sync::Arc;

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
    pub properties: Arc<RawValue>,
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
        let envelope = Object::parse(data).map_err(|e| e.to_string())?;
        let payload = envelope.object("payload");
        let location = envelope.object("location");
        let (body, directory) = match (&payload, &location) {
            (Some(payload), _) => (payload, None),
            (None, location) => (&envelope, location.as_ref().and_then(|l| l.text("directory"))),
        };
        let kind = body.text("type").ok_or("it has no type")?;
        if kind == "sync" {
            return Ok(None);
        }
        let properties = body.get("properties").or_else(|| body.get("data"));
        let properties = properties.map_or(EMPTY, RawValue::get).to_owned();
        let properties = RawValue::from_string(properties).map_err(|e| e.to_string())?;
        let session_id = Object::read(&properties).and_then(|known| session_of(&kind, &known));
        Ok(Some(Event {
            id: body.text("id").unwrap_or_default(),
            kind,
            directory: directory.or_else(|| envelope.text("directory")),
            session_id,
            properties: Arc::from(properties),
        }))
    }

    /// The event as one JSON object: what the bindings hand to their hosts.
    pub fn to_json(&self) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let mut json = format!(r#"{{"id":{},"type":{}"#, text(&self.id), text(&self.kind));
        if let Some(directory) = &self.directory {
            json.push_str(r#","directory":"#);
            json.push_str(&text(directory));
        }
        json.push_str(r#","properties":"#);
        json.push_str(self.properties.get());
        json.push('}');
        json
    }
}

const EMPTY: &str = "{}";

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
    fn older_servers_name_the_session_inside() {
        for old in ["info", "part"] {
            let data = format!(r#"{{"type":"x","properties":{{"{old}":{{"sessionID":"s"}}}}}}"#);
            assert_eq!(read(&data).unwrap().session_id.as_deref(), Some("s"));
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
