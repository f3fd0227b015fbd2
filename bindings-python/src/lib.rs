//! The native half of the Python package. It converts, checks and forwards; `python/libopencode` gives it the
//! shape that a Python programmer expects.

mod call;
mod client;
mod convert;
mod decode;
mod discover;
mod drift;
mod encode;
mod error;
mod events;
mod pages;
mod pty;
mod run;
mod server;
mod signature;
mod tools;
mod wait;

use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The native half of the package; use `libopencode` instead.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::call::Call;
    #[pymodule_export]
    use super::client::{Client, take_losses, wait_at_exit};
    #[pymodule_export]
    use super::discover::{discover, start_discover};
    #[pymodule_export]
    use super::drift::drift;
    #[pymodule_export]
    use super::encode::stands_for;
    #[pymodule_export]
    use super::events::EventStream;
    #[pymodule_export]
    use super::pages::Pages;
    #[pymodule_export]
    use super::pty::{Pty, PtyOpening};
    #[pymodule_export]
    use super::run::Run;
    #[pymodule_export]
    use super::server::Server;
    #[pymodule_export]
    use super::signature::signature;
    #[pymodule_export]
    use super::tools::{Replay, TuiControl, attach, attach_bytes};

    use super::{Bound, PyModule, PyResult, operations, refuse_other_interpreters};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        refuse_other_interpreters(module.py())?;
        opencode_core::speak_python();
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("OPERATIONS", operations(module.py())?)
    }
}

/// What is kept for good, such as the classes of the errors, belongs to the interpreter that made it. Another one would
/// mix its objects with those of the first, and leave that with dead ones when it ends.
fn refuse_other_interpreters(py: Python<'_>) -> PyResult<()> {
    static OWNER: AtomicUsize = AtomicUsize::new(0);
    // Every interpreter has one of its own.
    let mine = py.import("builtins")?.as_ptr() as usize;
    match OWNER.compare_exchange(0, mine, Ordering::AcqRel, Ordering::Acquire) {
        Err(owner) if owner != mine => Err(PyImportError::new_err(
            "libopencode is loaded by another interpreter of this process; use it there, or in a process of its own",
        )),
        _ => Ok(()),
    }
}

/// What the package needs to build the namespaces: attribute path to name and positional arguments.
fn operations(py: Python<'_>) -> PyResult<Bound<'_, pyo3::types::PyDict>> {
    use opencode_core::operation;
    let all = pyo3::types::PyDict::new(py);
    for operation in operation::all() {
        let path: Vec<&str> = operation.name.split('.').map(operation::attribute).collect();
        let positional: Vec<&str> = operation.positional().map(|argument| argument.name).collect();
        let positional = pyo3::types::PyTuple::new(py, positional)?;
        all.set_item(path.join("."), (operation.name, positional, operation.doc))?;
    }
    Ok(all)
}
