//! Where a list is wanted: Lua has one empty table, and JSON has two.

/// What is known of the values at a place.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Nothing: an empty table is an object.
    Any,
    /// A list, and what its items are: an empty table is a list.
    List(&'static Shape),
    /// An object, and what its fields are; those that are not named are like the last value.
    Object(&'static [(&'static str, &'static Shape)], &'static Shape),
}

impl Shape {
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Shape::List(_))
    }

    pub(crate) fn field(&self, name: &str) -> &'static Shape {
        match self {
            Shape::Object(fields, others) => {
                fields.iter().find(|(known, _)| *known == name).map_or(others, |(_, shape)| shape)
            }
            _ => &Shape::Any,
        }
    }

    pub(crate) fn item(&self) -> &'static Shape {
        match self {
            Shape::List(item) => item,
            _ => &Shape::Any,
        }
    }
}
