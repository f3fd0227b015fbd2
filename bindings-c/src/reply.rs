//! Replies: what came out of a call, on success and on failure.

use crate::handle::{free, shield};
use crate::pointer::Places;
use crate::status::OpencodeStatus;
use crate::update_type::OpencodeUpdateType;
use opencode_core::{Answer, Error, Reply, Update};
use serde_json::value::RawValue;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What came out of a call: a JSON text and what belongs to it. Owned by the caller, used by one thread at a
/// time, freed once with opencode_reply_free(). All texts it gives belong to it.
pub struct OpencodeReply {
    status: OpencodeStatus,
    content: Arc<Content>,
    message: CString,
    /// What it says as an update of a run.
    pub(crate) update: OpencodeUpdateType,
    /// Of an item of another reply: where it lies in the body.
    part: Option<Range<usize>>,
    /// The text of such an item, with a NUL behind it, when it was asked for.
    copy: OnceCell<Vec<u8>>,
    /// Where the values lie that were asked for.
    pub(crate) places: RefCell<Places>,
    /// Texts that were handed out, by pointer: they live as long as the reply.
    pub(crate) texts: RefCell<HashMap<String, CString>>,
    /// Names of fields that were handed out, by where they lie.
    pub(crate) names: RefCell<HashMap<usize, CString>>,
}

/// What a server answered, as replies give it. All replies of one call, and their items, share it.
pub(crate) struct Content {
    http_status: u16,
    /// Ends with a NUL that is not counted; written when somebody looks at it.
    body: OnceLock<Vec<u8>>,
    /// The reply of a run until it is written: it holds all messages, and a tick that sees it come may not need them.
    unwritten: Mutex<Option<Arc<Reply>>>,
    /// What came beside the body, of a server's answer.
    answer: Option<Answer>,
    /// Its headers as texts, once somebody asks for one.
    headers: OnceLock<Vec<(CString, CString)>>,
    /// Whether the body is JSON, once that is known.
    is_json: OnceLock<bool>,
}

impl Content {
    fn new(http_status: u16, body: Vec<u8>) -> Self {
        Content {
            http_status,
            body: OnceLock::from(ended(body)),
            unwritten: Mutex::default(),
            answer: None,
            headers: OnceLock::new(),
            is_json: OnceLock::new(),
        }
    }

    fn json(http_status: u16, json: String) -> Self {
        Content { is_json: OnceLock::from(true), ..Self::new(http_status, json.into_bytes()) }
    }

    /// The last update of a run that has its reply.
    fn done(reply: &Arc<Reply>) -> Self {
        Content {
            body: OnceLock::new(),
            unwritten: Mutex::new(Some(Arc::clone(reply))),
            ..Content::json(0, String::new())
        }
    }

    fn body_and_nul(&self) -> &[u8] {
        self.body.get_or_init(|| {
            // What is written is not kept twice.
            let reply = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).take();
            let done = reply.map(Update::Done);
            ended(done.map(|done| done.to_json()).unwrap_or_default().into_bytes())
        })
    }

    fn body(&self) -> &[u8] {
        self.body_and_nul().split_last().map_or(&[], |(_, body)| body)
    }

    fn headers(&self) -> &[(CString, CString)] {
        self.headers.get_or_init(|| {
            let text = |text: &str| CString::new(text).unwrap_or_default();
            let headers = self.answer.iter().flat_map(Answer::headers);
            headers.map(|(name, value)| (text(name), text(&value))).collect()
        })
    }

    fn is_json(&self) -> bool {
        *self.is_json.get_or_init(|| serde_json::from_slice::<&RawValue>(self.body()).is_ok())
    }
}

/// A body with the NUL that C wants behind it.
fn ended(mut body: Vec<u8>) -> Vec<u8> {
    // A NUL more must not copy a long body: most have no room for it.
    body.reserve_exact(1);
    body.push(0);
    body
}

/// JSON that this library has written.
impl From<String> for Content {
    fn from(json: String) -> Self {
        Content::json(0, json)
    }
}

/// An answer whose body was checked, where it says that it is JSON.
impl From<Answer> for Content {
    fn from(answer: Answer) -> Self {
        let is_checked = answer.is_json();
        let (answer, body) = answer.split();
        let content = Content::new(answer.status(), body);
        let content = Content { answer: Some(answer), ..content };
        // The check of a JSON text does not look into its strings.
        if is_checked && std::str::from_utf8(content.body()).is_ok() {
            return Content { is_json: OnceLock::from(!content.body().is_empty()), ..content };
        }
        content
    }
}

impl OpencodeReply {
    pub(crate) fn content(content: Arc<Content>) -> Self {
        OpencodeReply {
            status: OpencodeStatus::Ok,
            content,
            message: CString::default(),
            update: OpencodeUpdateType::None,
            part: None,
            copy: OnceCell::new(),
            places: RefCell::default(),
            texts: RefCell::default(),
            names: RefCell::default(),
        }
    }

    pub(crate) fn json(json: String) -> Self {
        Self::content(Arc::new(Content::from(json)))
    }

    pub(crate) fn update(update: &Update) -> Self {
        let kind = OpencodeUpdateType::of(update);
        let content = match update {
            Update::Done(reply) => Content::done(reply),
            _ => Content::from(update.to_json()),
        };
        OpencodeReply { update: kind, ..Self::content(Arc::new(content)) }
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
            ..Self::content(Arc::new(Content::json(status, error.to_json())))
        }
    }

    /// A value of this reply as a reply of its own. It shares the body, which is not copied.
    pub(crate) fn item(&self, value: Range<usize>) -> Self {
        let before = self.part.as_ref().map_or(0, |part| part.start);
        let part = Some(before + value.start..before + value.end);
        OpencodeReply { part, ..Self::content(Arc::clone(&self.content)) }
    }

    fn body(&self) -> &[u8] {
        let body = self.content.body();
        match &self.part {
            None => body,
            Some(part) => body.get(part.clone()).unwrap_or_default(),
        }
    }

    /// The body, where it is JSON.
    pub(crate) fn checked_body(&self) -> Option<&[u8]> {
        self.content.is_json().then(|| self.body())
    }

    /// The body with a NUL behind it.
    fn body_and_nul(&self) -> &[u8] {
        match &self.part {
            None => self.content.body_and_nul(),
            Some(_) => self.copy.get_or_init(|| [self.body(), b"\0"].concat()),
        }
    }
}

/// # Safety
/// `reply` is NULL or a live reply.
pub(crate) unsafe fn view<'a, T>(
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
    unsafe { view(reply, c"".as_ptr(), |reply| reply.body_and_nul().as_ptr().cast()) }
}

/// The bytes of the body, without the NUL at its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_length(reply: *const OpencodeReply) -> usize {
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, 0, |reply| reply.body().len()) }
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
            .headers()
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
    fn the_reply_of_a_run_is_written_when_it_is_looked_at() {
        let done = Arc::new(Reply::default());
        let reply = OpencodeReply::update(&Update::Done(Arc::clone(&done)));
        assert_eq!(reply.update, OpencodeUpdateType::Done);
        assert!(reply.content.body.get().is_none(), "a tick that sees the end writes nothing");
        let wanted = Update::Done(Arc::clone(&done)).to_json();
        assert_eq!(reply.checked_body(), Some(wanted.as_bytes()));
        assert_eq!(Arc::strong_count(&done), 1, "what is written is not kept twice");
        assert_eq!(reply.body_and_nul().last(), Some(&0));
        assert!(OpencodeReply::json("{}".to_owned()).content.body.get().is_some());
    }
}
