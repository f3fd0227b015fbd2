//! Replies: what came out of a call, on success and on failure.

use crate::guard::{free, shield};
use crate::pointer::{Places, kind};
use crate::status::OpencodeStatus;
use crate::text::required;
use opencode_core::{Answer, Error};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::sync::Arc;

/// What came out of a call: a JSON text and what belongs to it. Owned by the caller, used by one thread at a
/// time, freed once with opencode_reply_free(). All texts it gives belong to it.
pub struct OpencodeReply {
    status: OpencodeStatus,
    content: Arc<Content>,
    message: CString,
    /// Where the values lie that were asked for.
    places: RefCell<Places>,
    /// Texts that were handed out, by pointer: they live as long as the reply.
    texts: RefCell<HashMap<String, CString>>,
}

/// What a server answered, as replies give it. All replies of one call share it.
pub(crate) struct Content {
    http_status: u16,
    /// Ends with a NUL that is not counted.
    body: Vec<u8>,
    headers: Vec<(CString, CString)>,
}

impl Content {
    fn new(http_status: u16, mut body: Vec<u8>) -> Self {
        body.push(0);
        Content { http_status, body, headers: Vec::new() }
    }
}

impl From<Answer> for Content {
    fn from(answer: Answer) -> Self {
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let headers = answer.headers().map(|(name, value)| (text(name), text(&value))).collect();
        Content { headers, ..Content::new(answer.status(), answer.into_bytes()) }
    }
}

impl OpencodeReply {
    pub(crate) fn content(content: Arc<Content>) -> Self {
        OpencodeReply {
            status: OpencodeStatus::Ok,
            content,
            message: CString::default(),
            places: RefCell::default(),
            texts: RefCell::default(),
        }
    }

    pub(crate) fn json(json: String) -> Self {
        Self::content(Arc::new(Content::new(0, json.into_bytes())))
    }

    pub(crate) fn answer(answer: Answer) -> Self {
        Self::content(Arc::new(Content::from(answer)))
    }

    pub(crate) fn failure(error: &Error) -> Self {
        let status = error.status().unwrap_or(0);
        OpencodeReply {
            status: OpencodeStatus::of(error.kind()),
            // A message never holds a NUL: control characters become spaces.
            message: CString::new(error.message()).unwrap_or_default(),
            ..Self::content(Arc::new(Content::new(status, error.to_json().into_bytes())))
        }
    }

    /// The JSON of the value that lies at a pointer.
    fn value(&self, pointer: &str) -> Option<&[u8]> {
        let body = self.content.body.split_last().map_or(&[][..], |(_, body)| body);
        self.places.borrow_mut().find(body, pointer)
    }
}

/// # Safety
/// `reply` is NULL or a live reply.
unsafe fn view<'a, T>(
    reply: *const OpencodeReply,
    otherwise: T,
    read: impl FnOnce(&'a OpencodeReply) -> T,
) -> T {
    // SAFETY: the caller promises that a reply that is not NULL is alive.
    match unsafe { reply.as_ref() } {
        Some(reply) => shield(otherwise, || read(reply)),
        None => otherwise,
    }
}

/// The status that the call returned.
///
/// @param reply  NULL gives OPENCODE_STATUS_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_status(reply: *const OpencodeReply) -> OpencodeStatus {
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, OpencodeStatus::InvalidArgument, |reply| reply.status) }
}

/// The HTTP status of the server's answer; 0 when no server was involved, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_http_status(reply: *const OpencodeReply) -> u16 {
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, 0, |reply| reply.content.http_status) }
}

/// The body: JSON in UTF-8, ended by NUL. Of a failure: an object with kind, number, message, operation, status,
/// code, body, retryable and sent. Empty when the operation answers nothing. A few operations answer text or
/// bytes; opencode_reply_length() counts the NULs in them.
///
/// @return Never NULL; "" for NULL. Belongs to the reply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_json(reply: *const OpencodeReply) -> *const c_char {
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, c"".as_ptr(), |reply| reply.content.body.as_ptr().cast()) }
}

/// A value of the body as text, for programs without a JSON library of their own.
///
/// @param pointer  Where it is (RFC 6901): "/type", "/reply/tokens/input", "/0/id". "" is the whole body.
/// @return A string without its quotes and escapes, anything else as JSON; NULL when there is no such value, or
///         when it is null. A NUL in a string ends it. Belongs to the reply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_text(
    reply: *const OpencodeReply,
    pointer: *const c_char,
) -> *const c_char {
    let find = |reply: &OpencodeReply| {
        // SAFETY: the header demands a text that ends with NUL, or NULL.
        let Ok(pointer) = (unsafe { required(pointer, "pointer") }) else {
            return std::ptr::null();
        };
        if let Some(known) = reply.texts.borrow().get(pointer) {
            return known.as_ptr();
        }
        let text = match reply.value(pointer) {
            None | Some(b"null") => return std::ptr::null(),
            Some(json) if json.starts_with(b"\"") => {
                serde_json::from_slice(json).unwrap_or_default()
            }
            Some(json) => String::from_utf8_lossy(json).into_owned(),
        };
        let end = text.find('\0').unwrap_or(text.len());
        let made = CString::new(&text[..end]).unwrap_or_default();
        // Moving a CString into the map moves its handle, not its text.
        let address = made.as_ptr();
        reply.texts.borrow_mut().insert(pointer.to_owned(), made);
        address
    };
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, std::ptr::null(), find) }
}

