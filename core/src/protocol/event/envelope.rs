//! [`read`]: the event out of what is around it, whatever server sent it.

use super::quick::{self, EventBody, EventEnvelope};
use crate::base::depth::excess;
use crate::base::json::Object;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An event where it was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ReadEvent<'a> {
    pub(crate) id: Cow<'a, str>,
    pub(crate) kind: Cow<'a, str>,
    pub(crate) directory: Option<Cow<'a, str>>,
    pub(crate) session_id: Option<Cow<'a, str>>,
    /// JSON.
    pub(crate) properties: &'a str,
}

/// What [`Event::read`](super::Event::read) reads, not kept yet.
///
/// # Errors
/// As there.
pub(crate) fn read(data: &[u8]) -> Result<Option<ReadEvent<'_>>, String> {
    let envelope = match quick::envelope(data) {
        Some(envelope) => envelope,
        None => {
            if let Some(depth) = excess(data) {
                return Err(format!("it is nested {depth} levels deep"));
            }
            EventEnvelope::odd(data).map_err(|e| e.to_string())?
        }
    };
    read_from(envelope)
}

fn read_from(envelope: EventEnvelope<'_>) -> Result<Option<ReadEvent<'_>>, String> {
    let outer = envelope.directory;
    let (body, directory) = match envelope.payload {
        Some(payload) => (payload, None),
        None => (envelope.body, envelope.location.and_then(quick::directory_of)),
    };
    let kind = body.kind.ok_or("it has no type")?;
    if kind == "sync" {
        return Ok(None);
    }
    let properties = body.properties.or(body.data).unwrap_or("{}");
    let session_id = match quick::leading_session(properties) {
        Some(session) => Some(Cow::Borrowed(session)),
        None => {
            let known = serde_json::from_str(properties).ok();
            known.and_then(|known| session_of(&kind, &known)).map(Cow::Owned)
        }
    };
    let id = body.id.unwrap_or_default();
    Ok(Some(ReadEvent { id, kind, directory: directory.or(outer), session_id, properties }))
}

impl<'a> EventEnvelope<'a> {
    /// One in which not everything has the shape that servers give it: what has another one counts as absent.
    fn odd(data: &'a [u8]) -> serde_json::Result<Self> {
        let envelope = Object::parse(data)?;
        Ok(EventEnvelope {
            directory: envelope.text("directory").map(Cow::Owned),
            location: envelope.get("location").map(RawValue::get),
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
            properties: object.get("properties").map(RawValue::get),
            data: object.get("data").map(RawValue::get),
        }
    }
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
    use serde_json::Value;

    const TEXTS: &[&str] = &[
        r#"{"id":"evt_1","type":"a.b","properties":{"sessionID":"s","x":[1,{"y":"\u00e4\n"}]}}"#,
        r#"{"directory":"/p","project":"x","payload":{"id":"evt_1","type":"a.b","properties":{"a":1}}}"#,
        r#" { "id" : "e" , "durable" : { "seq" : 1 } , "location" : { "directory" : "/p" } , "type" : "a" , "data" : null } "#,
        r#"{"id":"ä","type":"a","location":{"directory":"/p"},"data":{"info":{"sessionID":"s"}}}"#,
        r#"{"payload":{"type":"sync","syncEvent":{"id":"evt_1"}}}"#,
    ];

    /// As a reader does that walks over nothing by itself.
    fn slow(data: &[u8]) -> Result<Option<ReadEvent<'_>>, String> {
        read_from(EventEnvelope::odd(data).map_err(|e| e.to_string())?)
    }

    #[test]
    fn the_quick_way_reads_what_the_slow_one_reads_wherever_a_byte_is_wrong() {
        let mut taken = 0;
        for text in TEXTS {
            for at in 0..text.len() {
                for byte in 0..=u8::MAX {
                    let mut data = text.as_bytes().to_vec();
                    data[at] = byte;
                    if let Some(envelope) = quick::envelope(&data) {
                        let (mine, wanted) = (read_from(envelope), slow(&data));
                        assert_eq!(mine, wanted, "{}", String::from_utf8_lossy(&data));
                        assert!(serde_json::from_slice::<Value>(&data).is_ok(), "it is JSON");
                        taken += 1;
                    }
                }
                assert!(quick::envelope(&text.as_bytes()[..at]).is_none(), "{text} up to {at}");
            }
        }
        assert!(taken > 10_000, "{taken}");
    }

    #[test]
    fn what_servers_write_is_read_the_quick_way() {
        for text in [TEXTS[0], TEXTS[1], TEXTS[3], TEXTS[4]] {
            assert!(quick::envelope(text.as_bytes()).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_odd_is_left_to_the_slow_way() {
        let deep = format!(r#"{{"type":"a","data":{}1{}}}"#, "[".repeat(999), "]".repeat(999));
        for text in [
            r#"{"type":"a","type":"b"}"#,
            r#"{"payload":{"type":"a","id":"x","id":"y"}}"#,
            r#"{"ty\u0070e":"a"}"#,
            r#"{"type":"\u0061"}"#,
            r#"{"type":"a","id":null}"#,
            r#"{"type":"a","properties":null,"data":{}}"#,
            &deep,
        ] {
            assert!(quick::envelope(text.as_bytes()).is_none(), "{text}");
        }
        assert_eq!(read(br#"{"type":"a","type":"b"}"#).unwrap().unwrap().kind, "b");
        assert_eq!(read(br#"{"ty\u0070e":"a"}"#).unwrap().unwrap().kind, "a");
        assert_eq!(
            read(br#"{"type":"a","properties":null,"data":{}}"#).unwrap().unwrap().properties,
            "{}"
        );
        assert!(read(deep.as_bytes()).unwrap().is_some(), "a thousand levels are taken");
    }
}
