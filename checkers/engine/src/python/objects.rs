//! Values of Python as values of a table, and back.
//!
//! Rules
//! 1. Two objects get the same number exactly where `checkers.history.freeze` makes them equal.
//! 2. What is not JSON is kept as it is and compared as Python compares it; a number of a foreign
//!    type that equals an integer or a float is that one.
//! 3. What comes back is a value that `freeze` makes equal to what went in; a float that is whole
//!    comes back as an integer, a tuple as a list.

use pyo3::prelude::*;
use pyo3::types::{
    PyAny, PyBool, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
};

use super::Unreadable;
use crate::builder;
use crate::json::DEPTH_MAX;
use crate::value::{Full, Json, Value, Values, sort_items, sort_members};

impl From<Full> for PyErr {
    fn from(full: Full) -> Self {
        builder::Unreadable::from(full).into()
    }
}

/// Objects of Python that are no JSON, by their number.
pub(super) struct Objects {
    held: Vec<Py<PyAny>>,
    numbers: Py<PyDict>,
}

/// Where values are put, or looked up: `None` where there is no room, or no such value.
trait Store {
    /// The number of a value; members of maps and sets are sorted.
    fn put(&mut self, json: Json<'_>) -> PyResult<Value>;

    /// The number of an object that is no JSON, by the object that it is compared as.
    fn put_opaque(
        &mut self,
        compared: &Bound<'_, PyAny>,
        object: &Bound<'_, PyAny>,
    ) -> PyResult<Value>;
}

struct Interning<'a> {
    objects: &'a mut Objects,
    values: &'a mut Values,
}

impl Store for Interning<'_> {
    fn put(&mut self, json: Json<'_>) -> PyResult<Value> {
        Ok(self.values.intern(json)?)
    }

    fn put_opaque(
        &mut self,
        compared: &Bound<'_, PyAny>,
        object: &Bound<'_, PyAny>,
    ) -> PyResult<Value> {
        let objects = &mut *self.objects;
        let numbers = objects.numbers.bind(object.py());
        if let Some(number) = numbers.get_item(compared)? {
            return Ok(Value::opaque(number.extract()?)?);
        }
        let number = u32::try_from(objects.held.len()).map_err(|_| Full)?;
        let value = Value::opaque(number)?;
        numbers.set_item(compared, number)?;
        objects.held.push(object.clone().unbind());
        Ok(value)
    }
}

/// What is not found is a stranger, and so is every collection of which it is a member.
struct Finding<'a> {
    objects: &'a Objects,
    values: &'a Values,
}

impl Store for Finding<'_> {
    fn put(&mut self, json: Json<'_>) -> PyResult<Value> {
        Ok(self.values.find(json).unwrap_or(Value::STRANGER))
    }

    fn put_opaque(
        &mut self,
        compared: &Bound<'_, PyAny>,
        _object: &Bound<'_, PyAny>,
    ) -> PyResult<Value> {
        match self
            .objects
            .numbers
            .bind(compared.py())
            .get_item(compared)?
        {
            Some(number) => Ok(Value::opaque(number.extract()?)?),
            None => Ok(Value::STRANGER),
        }
    }
}

impl Objects {
    pub(super) fn new(py: Python<'_>) -> Self {
        Objects {
            held: Vec::new(),
            numbers: PyDict::new(py).unbind(),
        }
    }

    /// The number of a value of a history, which `values` holds from now on.
    pub(super) fn intern(
        &mut self,
        values: &mut Values,
        object: &Bound<'_, PyAny>,
    ) -> PyResult<Value> {
        let objects = self;
        number(&mut Interning { objects, values }, object, 0)
    }

    /// The number of a value, `STRANGER` where the history does not hold it.
    pub(super) fn find(&self, values: &Values, object: &Bound<'_, PyAny>) -> PyResult<Value> {
        let objects = self;
        number(&mut Finding { objects, values }, object, 0)
    }

    /// The object that a value stands for.
    pub(super) fn object<'py>(
        &self,
        py: Python<'py>,
        values: &Values,
        value: Value,
    ) -> PyResult<Bound<'py, PyAny>> {
        let made = |&value: &Value| self.object(py, values, value);
        Ok(match values.get(value) {
            Json::Nil => py.None().into_bound(py),
            Json::Bool(truth) => PyBool::new(py, truth).to_owned().into_any(),
            Json::Int(integer) => integer.into_pyobject(py)?.into_any(),
            Json::Big(digits) => py.get_type::<PyInt>().call1((digits,))?,
            Json::Float(float) => PyFloat::new(py, float).into_any(),
            Json::Text(text) => PyString::new(py, text).into_any(),
            Json::List(items) => {
                let items: Vec<_> = items.iter().map(made).collect::<PyResult<_>>()?;
                PyList::new(py, items)?.into_any()
            }
            Json::Map(members) => {
                let dict = PyDict::new(py);
                for (name, member) in members {
                    dict.set_item(made(name)?, made(member)?)?;
                }
                dict.into_any()
            }
            Json::Set(items) => {
                let items: Vec<_> = items.iter().map(made).collect::<PyResult<_>>()?;
                let items = items.iter().map(hashable).collect::<PyResult<Vec<_>>>()?;
                PyFrozenSet::new(py, items)?.into_any()
            }
            Json::Opaque(number) => match self.held.get(number as usize) {
                Some(object) => object.bind(py).clone(),
                None => py.None().into_bound(py),
            },
        })
    }
}

