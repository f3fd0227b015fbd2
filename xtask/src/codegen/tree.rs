//! The namespaces that the names of the operations make.

use std::collections::BTreeMap;

use super::model::Operation;
use crate::spec::name;

/// One namespace; the root has an empty path.
#[derive(Default)]
pub(super) struct Space<'a> {
    pub(super) path: Vec<String>,
    pub(super) spaces: BTreeMap<String, Space<'a>>,
    /// By last segment.
    pub(super) operations: BTreeMap<String, &'a Operation>,
}

impl<'a> Space<'a> {
    pub(super) fn root(operations: &'a [Operation]) -> Self {
        let mut root = Self::default();
        for operation in operations {
            let mut segments: Vec<&str> = operation.name.split('.').collect();
            let last = segments.pop().unwrap_or_default();
            let mut space = &mut root;
            for segment in segments {
                let path: Vec<String> =
                    space.path.iter().cloned().chain([segment.to_owned()]).collect();
                space = space.spaces.entry(segment.to_owned()).or_default();
                space.path = path;
            }
            space.operations.insert(last.to_owned(), operation);
        }
        root
    }

    /// This namespace and all below it, the deepest first.
    pub(super) fn all(&self) -> Vec<&Space<'a>> {
        let below = self.spaces.values().flat_map(Space::all);
        below.chain([self]).collect()
    }

    /// `V2SessionOperations`.
    pub(super) fn class(&self) -> String {
        format!("{}Operations", name::pascal(&self.path.join(".")))
    }
}
