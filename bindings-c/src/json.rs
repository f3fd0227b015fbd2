//! JSON texts, written without quoting anything by hand.

use crate::guard::{free, shield};
use crate::status::OpencodeStatus;
use opencode_core::{Error, ErrorKind};
use std::ffi::{CStr, CString, c_char};
use std::fmt::Write as _;

/// A JSON object that is being written. Used by one thread at a time, freed with opencode_json_free().
pub struct OpencodeJson {
    text: String,
    /// The objects and lists that are open, outermost first.
    open: Vec<Open>,
    /// The first mistake: nothing is written after it.
    mistake: Option<CString>,
    /// What opencode_json_get() gave last.
    given: CString,
    /// Whether that is all that was added.
    is_given: bool,
}

struct Open {
    is_object: bool,
    is_empty: bool,
    /// What it is the value of.
    name: Option<String>,
}

impl Open {
    /// Such as "the list 'files'".
    fn words(&self) -> String {
        let kind = if self.is_object { "object" } else { "list" };
        self.name
            .as_ref()
            .map_or_else(|| format!("this {kind}"), |name| format!("the {kind} '{name}'"))
    }
}

/// What the message of a mistake begins with, the name of a function, and no JSON does: whoever takes it for JSON tells the
/// message in place of what is wrong with its first letter.
const MARK: &str = "opencode_json_";

/// The message of a builder that is none.
const NULL: &CStr = c"opencode_json_get: the builder is NULL; opencode_json_new() makes one";

/// The message of a builder, where that stands in place of JSON.
pub(crate) fn mistake_in(json: &str) -> Option<&str> {
    json.starts_with(MARK).then_some(json)
}

impl OpencodeJson {
    fn new() -> Self {
        let mut json = OpencodeJson {
            text: String::new(),
            open: Vec::new(),
            mistake: None,
            given: CString::default(),
            is_given: false,
        };
        json.begin(None, true);
        json
    }

    fn begin(&mut self, name: Option<&str>, is_object: bool) {
        self.text.push(if is_object { '{' } else { '[' });
        self.open.push(Open { is_object, is_empty: true, name: name.map(str::to_owned) });
    }

