//! How requests are told apart: by method and path, whatever the ids.

/// The path of a target.
pub(super) fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

/// Method and path, with `*` for everything that is an id.
pub(super) fn template(method: &str, path: &str) -> String {
    let segments = path.split('/').map(|segment| if is_id(segment) { "*" } else { segment });
    format!("{method} {}", segments.collect::<Vec<_>>().join("/"))
}

/// Whether it looks like one that a server or a client makes.
pub(super) fn is_id(text: &str) -> bool {
    ["ses_", "msg_", "prt_", "per_", "que_", "frm_", "pty_", "wrk_"]
        .iter()
        .any(|begin| text.starts_with(begin))
}
