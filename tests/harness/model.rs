//! The scripted model inside the test process.

pub use opencode_fake_provider::Model;
use serde_json::Value;

/// A prompt that says `words` and carries the script `steps` for the model.
pub fn prompt(words: &str, steps: Value) -> String {
    format!("{words} @@{steps}")
}
