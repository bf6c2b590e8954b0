//! Histories of a few calls, for the tests of models.

mod builtin;
mod containers;
mod foreign;
mod promises;

use super::{Model, Next, State, Step};
use crate::json::{Parts, Reader};
use crate::table::{NEVER, Outcome, Row, Table};
use crate::value::Value;

/// One call: f, argument, outcome (with a code), result; all in JSON.
type Said = (&'static str, &'static str, &'static str, &'static str);

fn value(table: &mut Table, json: &str) -> Value {
    Reader::new(json)
        .value(&mut table.values, &mut Parts::default())
        .expect("plain JSON")
}

/// The index of the first return.
const LATER: u64 = 1000;

/// A table of calls, all of process 3 and all at the same time.
fn table(calls: &[Said]) -> Table {
    let mut table = Table::default();
    for (at, &(f, input, ended, output)) in (0..).zip(calls) {
        let outcome = match ended {
            "ok" => Outcome::Ok,
            "info" => Outcome::Info,
            _ => Outcome::Fail,
        };
        let code = if matches!(ended, "ok" | "info" | "fail") {
            ""
        } else {
            ended
        };
        let row = Row {
            invoked: at,
            returned: if outcome == Outcome::Info {
                NEVER
            } else {
                LATER + at
            },
            times: [0, 0],
            input: value(&mut table, input),
            output: value(&mut table, output),
            process: value(&mut table, "3"),
            key: Value::NIL,
            f: table.names.intern(f).expect("few names"),
            code: table.names.intern(code).expect("few names"),
            outcome,
        };
        table.rows.push(row);
    }
    table
}

fn after<M: Model>(model: &mut M, state: State, step: Step) -> Vec<State> {
    match model.step(state, step) {
        Next::Illegal => vec![],
        Next::One(after) => vec![after],
        Next::Many => model.choices().to_vec(),
        Next::Trouble => panic!("built-in models have no trouble with {step:?}"),
    }
}

const fn ok(f: &'static str, input: &'static str) -> Said {
    (f, input, "ok", "null")
}

const fn saw(f: &'static str, output: &'static str) -> Said {
    (f, "null", "ok", output)
}

const fn lost(f: &'static str, input: &'static str) -> Said {
    (f, input, "info", "null")
}
