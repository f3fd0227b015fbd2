//! Permissions and forms of 2.x as the permissions and questions of 1.x.

use crate::base::json::{Object, tree};
use crate::run::wire::{Inquiry, v1};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

/// Reads a permission.
///
/// # Errors
/// Why it cannot be read, and so cannot be answered.
pub(super) fn read_permission(raw: &RawValue) -> Result<Inquiry, String> {
    let asked = tree(raw);
    // The rules of hosts know the tool by its first name.
    let permission = match &asked["action"] {
        Value::String(action) if action == "shell" => json!("bash"),
        action => action.clone(),
    };
    let mut made = json!({
        "id": asked["id"], "sessionID": asked["sessionID"],
        "permission": permission, "patterns": asked["resources"],
        "always": asked["save"], "metadata": {},
    });
    if asked["metadata"].is_object() {
        made["metadata"] = asked["metadata"].clone();
    }
    let source = &asked["source"];
    if source["type"] == "tool" {
        made["tool"] = json!({ "messageID": source["messageID"], "callID": source["id"] });
    }
    read(&made, false)
}

/// Reads a form: each of its fields is a question.
///
/// # Errors
/// Why it cannot be read, and so cannot be answered.
pub(super) fn read_form(raw: &RawValue) -> Result<Inquiry, String> {
    let form = tree(raw);
    let question = |field: &Value| {
        json!({
            "key": field["key"], "header": field["title"], "question": field["description"],
            "options": field["options"], "multiple": field["type"] == "multiselect",
            "custom": field["custom"],
        })
    };
    let fields = form["fields"].as_array().map_or(&[][..], Vec::as_slice);
    let questions: Vec<Value> = fields.iter().map(question).collect();
    let mut made =
        json!({ "id": form["id"], "sessionID": form["sessionID"], "questions": questions });
    let tool = &form["metadata"]["tool"];
    if tool.is_object() {
        made["tool"] = json!({ "messageID": tool["messageID"], "callID": tool["id"] });
    }
    read(&made, true)
}

/// The answers to a form's questions, by the names of its fields. A question without one is left out.
pub(super) fn answer(question: &Inquiry, answers: &[Vec<String>]) -> Value {
    let questions = Object::read(&question.raw).map(|form| form.list("questions"));
    let mut given = serde_json::Map::new();
    for (question, answers) in questions.unwrap_or_default().into_iter().zip(answers) {
        let Some(question) = Object::read(question) else { continue };
        let (Some(key), Some(first)) = (question.text("key"), answers.first()) else { continue };
        let is_list = question.flag("multiple").unwrap_or(false);
        given.insert(key, if is_list { json!(answers) } else { json!(first) });
    }
    Value::Object(given)
}

fn read(made: &Value, is_question: bool) -> Result<Inquiry, String> {
    let raw = to_raw_value(made).map_err(|e| e.to_string())?;
    v1::read_inquiry(&raw, is_question)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(value: Value) -> Box<RawValue> {
        to_raw_value(&value).unwrap()
    }

    #[test]
    fn a_permission_has_the_words_that_rules_know() {
        let asked = json!({
            "id": "per_1", "sessionID": "ses_1", "action": "shell", "resources": ["echo hi"],
            "save": ["echo *"], "source": {"type": "tool", "messageID": "msg_1", "id": "call_1"},
        });
        let inquiry = read_permission(&raw(asked)).unwrap();
        assert_eq!((inquiry.permission.as_str(), inquiry.is_question), ("bash", false));
        assert_eq!(inquiry.patterns, ["echo hi"]);
        assert_eq!(inquiry.message_id.as_deref(), Some("msg_1"));
        assert_eq!(inquiry.call.as_deref(), Some("call_1"));
        assert!(read_permission(&raw(json!({"id": "per_1"}))).is_err());
    }

    #[test]
    fn a_form_is_answered_field_by_field() {
        let form = json!({
            "id": "frm_1", "sessionID": "ses_1",
            "metadata": {"kind": "question", "tool": {"messageID": "msg_1", "id": "call_1"}},
            "fields": [
                {"key": "q0", "type": "string", "options": [{"value": "A", "label": "A"}]},
                {"key": "q1", "type": "multiselect", "options": [{"label": "x"}, {"label": "y"}]},
                {"key": "q2", "type": "string"},
            ],
        });
        let inquiry = read_form(&raw(form)).unwrap();
        assert_eq!(inquiry.options, [vec!["A"], vec!["x", "y"], vec![]]);
        let words = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let answers = [words(&["A"]), words(&["x", "y"]), words(&[])];
        assert_eq!(answer(&inquiry, &answers), json!({"q0": "A", "q1": ["x", "y"]}));
    }
}
