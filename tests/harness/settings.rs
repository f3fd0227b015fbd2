//! The hermetic world of one server: environment, configuration, files.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Result;

/// Everything of the server that would reach out of its world.
const DISABLED: [&str; 14] = [
    "OPENCODE_CONFIG_PROJECT_DISABLE",
    "OPENCODE_DISABLE_AUTOUPDATE",
    "OPENCODE_DISABLE_CLAUDE_CODE",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS",
    "OPENCODE_DISABLE_EMBEDDED_WEB_UI",
    "OPENCODE_DISABLE_EXTERNAL_SKILLS",
    // The native matcher kills the server when a query is too long.
    "OPENCODE_DISABLE_FFF",
    "OPENCODE_DISABLE_LSP_DOWNLOAD",
    "OPENCODE_DISABLE_MODELS_FETCH",
    "OPENCODE_DISABLE_PROJECT_CONFIG",
    "OPENCODE_DISABLE_SHARE",
    "OPENCODE_DISABLE_TERMINAL_TITLE",
    "OPENCODE_PURE",
    "GIT_CONFIG_NOSYSTEM",
];

/// Creates home, cache and so on below `root` and gives the environment that leads there.
///
/// # Errors
/// When a directory or file cannot be created.
pub(crate) fn environment(root: &Path) -> Result<Vec<(String, String)>> {
    let place = |name: &str| -> Result<String> {
        let path: PathBuf = root.join(name);
        fs::create_dir_all(&path)?;
        Ok(path.display().to_string())
    };
    let models = root.join("models.json");
    fs::write(&models, "{}")?;
    let mut variables = vec![
        ("PATH".into(), std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into())),
        ("LANG".into(), "C.UTF-8".into()),
        ("HOME".into(), place("home")?),
        ("TMPDIR".into(), place("tmp")?),
        ("XDG_CACHE_HOME".into(), place("home/.cache")?),
        ("XDG_CONFIG_HOME".into(), place("home/.config")?),
        ("XDG_DATA_HOME".into(), place("home/.local/share")?),
        ("XDG_STATE_HOME".into(), place("home/.local/state")?),
        ("OPENCODE_MODELS_PATH".into(), models.display().to_string()),
        // The server installs a plugin package in the background, and nothing switches that
        // off: let it fail at once instead of downloading 32 MB.
        ("NPM_CONFIG_REGISTRY".into(), "http://127.0.0.1:9/".into()),
        ("NPM_CONFIG_FETCH_RETRIES".into(), "0".into()),
    ];
    variables.extend(DISABLED.iter().map(|name| (name.to_string(), "1".into())));
    Ok(variables)
}

/// The configuration: one provider, three models, all on the scripted model at `url`.
///
/// `local/test` is the default and has a price, `local/tiny` has a context so small that a step
/// with a usage of 5,000 tokens is compacted, `local/other` is there to be told apart.
pub(crate) fn config(url: &str) -> Value {
    let price = json!({"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75});
    json!({
        "model": "local/test",
        "small_model": "local/test",
        "share": "disabled",
        "autoupdate": false,
        "provider": {"local": {
            "npm": "@ai-sdk/openai-compatible",
            "name": "Local",
            "options": {"baseURL": url, "apiKey": "scripted"},
            "models": {
                "test": {"name": "Test", "cost": price, "limit": {"context": 200_000, "output": 32_000}},
                "tiny": {"name": "Tiny", "limit": {"context": 4_000, "output": 1_000}},
                "other": {"name": "Other", "limit": {"context": 200_000, "output": 32_000}},
            },
        }},
    })
}

/// Merges `extra` into `base`: objects field by field, anything else replaced.
pub(crate) fn merge(base: &mut Value, extra: Value) {
    match (base, extra) {
        (Value::Object(base), Value::Object(extra)) => {
            for (name, value) in extra {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, extra) => *base = extra,
    }
}

/// So many random bytes, in hexadecimal.
///
/// # Errors
/// When the system has no random source.
pub(crate) fn random(bytes: usize) -> Result<String> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_what_is_not_named() {
        let mut base = json!({"a": {"b": 1, "c": [1, 2]}, "d": "x"});
        merge(&mut base, json!({"a": {"c": [3], "e": {"f": 1}}, "g": null}));
        assert_eq!(base, json!({"a": {"b": 1, "c": [3], "e": {"f": 1}}, "d": "x", "g": null}));
    }
}
