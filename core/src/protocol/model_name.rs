//! [`Model`]: a model by provider and name, as prompts and operations name it.

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::json::{Json, Object};
use crate::base::suggest::did_you_mean;
use serde_json::{Value, json};

/// A model, by provider and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Such as `anthropic`.
    pub provider_id: String,
    /// Such as `claude-sonnet-4`.
    pub model_id: String,
}

impl Model {
    /// Reads `"provider/model"`, `{providerID, modelID}` or `{providerID, id}`.
    ///
    /// # Errors
    /// `invalid_argument` for anything else.
    pub fn from_value(value: &Value) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "model {value}: write \"provider/model\" or {{providerID, modelID}}"
            ))
        };
        let (provider, model) = match value {
            Value::String(text) => text.split_once('/').ok_or_else(wrong)?,
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                let model = text("modelID").or_else(|| text("id"));
                text("providerID").zip(model).ok_or_else(wrong)?
            }
            _ => return Err(wrong()),
        };
        if provider.is_empty() || model.is_empty() {
            return Err(wrong());
        }
        Ok(Model { provider_id: provider.to_owned(), model_id: model.to_owned() })
    }

    pub(crate) fn to_value(&self) -> Value {
        json!({ "providerID": self.provider_id, "modelID": self.model_id })
    }
}

/// Refuses a model that is not listed. A list that cannot be read as a whole says nothing.
pub(crate) fn check_model(what: &str, model: &Model, config: &Json) -> Result<()> {
    let config = Object::read(config.raw()).unwrap_or_default();
    let read = |provider| Object::read(provider).and_then(|p| Some((p.text("id")?, p)));
    let providers: Option<Vec<_>> = config.list("providers").into_iter().map(read).collect();
    let Some(providers) = providers.filter(|providers| !providers.is_empty()) else {
        return Ok(());
    };
    let Some((_, provider)) = providers.iter().find(|(id, _)| *id == model.provider_id) else {
        let ids: Vec<&str> = providers.iter().map(|(id, _)| id.as_str()).collect();
        let text = format!(
            "{what}: model '{provider}/{}': provider '{provider}' is not known; there are: {known}",
            model.model_id,
            known = ids.join(", "),
            provider = model.provider_id,
        );
        return Err(Error::new(ErrorKind::Agent, text));
    };
    let Some(models) = provider.object("models") else { return Ok(()) };
    let names: Vec<&str> = models.fields().map(|(name, _)| name).collect();
    if names.contains(&model.model_id.as_str()) {
        return Ok(());
    }
    let near = did_you_mean(&model.model_id, names);
    let text = format!(
        "{what}: model '{provider}/{name}': provider '{provider}' has no model '{name}'{near}",
        provider = model.provider_id,
        name = model.model_id,
    );
    Err(Error::new(ErrorKind::Agent, text))
}