/// What a value of the body is: tells null from a value that is not there.
///
/// @param pointer  As for opencode_reply_text().
/// @return "null", "boolean", "number", "string", "array" or "object"; NULL when there is no such value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_type(
    reply: *const OpencodeReply,
    pointer: *const c_char,
) -> *const c_char {
    let find = |reply: &OpencodeReply| {
        // SAFETY: the header demands a text that ends with NUL, or NULL.
        let pointer = unsafe { required(pointer, "pointer") };
        let value = pointer.ok().and_then(|pointer| reply.value(pointer));
        value.map_or(std::ptr::null(), |json| kind(json).as_ptr())
    };
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, std::ptr::null(), find) }
}

/// A number of the body.
///
/// @param pointer    As for opencode_reply_text().
/// @param otherwise  What to return when there is no number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_number(
    reply: *const OpencodeReply,
    pointer: *const c_char,
    otherwise: f64,
) -> f64 {
    let find = |reply: &OpencodeReply| {
        // SAFETY: the header demands a text that ends with NUL, or NULL.
        let pointer = unsafe { required(pointer, "pointer") };
        let value = pointer.ok().and_then(|pointer| reply.value(pointer));
        value.and_then(|json| serde_json::from_slice(json).ok()).unwrap_or(otherwise)
    };
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, otherwise, find) }
}

/// The bytes of the body, without the NUL at its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_length(reply: *const OpencodeReply) -> usize {
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, 0, |reply| reply.content.body.len() - 1) }
}

/// Of a failure: one line for people that says what, with which value, and what to do. "" otherwise.
///
/// @return Never NULL; "" for NULL. Belongs to the reply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_message(reply: *const OpencodeReply) -> *const c_char {
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, c"".as_ptr(), |reply| reply.message.as_ptr()) }
}

/// A header of the server's answer, such as "x-next-cursor".
///
/// @param name  In any case; NULL gives NULL.
/// @return NULL when the answer has no such header. Belongs to the reply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_header(
    reply: *const OpencodeReply,
    name: *const c_char,
) -> *const c_char {
    if name.is_null() {
        return std::ptr::null();
    }
    // SAFETY: not NULL, and the header demands that it ends with NUL.
    let name = unsafe { CStr::from_ptr(name) };
    let find = |reply: &OpencodeReply| {
        let same =
            |(key, _): &&(CString, CString)| key.as_bytes().eq_ignore_ascii_case(name.to_bytes());
        reply
            .content
            .headers
            .iter()
            .find(same)
            .map_or(std::ptr::null(), |(_, value)| value.as_ptr())
    };
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, std::ptr::null(), find) }
}

/// Frees a reply and all texts that it gave. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_free(reply: *mut OpencodeReply) {
    // SAFETY: the header demands a live reply or NULL.
    unsafe { free(reply) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods)] // A stack of another size is what is tested.
    fn what_lies_beside_a_deep_value_is_found_on_a_small_stack() {
        let levels = opencode_core::MAX_DEPTH;
        let deep = format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let json = format!(r#"{{"type":"tool","n":1.5,"gone":null,"input":{deep}}}"#);
        let length = deep.len();
        let work = move || {
            let reply = OpencodeReply::json(json);
            // SAFETY: the reply lives, and the pointers end with NUL.
            let text = |pointer: &CStr| unsafe {
                let text = opencode_reply_text(&raw const reply, pointer.as_ptr());
                (!text.is_null()).then(|| CStr::from_ptr(text).to_owned())
            };
            assert_eq!(text(c"/type").as_deref(), Some(c"tool"));
            assert_eq!(text(c"/input").map(|text| text.count_bytes()), Some(length));
            assert_eq!(text(c"/input/0/0").map(|text| text.count_bytes()), Some(length - 4));
            assert_eq!((text(c"/gone"), text(c"/none")), (None, None));
            // SAFETY: as above.
            let kind = |pointer: &CStr| unsafe {
                let kind = opencode_reply_type(&raw const reply, pointer.as_ptr());
                (!kind.is_null()).then(|| CStr::from_ptr(kind).to_owned())
            };
            assert_eq!(kind(c"/gone").as_deref(), Some(c"null"));
            assert_eq!(kind(c"/input").as_deref(), Some(c"array"));
            assert_eq!(kind(c"/none"), None);
            // SAFETY: as above.
            let number = unsafe { opencode_reply_number(&raw const reply, c"/n".as_ptr(), 0.0) };
            assert_eq!(number, 1.5);
        };
        let thread = std::thread::Builder::new().stack_size(48 << 10).spawn(work);
        thread.unwrap().join().unwrap();
    }
}
