//! JSON texts, written without quoting anything by hand.

use crate::guard::{free, shield};
use crate::status::OpencodeStatus;
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
}

struct Open {
    is_object: bool,
    is_empty: bool,
}

impl OpencodeJson {
    fn new() -> Self {
        let mut json = OpencodeJson {
            text: String::new(),
            open: Vec::new(),
            mistake: None,
            given: CString::default(),
        };
        json.begin(true);
        json
    }

    fn begin(&mut self, is_object: bool) {
        self.text.push(if is_object { '{' } else { '[' });
        self.open.push(Open { is_object, is_empty: true });
    }

    /// Writes what stands before a value: a comma, and the name of a field.
    fn place(&mut self, name: Option<&str>) -> Result<(), String> {
        let Some(inside) = self.open.last_mut() else {
            return Err("the object is at its end: nothing can be added".to_owned());
        };
        match (inside.is_object, name) {
            (true, None) => return Err("a field of an object needs a name".to_owned()),
            (false, Some(name)) => {
                return Err(format!(
                    "'{name}' stands in a list, where nothing has a name; pass NULL"
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
            None => return Err("there is nothing to end".to_owned()),
        }
        Ok(())
    }

    fn whole(&self) -> String {
        let ends = self.open.iter().rev().map(|open| if open.is_object { '}' } else { ']' });
        self.text.chars().chain(ends).collect()
    }
}

/// Adds something, unless a mistake was made before.
///
/// # Safety
/// `json` is NULL or a live builder, `name` is NULL or ends with NUL.
unsafe fn add(
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
        let done = match name.map(CStr::to_str).transpose() {
            Ok(name) => work(json, name),
            Err(e) => Err(format!("the name of a field is not UTF-8: {e}")),
        };
        match done {
            Ok(()) => OpencodeStatus::Ok,
            Err(text) => {
                json.mistake = Some(CString::new(text.replace('\0', " ")).unwrap_or_default());
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
        add(json, name, |json, name| {
            if value.is_null() {
                return Ok(());
            }
            let value = CStr::from_ptr(value).to_str();
            let value =
                value.map_err(|e| format!("{} is not UTF-8: {e}", name.unwrap_or("a text")))?;
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
        add(json, name, |json, name| {
            let number = serde_json::Number::from_f64(value);
            let number = number.ok_or_else(|| {
                format!("{} is {value}, which JSON has not", name.unwrap_or("a number"))
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
        add(json, name, |json, name| {
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
        add(json, name, |json, name| {
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
        add(json, name, |json, name| {
            if value.is_null() {
                return Ok(());
            }
            let value = CStr::from_ptr(value).to_bytes();
            let value: &serde_json::value::RawValue = serde_json::from_slice(value)
                .map_err(|e| format!("{} is no JSON: {e}", name.unwrap_or("a value")))?;
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
    unsafe { add(json, name, |json, name| json.place(name).map(|()| json.begin(true))) }
}

/// Begins a list inside: what is added goes into it, without names, until opencode_json_end().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_list(
    json: *mut OpencodeJson,
    name: *const c_char,
) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { add(json, name, |json, name| json.place(name).map(|()| json.begin(false))) }
}

/// Ends the innermost object or list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_end(json: *mut OpencodeJson) -> OpencodeStatus {
    // SAFETY: the header's first page states what pointers must be.
    unsafe { add(json, std::ptr::null(), |json, _| json.end()) }
}

/// The JSON text. What is still open is ended in it, and goes on being open.
///
/// @return Never NULL. After a mistake it is the message, which is no JSON: whoever takes it fails with
///         INVALID_ARGUMENT, and nothing is sent. Stays until something is added or the builder is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_get(json: *mut OpencodeJson) -> *const c_char {
    // SAFETY: the header demands a live builder or NULL, used by no other thread.
    let Some(json) = (unsafe { json.as_mut() }) else {
        return c"the JSON is NULL".as_ptr();
    };
    shield(c"".as_ptr(), || match &json.mistake {
        Some(mistake) => mistake.as_ptr(),
        None => {
            json.given = CString::new(json.whole()).unwrap_or_default();
            json.given.as_ptr()
        }
    })
}

/// What was wrong, in one line.
///
/// @return Never NULL; "" while nothing was. Belongs to the builder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opencode_json_message(json: *const OpencodeJson) -> *const c_char {
    // SAFETY: the header demands a live builder or NULL.
    let json = unsafe { json.as_ref() };
    json.map_or(c"the JSON is NULL".as_ptr(), |json| {
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
    fn the_first_mistake_stays_and_is_no_json() {
        type Make = fn(*mut OpencodeJson) -> OpencodeStatus;
        // SAFETY: the builder lives, and the texts end with NUL.
        let mistakes: [(&str, Make); 7] = unsafe {
            [
                ("needs a name", |json| opencode_json_bool(json, std::ptr::null(), 1)),
                ("'x' stands in a list", |json| {
                    opencode_json_list(json, c"l".as_ptr());
                    opencode_json_bool(json, c"x".as_ptr(), 1)
                }),
                ("nothing to end", |json| {
                    opencode_json_end(json);
                    opencode_json_end(json)
                }),
                ("at its end", |json| {
                    opencode_json_end(json);
                    opencode_json_int64(json, c"x".as_ptr(), 1)
                }),
                ("x is NaN", |json| opencode_json_number(json, c"x".as_ptr(), f64::NAN)),
                ("x is no JSON", |json| opencode_json_raw(json, c"x".as_ptr(), c"{".as_ptr())),
                ("x is not UTF-8", |json| {
                    opencode_json_text(json, c"x".as_ptr(), c"\xff".as_ptr())
                }),
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
                assert!(message.contains(words) && message == got(json), "{message}");
                assert!(serde_json::from_str::<serde_json::Value>(&message).is_err());
                opencode_json_free(json);
            }
        }
    }
}
