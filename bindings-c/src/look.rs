//! Looks into a reply: values by JSON pointer, items and names by their numbers. No tree is made of the body.

use crate::pointer::kind;
use crate::reply::{OpencodeReply, view};
use crate::text::required;
use opencode_core::scan::{name_of, value_end};
use std::ffi::{CString, c_char};

impl OpencodeReply {
    /// The JSON of the value that lies at a pointer.
    ///
    /// # Safety
    /// `pointer` is NULL or a text that ends with NUL.
    unsafe fn value(&self, pointer: *const c_char) -> Option<&[u8]> {
        // SAFETY: the same promise is passed on.
        let (body, start) = unsafe { self.place(pointer) }?;
        body.get(start..value_end(body, start))
    }

    /// The body, and where a value begins in it.
    ///
    /// # Safety
    /// As for [`Self::value`].
    unsafe fn place(&self, pointer: *const c_char) -> Option<(&[u8], usize)> {
        // SAFETY: the same promise is passed on.
        let pointer = unsafe { required(pointer, "pointer") }.ok()?;
        let body = self.checked_body()?;
        let start = self.places.borrow_mut().find(body, pointer)?;
        Some((body, start))
    }
}

/// A text for C. A NUL ends it.
fn ended(mut text: Vec<u8>) -> CString {
    if let Some(end) = text.iter().position(|byte| *byte == 0) {
        text.truncate(end);
    }
    CString::new(text).unwrap_or_default()
}

/// A value of the body as text. Looking into a reply needs no JSON library, makes no tree of the body and no second
/// copy, and goes to any depth; a second look into a long answer does not walk through it again.
///
/// @param pointer  Where it is (RFC 6901): "/type", "/reply/tokens/input", "/0/id". "" is the whole body.
/// @return A string without its quotes and escapes, anything else as JSON; NULL when there is no such value, or
///         when it is null: opencode_reply_type() tells which. A NUL in a string ends it. Belongs to the reply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_text(
    reply: *const OpencodeReply,
    pointer: *const c_char,
) -> *const c_char {
    let find = |reply: &OpencodeReply| {
        // SAFETY: the header demands a text that ends with NUL, or NULL.
        let Ok(name) = (unsafe { required(pointer, "pointer") }) else {
            return std::ptr::null();
        };
        if let Some(known) = reply.texts.borrow().get(name) {
            return known.as_ptr();
        }
        // SAFETY: as above.
        let made = match unsafe { reply.value(pointer) } {
            None | Some(b"null") => return std::ptr::null(),
            Some(json) if json.starts_with(b"\"") => {
                let text: String = serde_json::from_slice(json).unwrap_or_default();
                ended(text.into_bytes())
            }
            Some(json) => ended(json.to_owned()),
        };
        // Moving a CString into the map moves its handle, not its text.
        let address = made.as_ptr();
        reply.texts.borrow_mut().insert(name.to_owned(), made);
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
        let place = unsafe { reply.place(pointer) };
        let rest = place.and_then(|(body, start)| body.get(start..));
        rest.map_or(std::ptr::null(), |json| kind(json).as_ptr())
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
        let value = unsafe { reply.value(pointer) };
        value.and_then(|json| serde_json::from_slice(json).ok()).unwrap_or(otherwise)
    };
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, otherwise, find) }
}

/// A whole number of the body, with all its digits: a double has fewer than 16.
///
/// @param pointer    As for opencode_reply_text().
/// @param otherwise  What to return when there is no number, or one with a fraction, or one that does not fit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_int64(
    reply: *const OpencodeReply,
    pointer: *const c_char,
    otherwise: i64,
) -> i64 {
    let find = |reply: &OpencodeReply| {
        // SAFETY: the header demands a text that ends with NUL, or NULL.
        let value = unsafe { reply.value(pointer) };
        value.and_then(whole_number).unwrap_or(otherwise)
    };
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, otherwise, find) }
}

/// 12, and also 12.0 and 1.2e1, which are the same number.
fn whole_number(json: &[u8]) -> Option<i64> {
    let exact = serde_json::from_slice(json).ok();
    exact.or_else(|| {
        let number: f64 = serde_json::from_slice(json).ok()?;
        // Up to here a double has every whole number.
        let is_whole = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        is_whole.then_some(number as i64)
    })
}

/// Whether a value of the body is true.
///
/// @param pointer    As for opencode_reply_text().
/// @param otherwise  What to return when there is neither true nor false.
/// @return 1 for true, 0 for false, else otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_bool(
    reply: *const OpencodeReply,
    pointer: *const c_char,
    otherwise: i32,
) -> i32 {
    let find = |reply: &OpencodeReply| {
        // SAFETY: the header demands a text that ends with NUL, or NULL.
        match unsafe { reply.value(pointer) } {
            Some(b"true") => 1,
            Some(b"false") => 0,
            _ => otherwise,
        }
    };
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, otherwise, find) }
}

/// How many items a list of the body has, or how many fields an object.
///
/// @param pointer  As for opencode_reply_text().
/// @return 0 for anything else, and when there is no such value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_count(
    reply: *const OpencodeReply,
    pointer: *const c_char,
) -> usize {
    let find = |reply: &OpencodeReply| {
        // SAFETY: the header demands a text that ends with NUL, or NULL.
        let place = unsafe { reply.place(pointer) };
        place.and_then(|(body, at)| reply.places.borrow_mut().count(body, at)).unwrap_or(0)
    };
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, 0, find) }
}