/// The number of a value.
fn number(store: &mut impl Store, object: &Bound<'_, PyAny>, depth: u32) -> PyResult<Value> {
    if let Some(value) = scalar(store, object)? {
        return Ok(value);
    }
    if depth == DEPTH_MAX {
        return Err(Unreadable::new_err("nested too deep"));
    }
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let items = members(store, object, depth)?;
        return store.put(Json::List(&items));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        return map(store, dict, depth);
    }
    if object.is_instance_of::<PySet>() || object.is_instance_of::<PyFrozenSet>() {
        let mut items = members(store, object, depth)?;
        sort_items(&mut items);
        return store.put(Json::Set(&items));
    }
    match as_number(object) {
        Some(equal) => number(store, &equal, depth + 1),
        None => store.put_opaque(object, object),
    }
}

fn members(
    store: &mut impl Store,
    collection: &Bound<'_, PyAny>,
    depth: u32,
) -> PyResult<Vec<Value>> {
    collection
        .try_iter()?
        .map(|item| number(store, &item?, depth + 1))
        .collect()
}

fn map(store: &mut impl Store, dict: &Bound<'_, PyDict>, depth: u32) -> PyResult<Value> {
    let mut members = Vec::with_capacity(dict.len());
    for (name, member) in dict.iter() {
        let name = name.str()?;
        members.push((
            number(store, &name, depth + 1)?,
            number(store, &member, depth + 1)?,
        ));
    }
    sort_members(&mut members);
    if members.len() == dict.len() {
        return store.put(Json::Map(&members));
    }
    // Members 1 and "1" have the same name; frozen, they both count.
    let frozen = frozen(dict).map_err(|_| builder::Unreadable)?;
    store.put_opaque(&frozen, dict)
}

/// The number of a value that has no members; `None` of one that has, or is no JSON.
fn scalar(store: &mut impl Store, object: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
    let json = if object.is_none() {
        Json::Nil
    } else if let Ok(truth) = object.cast::<PyBool>() {
        Json::Bool(truth.is_true())
    } else if let Ok(text) = object.cast::<PyString>() {
        match text.to_str() {
            Ok(text) => Json::Text(text),
            Err(_) => return Ok(None), // half of a surrogate pair, which no UTF-8 has
        }
    } else if let Ok(integer) = object.cast::<PyInt>() {
        return match integer.extract() {
            Ok(integer) => store.put(Json::Int(integer)).map(Some),
            Err(_) => big(store, integer),
        };
    } else if let Ok(float) = object.cast::<PyFloat>() {
        Json::Float(float.value())
    } else {
        return Ok(None);
    };
    store.put(json).map(Some)
}

/// The number of an integer beyond 64 bits; `None` if it has too many digits to be written.
fn big(store: &mut impl Store, integer: &Bound<'_, PyInt>) -> PyResult<Option<Value>> {
    // Not str(), which of an enumeration gives the name.
    match integer.call_method1("__format__", ("d",)) {
        Ok(digits) => store.put(Json::Big(digits.extract()?)).map(Some),
        Err(_) => Ok(None),
    }
}

/// The integer or the float that an object of a foreign type equals.
fn as_number<'py>(object: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    if object.is_instance_of::<PyInt>() || object.is_instance_of::<PyString>() {
        return None;
    }
    let py = object.py();
    [
        py.get_type::<PyInt>().call1((object,)),
        py.get_type::<PyFloat>().call1((object,)),
        object.getattr("real"), // of a complex number, which is no float's argument
    ]
    .into_iter()
    .filter_map(Result::ok)
    .find(|number| scalar_type(number) && number.eq(object).unwrap_or(false))
}

fn scalar_type(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyInt>() || object.is_instance_of::<PyFloat>()
}

fn frozen<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let history = value.py().import("checkers.history")?;
    history.getattr("freeze")?.call1((value,))
}

/// A member of a set: lists in it are tuples.
fn hashable<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let Ok(list) = object.cast::<PyList>() else {
        return Ok(object.clone());
    };
    let items = list
        .iter()
        .map(|item| hashable(&item))
        .collect::<PyResult<Vec<_>>>()?;
    Ok(PyTuple::new(object.py(), items)?.into_any())
}