    /// Writes what stands before a value: a comma, and the name of a field.
    fn place(&mut self, name: Option<&str>) -> Result<(), String> {
        let Some(inside) = self.open.last_mut() else {
            let text = "the object was ended, and nothing can be added; call opencode_json_end() later, or not at all";
            return Err(text.to_owned());
        };
        match (inside.is_object, name) {
            (true, None) => {
                return Err(format!(
                    "a field of an object needs a name; give it one in {}",
                    inside.words()
                ));
            }
            (false, Some(_)) => {
                return Err(format!(
                    "nothing in a list has a name; pass NULL for it, or end {} before",
                    inside.words()
                ));
            }
            _ => {}
        }
        if !std::mem::take(&mut inside.is_empty) {
            self.text.push(',');
        }
        if let Some(name) = name {
            let _ = write!(self.text, "{}:", serde_json::Value::from(name));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        match self.open.pop() {
            Some(inside) => self.text.push(if inside.is_object { '}' } else { ']' }),
            None => {
                let text = "there is nothing to end, all was ended; leave this call out, what is open at last ends by itself";
                return Err(text.to_owned());
            }
        }
        Ok(())
    }

    fn whole(&self) -> String {
        let ends = self.open.iter().rev().map(|open| if open.is_object { '}' } else { ']' });
        // Room for the NUL too.
        let mut whole = String::with_capacity(self.text.len() + self.open.len() + 1);
        whole.push_str(&self.text);
        whole.extend(ends);
        whole
    }
}

/// Adds something, unless a mistake was made before. `function` is who adds, behind [`MARK`].
///
/// # Safety
/// `json` is NULL or a live builder, `name` is NULL or ends with NUL.
unsafe fn add(
    function: &str,
    json: *mut OpencodeJson,
    name: *const c_char,
    work: impl FnOnce(&mut OpencodeJson, Option<&str>) -> Result<(), String>,
) -> OpencodeStatus {
    // SAFETY: the caller promises that a builder that is not NULL is alive, and used by no other thread.
    let Some(json) = (unsafe { json.as_mut() }) else {
        return OpencodeStatus::InvalidArgument;
    };
    // SAFETY: the caller promises that a name that is not NULL ends with NUL.
    let name = unsafe { (!name.is_null()).then(|| CStr::from_ptr(name)) };
    shield(OpencodeStatus::Internal, || {
        if json.mistake.is_some() {
            return OpencodeStatus::InvalidArgument;
        }
        let length = json.text.len();
        let done = match name.map(CStr::to_str).transpose() {
            Ok(name) => work(json, name)
                .map_err(|text| (name.map(|name| format!(" '{name}'")).unwrap_or_default(), text)),
            Err(e) => Err((String::new(), format!("the name is not UTF-8: {e}"))),
        };
        match done {
            Ok(()) => {
                json.is_given &= json.text.len() == length;
                OpencodeStatus::Ok
            }
            Err((name, text)) => {
                // One line without control characters, as all messages are.
                let error = Error::new(
                    ErrorKind::InvalidArgument,
                    format!("{MARK}{function}{name}: {text}"),
                );
                json.mistake = Some(CString::new(error.message()).unwrap_or_default());
                OpencodeStatus::InvalidArgument
            }
        }
    })
}

/// Begins an object, for the options and arguments of the other functions:
/// ```c
/// OpencodeJson *json = opencode_json_new();
/// opencode_json_text(json, "sessionID", id);
/// opencode_json_text(json, "title", "any \"text\"");
/// opencode_call(client, "session.update", opencode_json_get(json), &reply);
/// opencode_json_free(json);
/// ```
///
/// The first mistake stays, so only the last call has to be looked at.
///
/// @return Never NULL. Free it with opencode_json_free().
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn opencode_json_new() -> *mut OpencodeJson {
    Box::into_raw(Box::new(OpencodeJson::new()))
}

/// Adds a text.
///
/// @param name   Of the field; NULL in a list.
/// @param value  UTF-8, with any characters. NULL adds nothing: an option that is not given.
/// @return INVALID_ARGUMENT for a text that is not UTF-8, a name that is missing or too much, and after any mistake:
///         opencode_json_message() says what was wrong. So do all functions that add.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_text(
    json: *mut OpencodeJson,
    name: *const c_char,
    value: *const c_char,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        add("text", json, name, |json, name| {
            if value.is_null() {
                return Ok(());
            }
            let value = CStr::from_ptr(value).to_str();
            let value = value.map_err(|e| format!("the text is not UTF-8: {e}"))?;
            json.place(name)?;
            let _ = write!(json.text, "{}", serde_json::Value::from(value));
            Ok(())
        })
    }
}

/// Adds a number. One that is not finite is a mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_number(
    json: *mut OpencodeJson,
    name: *const c_char,
    value: f64,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        add("number", json, name, |json, name| {
            let number = serde_json::Number::from_f64(value);
            let number = number.ok_or_else(|| {
                format!(
                    "JSON has no number {value}; leave it out, or add null with opencode_json_raw()"
                )
            })?;
            json.place(name)?;
            let _ = write!(json.text, "{number}");
            Ok(())
        })
    }
}

/// Adds a whole number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_int64(
    json: *mut OpencodeJson,
    name: *const c_char,
    value: i64,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        add("int64", json, name, |json, name| {
            json.place(name)?;
            let _ = write!(json.text, "{value}");
            Ok(())
        })
    }
}

/// Adds true, or false for 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_bool(
    json: *mut OpencodeJson,
    name: *const c_char,
    value: i32,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        add("bool", json, name, |json, name| {
            json.place(name)?;
            json.text.push_str(if value == 0 { "false" } else { "true" });
            Ok(())
        })
    }
}

/// Adds what is JSON already: what opencode_reply_json() or another builder gave, or null.
///
/// @param value  NULL adds nothing. What is no JSON is a mistake.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_raw(
    json: *mut OpencodeJson,
    name: *const c_char,
    value: *const c_char,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        add("raw", json, name, |json, name| {
            if value.is_null() {
                return Ok(());
            }
            let value = CStr::from_ptr(value).to_str();
            let value = value.map_err(|e| format!("the value is not UTF-8: {e}"))?;
            if let Some(mistake) = mistake_in(value) {
                return Err(format!("the value comes from a builder with a mistake: {mistake}"));
            }
            let value: &serde_json::value::RawValue = serde_json::from_str(value).map_err(|e| {
                format!("the value is no JSON: {e}; opencode_json_text() adds a text")
            })?;
            json.place(name)?;
            json.text.push_str(value.get());
            Ok(())
        })
    }
}

