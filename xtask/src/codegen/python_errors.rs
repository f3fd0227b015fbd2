//! `bindings-python/python/libopencode/_errors.py`.

use std::fmt::Write as _;

use super::NOTICE;
use super::error_kind::{Errors, Group};
use super::rust_kind::capital;

pub(super) fn file(errors: &Errors) -> String {
    let mut text = format!("# {NOTICE}\n{BEGINNING}");
    for group in &errors.groups {
        let is_root = group.bases == ["Exception"];
        class(group, if is_root { ROOT } else { "" }, &mut text);
    }
    for kind in &errors.kinds {
        class(&kind.class, &format!("    kind: str = \"{}\"\n", kind.name), &mut text);
    }
    text.push_str(RESTORE);
    text.push_str("\n\nBY_KIND: dict[str, type[OpencodeError]] = {\n");
    for kind in &errors.kinds {
        let _ = writeln!(text, "    \"{}\": {},", kind.name, kind.class.python);
    }
    text.push_str("}\n\n__all__ = [\n");
    let classes = errors.groups.iter().chain(errors.kinds.iter().map(|kind| &kind.class));
    let mut names: Vec<&str> =
        classes.map(|class| class.python.as_str()).chain(["BY_KIND"]).collect();
    names.sort_unstable();
    for name in names {
        let _ = writeln!(text, "    \"{name}\",");
    }
    text.push_str("]\n");
    text
}

fn class(class: &Group, body: &str, text: &mut String) {
    let _ = write!(text, "\n\nclass {}({}):\n", class.python, class.bases.join(", "));
    let _ = writeln!(text, "    \"\"\"{}.\"\"\"", capital(&class.when));
    if !body.is_empty() {
        let _ = write!(text, "\n{body}");
    }
}

const BEGINNING: &str = "\
\"\"\"The exceptions, one class per kind of error (docs/errors.md).\"\"\"

from __future__ import annotations

# Importing `typing` takes longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from . import _detached
else:
    from ._later import Later, typing

    _detached = Later(\"libopencode._detached\")
";

// `__reduce__` instead of the default: exceptions forget keyword arguments when they are pickled,
// and those that are an OSError rearrange the positional ones.
const ROOT: &str = r#"    kind: str = "internal"
    message: str
    status: int | None
    code: str | None
    operation: str | None
    body: typing.Any
    retryable: bool
    sent: bool
    run: _detached.Detached | None = None
    """The run that goes on on the server, for `Client.resume`; None when none does, or none is known."""

    def __init__(
        self,
        message: str,
        *,
        kind: str | None = None,
        status: int | None = None,
        code: str | None = None,
        operation: str | None = None,
        body: typing.Any = None,
        retryable: bool = False,
        sent: bool = False,
    ) -> None:
        super().__init__(message)
        if kind is not None:
            self.kind = kind
        self.message = message
        self.status = status
        self.code = code
        self.operation = operation
        self.body = body
        self.retryable = retryable
        self.sent = sent

    @property
    def status_code(self) -> int | None:
        """The same as `status`."""
        return self.status

    def __str__(self) -> str:
        return self.message

    def to_dict(self) -> dict[str, typing.Any]:
        """What it says as a plain dict, for logs and for JSON."""
        fields = ("kind", "message", "status", "code", "operation", "body", "retryable", "sent")
        left = self.run and {"sessionID": self.run.sessionID, "messageID": self.run.messageID}
        return {name: getattr(self, name) for name in fields} | {"run": left}

    def __reduce__(self) -> tuple[typing.Any, ...]:
        return _restore, (type(self), self.message, dict(self.__dict__))
"#;

const RESTORE: &str = "

def _restore(cls: type[OpencodeError], message: str, state: dict[str, typing.Any]) -> OpencodeError:
    error = cls(message)
    error.__dict__.update(state)
    return error
";
