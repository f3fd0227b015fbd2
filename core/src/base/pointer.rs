//! JSON pointers (RFC 6901), for all who look values up by one.

use std::borrow::Cow;

/// The steps of a pointer, without their escapes; `None` for what is no pointer.
pub fn steps(pointer: &str) -> Option<impl Iterator<Item = Cow<'_, str>>> {
    let mut steps = pointer.split('/');
    // What stands before the first slash of a pointer is nothing.
    steps.next().filter(|head| head.is_empty())?;
    Some(steps.map(|step| match step.contains('~') {
        true => Cow::Owned(step.replace("~1", "/").replace("~0", "~")),
        false => Cow::Borrowed(step),
    }))
}

/// The index that a step is in a list: digits without a zero before them.
pub fn index(step: &str) -> Option<usize> {
    let is_plain = step == "0" || !step.starts_with(['0', '+']);
    step.parse().ok().filter(|_| is_plain)
}