/// Begins an object inside: what is added goes into it, until opencode_json_end().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_object(
    json: *mut OpencodeJson,
    name: *const c_char,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        add("object", json, name, |json, name| json.place(name).map(|()| json.begin(name, true)))
    }
}

/// Begins a list inside: what is added goes into it, without names, until opencode_json_end().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_list(
    json: *mut OpencodeJson,
    name: *const c_char,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe {
        add("list", json, name, |json, name| json.place(name).map(|()| json.begin(name, false)))
    }
}

/// Ends the innermost object or list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_end(json: *mut OpencodeJson) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { add("end", json, std::ptr::null(), |json, _| json.end()) }
}

/// The JSON text. What is still open is ended in it, and goes on being open.
///
/// @return Never NULL. After a mistake it is the message, which is no JSON: whoever takes it fails with
///         INVALID_ARGUMENT and the words of the message, and nothing is sent. Stays until something is added or the
///         builder is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_get(json: *mut OpencodeJson) -> *const c_char {
    // SAFETY: the header demands a live builder or NULL, used by no other thread.
    let Some(json) = (unsafe { json.as_mut() }) else {
        return NULL.as_ptr();
    };
    shield(c"".as_ptr(), || match &json.mistake {
        Some(mistake) => mistake.as_ptr(),
        None => {
            // A text that was given stays, also when it is asked for again.
            if !std::mem::replace(&mut json.is_given, true) {
                json.given = CString::new(json.whole()).unwrap_or_default();
            }
            json.given.as_ptr()
        }
    })
}

/// What was wrong first, in one line: the function, the name of the field, and what to do.
///
/// @return Never NULL; "" while nothing was. Belongs to the builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_message(json: *const OpencodeJson) -> *const c_char {
    // SAFETY: the header demands a live builder or NULL.
    let json = unsafe { json.as_ref() };
    json.map_or(NULL.as_ptr(), |json| {
        json.mistake.as_ref().map_or(c"".as_ptr(), |mistake| mistake.as_ptr())
    })
}

