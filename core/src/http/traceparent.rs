//! The header `traceparent` of W3C Trace Context: which span of a host's own tracing a request belongs to.

use crate::base::error::{Error, Result};
use crate::base::fields::Fields;

/// Its name on the wire.
pub(crate) const NAME: &str = "traceparent";

/// The form of today; a later version of it may be longer.
const FORM: &str = "00-<32 hex digits>-<16 hex digits>-<2 hex digits>, in lower case";

/// Reads the span among the options of a noun, checked.
pub(crate) fn take(fields: &mut Fields) -> Result<Option<String>> {
    let text = fields.text(NAME)?;
    if let Some(text) = &text {
        check(fields.what(), text)?;
    }
    Ok(text)
}

/// Checks that a text has the form that everybody who reads the header demands: one of another form would be thrown away
/// somewhere on the way, without a word.
pub(crate) fn check(what: &str, text: &str) -> Result<()> {
    let wrong = |why: &str| {
        Err(Error::invalid(format!("{what}: traceparent '{text}' {why}; it must be {FORM}")))
    };
    let mut fields = text.split('-');
    let [Some(version), Some(trace), Some(parent), Some(flags)] =
        std::array::from_fn(|_| fields.next())
    else {
        return wrong("has not four parts");
    };
    for (name, field, length) in [
        ("version", version, 2),
        ("trace id", trace, 32),
        ("parent id", parent, 16),
        ("flags", flags, 2),
    ] {
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if field.len() != length || !field.bytes().all(is_hex) {
            return wrong(&format!("has no {name} of {length} hex digits"));
        }
    }
    if version == "ff" {
        return wrong("has the version ff, which there is not");
    }
    if version == "00" && fields.next().is_some() {
        return wrong("has more than four parts");
    }
    for (name, field) in [("trace id", trace), ("parent id", parent)] {
        if field.bytes().all(|b| b == b'0') {
            return wrong(&format!("has a {name} of zeros, which stands for none"));
        }
    }
    // What a later version adds has no form that is known, but it is still one header.
    if fields.any(|more| !more.bytes().all(|b| b.is_ascii_graphic())) {
        return wrong("has a character that HTTP does not allow");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_the_standard_is_taken_and_others_are_refused_with_words() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
        for text in [format!("00-{trace}-01"), format!("01-{trace}-00-later")] {
            assert!(check("run", &text).is_ok(), "{text}");
        }
        let zeros = "0".repeat(32);
        for (text, why) in [
            (String::new(), "four parts"),
            ("abc".to_owned(), "four parts"),
            (format!("00-{trace}-1"), "no flags of 2 hex digits"),
            (format!("00-{}-01", trace.to_uppercase()), "no trace id of 32 hex digits"),
            (format!("ff-{trace}-01"), "version ff"),
            (format!("00-{trace}-01-more"), "more than four parts"),
            (format!("00-{zeros}-00f067aa0ba902b7-01"), "trace id of zeros"),
            (
                format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", &zeros[..16]),
                "parent id of zeros",
            ),
            (format!("01-{trace}-00-a\r\nb"), "HTTP does not allow"),
        ] {
            let error = check("run", &text).unwrap_err();
            assert!(error.message().starts_with("run: traceparent '"), "{error}");
            assert!(error.message().contains(why), "{text}: {error}");
        }
    }
}