/// The name of a field of an object, by its number: they are walked through in the order in which they are written.
///
/// @param pointer  Where the object is, as for opencode_reply_text().
/// @param index    0 is the first.
/// @return NULL when there is no such field. A NUL in a name ends it. Belongs to the reply.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_key(
    reply: *const OpencodeReply,
    pointer: *const c_char,
    index: usize,
) -> *const c_char {
    let find = |reply: &OpencodeReply| {
        // SAFETY: the header demands a text that ends with NUL, or NULL.
        let place = unsafe { reply.place(pointer) };
        let object = place.filter(|(body, at)| body.get(*at) == Some(&b'{'));
        let found = object.and_then(|(body, at)| {
            let entry = reply.places.borrow_mut().nth(body, at, index)?;
            Some((entry.at, ended(name_of(body, entry).into_owned())))
        });
        found.map_or(std::ptr::null(), |(at, made)| {
            reply.names.borrow_mut().entry(at).or_insert(made).as_ptr()
        })
    };
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, std::ptr::null(), find) }
}

/// An item of a list, or the value of a field of an object, as a reply of its own: pointers begin there, and what it
/// gave is freed with it. It shares the body with the reply that it comes from, and may outlive it.
///
/// @param pointer  Where the list or object is, as for opencode_reply_text().
/// @param index    0 is the first.
/// @return NULL when there is no such item. Free it with opencode_reply_free().
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_reply_item(
    reply: *const OpencodeReply,
    pointer: *const c_char,
    index: usize,
) -> *mut OpencodeReply {
    let find = |reply: &OpencodeReply| {
        // SAFETY: the header demands a text that ends with NUL, or NULL.
        let place = unsafe { reply.place(pointer) };
        let found = place.and_then(|(body, at)| {
            let entry = reply.places.borrow_mut().nth(body, at, index)?;
            Some(reply.item(entry.value..value_end(body, entry.value)))
        });
        found.map_or(std::ptr::null_mut(), |item| Box::into_raw(Box::new(item)))
    };
    // SAFETY: the header demands a live reply or NULL.
    unsafe { view(reply, std::ptr::null_mut(), find) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::opencode_reply_free;
    use std::ffi::CStr;

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
    #[test]
    fn numbers_and_truths_are_what_they_are() {
        let body = r#"{"n":9007199254740993,"f":1.5,"e":1.2e1,"big":1e30,"t":true,"s":"7","no":false,"z":null}"#;
        let reply = OpencodeReply::json(body.to_owned());
        // SAFETY: the reply lives, and the pointers end with NUL.
        let int = |pointer: &CStr| unsafe {
            opencode_reply_int64(&raw const reply, pointer.as_ptr(), -1)
        };
        assert_eq!((int(c"/n"), int(c"/e"), int(c"/f")), (9_007_199_254_740_993, 12, -1));
        assert_eq!((int(c"/big"), int(c"/s"), int(c"/z"), int(c"/x")), (-1, -1, -1, -1));
        // SAFETY: as above.
        let truth =
            |pointer: &CStr| unsafe { opencode_reply_bool(&raw const reply, pointer.as_ptr(), 7) };
        assert_eq!((truth(c"/t"), truth(c"/no"), truth(c"/z"), truth(c"/s")), (1, 0, 7, 7));
    }

    #[test]
    fn items_and_names_are_walked_through() {
        let reply = OpencodeReply::json(r#" {"b\n":[10, {"x":"y"}],"a":{}} "#.to_owned());
        let reply = &raw const reply;
        // SAFETY: the replies live, and the pointers end with NUL.
        unsafe {
            let count = |pointer: &CStr| opencode_reply_count(reply, pointer.as_ptr());
            assert_eq!(
                (count(c""), count(c"/b\n"), count(c"/a"), count(c"/b\n/0"), count(c"/x")),
                (2, 2, 0, 0, 0)
            );
            let name = CStr::from_ptr(opencode_reply_key(reply, c"".as_ptr(), 0));
            assert_eq!(name, c"b\n");
            assert_eq!(opencode_reply_key(reply, c"".as_ptr(), 0), name.as_ptr(), "the same text");
            assert!(opencode_reply_key(reply, c"".as_ptr(), 2).is_null());
            assert!(
                opencode_reply_key(reply, c"/b\n".as_ptr(), 0).is_null(),
                "a list has no names"
            );
            let list = opencode_reply_item(reply, c"".as_ptr(), 0);
            let inner = opencode_reply_item(list, c"".as_ptr(), 1);
            opencode_reply_free(list);
            let json = CStr::from_ptr(crate::reply::opencode_reply_json(inner));
            assert_eq!((json, crate::reply::opencode_reply_length(inner)), (c"{\"x\":\"y\"}", 9));
            assert_eq!(CStr::from_ptr(opencode_reply_text(inner, c"/x".as_ptr())), c"y");
            assert!(opencode_reply_item(inner, c"".as_ptr(), 1).is_null());
            assert!(opencode_reply_item(inner, c"/x".as_ptr(), 0).is_null());
            opencode_reply_free(inner);
        }
    }
}
