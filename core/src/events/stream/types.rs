//! [`Types`]: of which types the events of a stream are.

/// All types, or those that were asked for: whole names, and beginnings with a `*` behind them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Types(Option<Vec<String>>);

impl Types {
    /// All, when nothing was asked for.
    pub(crate) fn new(types: Option<Vec<String>>) -> Self {
        Types(types)
    }

    /// Whether no type is left out.
    pub(crate) fn is_all(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn has(&self, kind: &str) -> bool {
        self.0.as_ref().is_none_or(|types| {
            types.iter().any(|known| match known.strip_suffix('*') {
                Some(beginning) => kind.starts_with(beginning),
                None => kind == known,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_beginnings_are_told_apart() {
        let types = ["session.idle", "message.part.*"].map(str::to_owned).to_vec();
        let types = Types::new(Some(types));
        for kind in ["session.idle", "message.part.delta", "message.part."] {
            assert!(types.has(kind), "{kind}");
        }
        for kind in ["session.idl", "session.idle.x", "message.part", "message.updated", ""] {
            assert!(!types.has(kind), "{kind}");
        }
        assert!(Types::default().has("x") && Types::default().is_all());
        assert!(!Types::new(Some(Vec::new())).has("x"));
        assert!(Types::new(Some(vec!["*".to_owned()])).has("x"));
    }
}
