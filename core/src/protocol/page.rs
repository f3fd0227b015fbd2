//! [`ListPage`]: what one answer holds of a long list, and where the list goes on.

use crate::base::error::Result;
use crate::base::json::{Object, list};
use crate::http::answer::Answer;
use serde_json::value::RawValue;

/// Items of a list in the order in which the server gave them. A server of 1.x sends them bare and says in a header
/// where the list goes on; one of 2.x puts both into an object.
#[derive(Debug)]
pub(crate) struct ListPage<'a> {
    pub(crate) items: Vec<&'a RawValue>,
    next: Option<String>,
}

impl<'a> ListPage<'a> {
    /// # Errors
    /// `decode` when the answer is no list.
    pub(crate) fn read(answer: &'a Answer) -> Result<Self> {
        let body: &RawValue = answer.json_ref()?;
        let (items, next) = match Object::read(body) {
            None => (list(body), answer.header("x-next-cursor").map(str::to_owned)),
            Some(object) => {
                let cursor = object.object("cursor").and_then(|cursor| cursor.text("next"));
                (object.get("data").and_then(list), cursor)
            }
        };
        let none = || answer.decode_error("has no list", &"it is something else");
        Ok(ListPage { items: items.ok_or_else(none)?, next })
    }

    /// The cursor of the page behind the one that was read with `current`; `None` at the end. A cursor that stays where
    /// it is would go on for ever, and counts as the end.
    pub(crate) fn next_after(&mut self, current: Option<&str>) -> Option<String> {
        self.next.take().filter(|next| current != Some(next.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ureq::http::{HeaderMap, HeaderValue};

    fn answer(body: &str, cursor: Option<&'static str>) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        if let Some(cursor) = cursor {
            headers.insert("x-next-cursor", HeaderValue::from_static(cursor));
        }
        Answer::new("session.messages", 200, headers, body.as_bytes().to_vec())
    }

    #[test]
    fn a_list_of_either_generation_says_where_it_goes_on() {
        for (body, header, items, next) in [
            ("[1,2]", Some("a"), 2, Some("a")),
            ("[1]", None, 1, None),
            (r#"{"data":[1,2,3],"cursor":{"next":"b","previous":"a"}}"#, None, 3, Some("b")),
            (r#"{"data":[],"cursor":{"next":null}}"#, Some("not mine"), 0, None),
            (r#"{"data":[7],"cursor":null}"#, None, 1, None),
        ] {
            let answer = answer(body, header);
            let mut page = ListPage::read(&answer).unwrap();
            assert_eq!((page.items.len(), page.next.as_deref()), (items, next), "{body}");
            assert_eq!(page.next_after(Some("elsewhere")).as_deref(), next);
        }
    }

    #[test]
    fn a_cursor_that_stays_is_the_end_and_no_list_is_an_error() {
        let stays = answer("[1]", Some("a"));
        assert_eq!(ListPage::read(&stays).unwrap().next_after(Some("a")), None);
        for body in ["7", "{}", r#"{"data":{}}"#, "[", ""] {
            assert!(ListPage::read(&answer(body, None)).is_err(), "{body}");
        }
    }
}