/// Frees a builder and the texts that it gave. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_free(json: *mut OpencodeJson) {
    // SAFETY: the header demands a live builder or NULL.
    unsafe { free(json) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn got(json: *mut OpencodeJson) -> String {
        // SAFETY: the builder lives.
        unsafe { CStr::from_ptr(opencode_json_get(json)) }.to_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let json = opencode_json_new();
        // SAFETY: the builder lives, and the texts end with NUL.
        unsafe {
            assert_eq!(got(json), "{}");
            opencode_json_text(json, c"a\"b".as_ptr(), c"\"\\\n\x01 \xc3\xa4".as_ptr());
            opencode_json_text(json, c"none".as_ptr(), std::ptr::null());
            opencode_json_number(json, c"n".as_ptr(), 0.5);
            opencode_json_list(json, c"list".as_ptr());
            opencode_json_int64(json, std::ptr::null(), i64::MIN);
            opencode_json_object(json, std::ptr::null());
            opencode_json_bool(json, c"t".as_ptr(), 7);
            let open = got(json);
            opencode_json_end(json);
            opencode_json_raw(json, std::ptr::null(), c" [null] ".as_ptr());
            opencode_json_end(json);
            assert_eq!(opencode_json_bool(json, c"f".as_ptr(), 0), OpencodeStatus::Ok);
            let value: serde_json::Value = serde_json::from_str(&got(json)).unwrap();
            let wanted = serde_json::json!({
                "a\"b": "\"\\\n\u{1} ä", "n": 0.5, "list": [i64::MIN, {"t": true}, [null]], "f": false,
            });
            assert_eq!(value, wanted);
            assert!(open.ends_with("{\"t\":true}]}"), "{open}");
            opencode_json_free(json);
        }
    }

    #[test]
    fn a_text_that_was_given_stays_until_something_is_added() {
        let json = opencode_json_new();
        // SAFETY: the builder lives, and the texts end with NUL.
        unsafe {
            opencode_json_text(json, c"a".as_ptr(), c"b".as_ptr());
            let first = opencode_json_get(json);
            assert_eq!(opencode_json_get(json), first);
            opencode_json_text(json, c"none".as_ptr(), std::ptr::null());
            assert_eq!(opencode_json_get(json), first, "that added nothing");
            assert_eq!(got(json), r#"{"a":"b"}"#);
            // What was given may be added.
            opencode_json_raw(json, c"c".as_ptr(), opencode_json_get(json));
            assert_eq!(got(json), r#"{"a":"b","c":{"a":"b"}}"#);
            opencode_json_free(json);
        }
    }

    #[test]
    fn a_builder_that_is_none_is_told_as_a_mistake() {
        let none = std::ptr::null_mut();
        assert!(mistake_in(&got(none)).is_some());
        // SAFETY: NULL is fine.
        let message = unsafe { CStr::from_ptr(opencode_json_message(none)) };
        assert_eq!(message.to_str().unwrap(), got(none));
    }

    #[test]
    fn the_first_mistake_stays_and_is_no_json() {
        type Make = fn(*mut OpencodeJson) -> OpencodeStatus;
        // SAFETY: the builder lives, and the texts end with NUL.
        let mistakes: [(&str, Make); 10] = unsafe {
            [
                ("opencode_json_bool: a field of an object needs a name", |json| {
                    opencode_json_bool(json, std::ptr::null(), 1)
                }),
                (
                    "opencode_json_object: a field of an object needs a name; give it one in the object 'o'",
                    |json| {
                        opencode_json_object(json, c"o".as_ptr());
                        opencode_json_object(json, std::ptr::null())
                    },
                ),
                (
                    "opencode_json_bool 'x': nothing in a list has a name; pass NULL for it, or end the list 'l'",
                    |json| {
                        opencode_json_list(json, c"l".as_ptr());
                        opencode_json_bool(json, c"x".as_ptr(), 1)
                    },
                ),
                ("opencode_json_end: there is nothing to end", |json| {
                    opencode_json_end(json);
                    opencode_json_end(json)
                }),
                ("opencode_json_int64 'x': the object was ended", |json| {
                    opencode_json_end(json);
                    opencode_json_int64(json, c"x".as_ptr(), 1)
                }),
                ("opencode_json_number 'x': JSON has no number NaN", |json| {
                    opencode_json_number(json, c"x".as_ptr(), f64::NAN)
                }),
                ("opencode_json_raw 'x': the value is no JSON", |json| {
                    opencode_json_raw(json, c"x".as_ptr(), c"{".as_ptr())
                }),
                ("opencode_json_text 'x': the text is not UTF-8", |json| {
                    opencode_json_text(json, c"x".as_ptr(), c"\xff".as_ptr())
                }),
                ("opencode_json_list: the name is not UTF-8", |json| {
                    opencode_json_list(json, c"\xff".as_ptr())
                }),
                (
                    "opencode_json_raw 'x': the value comes from a builder with a mistake: opencode_json_raw 'y': the value is no",
                    |json| {
                        let inner = opencode_json_new();
                        opencode_json_raw(inner, c"y".as_ptr(), c"{".as_ptr());
                        let status =
                            opencode_json_raw(json, c"x".as_ptr(), opencode_json_get(inner));
                        opencode_json_free(inner);
                        status
                    },
                ),
            ]
        };
        for (words, make) in mistakes {
            let json = opencode_json_new();
            assert_eq!(make(json), OpencodeStatus::InvalidArgument, "{words}");
            // SAFETY: as above.
            unsafe {
                let after = opencode_json_bool(json, c"y".as_ptr(), 1);
                assert_eq!(after, OpencodeStatus::InvalidArgument, "{words}");
                let message =
                    CStr::from_ptr(opencode_json_message(json)).to_str().unwrap().to_owned();
                assert!(message.starts_with(words) && message == got(json), "{message}");
                let given = opencode_json_get(json);
                let error = crate::text::optional_json(given, "options_json").unwrap_err();
                let wanted = format!("options_json comes from a builder with a mistake: {message}");
                assert_eq!(error.message(), wanted);
                opencode_json_free(json);
            }
        }
    }
}
