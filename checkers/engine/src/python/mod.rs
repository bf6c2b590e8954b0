//! The face that Python sees, `checkers._engine`; nothing outside this folder knows `PyO3`.

mod columns;
mod objects;
mod oracle;
mod search;
mod stream;
mod table;

use pyo3::prelude::*;

pyo3::create_exception!(
    checkers._engine,
    Unreadable,
    pyo3::exceptions::PyValueError,
    "A history that the engine does not take; whoever reads it in Python finds the words."
);

impl From<crate::builder::Unreadable> for PyErr {
    fn from(_: crate::builder::Unreadable) -> Self {
        Unreadable::new_err("not plainly a history")
    }
}

#[pymodule]
mod _engine {
    #[pymodule_export]
    use super::Unreadable;
    #[pymodule_export]
    use super::search::{Outcome, search};
    #[pymodule_export]
    use super::stream::Stream;
    #[pymodule_export]
    use super::table::Table;
}
