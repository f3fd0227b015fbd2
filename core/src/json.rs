//! Small things about JSON values.

use serde_json::Value;

/// Sets a field of an object. What is no object has no fields, and stays as it is: writing by index would panic.
pub(crate) fn put(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Value::Object(fields) = object {
        fields.insert(name.to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_objects_have_fields() {
        for (mut value, wanted) in [
            (json!({ "a": 1 }), json!({ "a": 2 })),
            (json!("a"), json!("a")),
            (json!([1]), json!([1])),
        ] {
            put(&mut value, "a", 2);
            assert_eq!(value, wanted);
        }
    }
}
