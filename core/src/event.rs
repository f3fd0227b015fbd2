//! [`Event`]: one thing that happened on the server.

use serde::Deserialize;
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
    /// the stream of all directories adds to each stored event.
    pub(crate) fn read(data: &[u8]) -> serde_json::Result<Option<Event>> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(borrow, default)]
            payload: Option<Payload<'a>>,
            #[serde(default)]
            directory: Option<String>,
            #[serde(default)]
            id: Option<String>,
            #[serde(rename = "type", default)]
            kind: Option<String>,
            #[serde(borrow, default)]
            properties: Option<&'a RawValue>,
            #[serde(borrow, default)]
            data: Option<&'a RawValue>,
            #[serde(default)]
            location: Option<Location>,
        }
        #[derive(Deserialize)]
        struct Payload<'a> {
            #[serde(default)]
            id: Option<String>,
            #[serde(rename = "type")]
            kind: String,
            #[serde(borrow, default)]
            properties: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        struct Location {
            #[serde(default)]
            directory: Option<String>,
        }
        #[derive(Deserialize)]
        struct Session {
            #[serde(rename = "sessionID", default)]
            session_id: Option<String>,
        }
        // Servers up to 1.3.2 name the session of a message, a part or a session in these only.
        #[derive(Deserialize)]
        struct Older {
            #[serde(alias = "part")]
            info: Inner,
        }
        #[derive(Deserialize)]
        struct Inner {
            #[serde(rename = "sessionID", default)]
            session_id: Option<String>,
            #[serde(default)]
            id: Option<String>,
        }
        let envelope: Envelope<'_> = serde_json::from_slice(data)?;
        let (id, kind, properties, directory) = match envelope.payload {
            Some(payload) if payload.kind == "sync" => return Ok(None),
            Some(payload) => (payload.id, payload.kind, payload.properties, envelope.directory),
            None => (
                envelope.id,
                envelope.kind.unwrap_or_default(),
                envelope.properties.or(envelope.data),
                envelope.location.and_then(|l| l.directory).or(envelope.directory),
            ),
        };
        let text = properties.map_or("{}", RawValue::get);
        let session_id =
            serde_json::from_str::<Session>(text).ok().and_then(|session| session.session_id);
        let session_id = session_id.or_else(|| {
            let inner = serde_json::from_str::<Older>(text).ok()?.info;
            inner.session_id.or(inner.id.filter(|_| kind.starts_with("session.")))
        });
        let properties = Arc::from(RawValue::from_string(text.to_owned())?);
        Ok(Some(Event { id: id.unwrap_or_default(), kind, directory, session_id, properties }))
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
}
