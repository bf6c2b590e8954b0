//! From the rows of one key to the calls that the procedures read.
//!
//! Rules
//! 1. A row means here what it means to the model of the same name (models/register.rs, queues.rs,
//!    sets.rs). Where that model refuses a row, nothing is judged here: the search comes upon the
//!    row and says which it is.
//! 2. A call that certainly did nothing makes no call; a read of unknown outcome neither.

use super::{Answer, Call, Kind, What, decide, pays, register, set};
use crate::models::Refused;
use crate::table::{NEVER, Outcome, Row, Table};
use crate::value::{Json, Value};

/// Judges the calls of the key at a place, if a procedure applies and is worth its while.
/// `initial` is the value of a register before the first write.
#[must_use]
pub fn judge(model: &str, initial: Value, table: &Table, place: usize) -> Option<Answer> {
    let names = |pair: [&str; 2]| pair.map(|name| table.names.number(name));
    let (kind, names) = match model {
        "register" if table.calls_of(place) <= register::MOST => {
            (Kind::Register(initial.0), names(["write", "read"]))
        }
        "fifo-queue" => (Kind::Fifo, names(["enqueue", "dequeue"])),
        "unordered-queue" => (Kind::Bag, names(["enqueue", "dequeue"])),
        "stack" => (Kind::Stack, names(["push", "pop"])),
        "set" => return judge_set(table, place),
        _ => return None,
    };
    let mut calls = Vec::with_capacity(table.calls_of(place));
    for row in rows(table, place) {
        calls.extend(read(row, kind, names).ok()?);
    }
    let answer = pays(kind, &calls).then(|| decide(kind, &calls))?;
    (!matches!(answer, Answer::Declined(_))).then_some(answer)
}

fn rows(table: &Table, place: usize) -> impl Iterator<Item = &Row> {
    (0..table.calls_of(place)).filter_map(move |number| table.call(place, number))
}

fn read(row: &Row, kind: Kind, [put, take]: [Option<u16>; 2]) -> Result<Option<Call>, Refused> {
    let (register, puts) = (matches!(kind, Kind::Register(_)), Some(row.f) == put);
    let known = puts || Some(row.f) == take;
    if !known || !register && puts && refused(row) {
        return Err(Refused);
    }
    let what = match row.output {
        _ if puts => What::Put,
        Value::NIL if !register => What::Empty,
        _ => What::Take,
    };
    Ok((row.outcome != Outcome::Fail).then_some(Call {
        what,
        value: if puts { row.input.0 } else { row.output.0 },
        invoked: row.invoked,
        returned: returned(row),
    }))
}

/// Nil cannot be put in.
fn refused(row: &Row) -> bool {
    row.outcome != Outcome::Fail && row.input == Value::NIL
}

fn returned(row: &Row) -> u64 {
    if row.outcome == Outcome::Ok {
        row.returned
    } else {
        NEVER
    }
}

fn judge_set(table: &Table, place: usize) -> Option<Answer> {
    let [add, remove, contains, read] =
        ["add", "remove", "contains", "read"].map(|name| table.names.number(name));
    let mut calls = Vec::with_capacity(table.calls_of(place));
    for row in rows(table, place) {
        let f = Some(row.f);
        let did = if f == add {
            set::Did::Add(row.input)
        } else if f == remove {
            set::Did::Remove(row.input)
        } else if f != contains && f != read {
            return None;
        } else if row.outcome != Outcome::Ok {
            continue;
        } else {
            match table.values.get(row.output) {
                Json::Bool(found) if f == contains => set::Did::Contains(row.input, found),
                Json::List(all) | Json::Set(all) if f == read => set::Did::Read(all),
                _ => return None,
            }
        };
        if row.outcome != Outcome::Fail {
            calls.push(set::Call {
                did,
                invoked: row.invoked,
                returned: returned(row),
            });
        }
    }
    let answer = set::decide(&calls);
    (!matches!(answer, Answer::Declined(_))).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table of calls one after the other, from (name, input, output, outcome); `None`
    /// is nil.
    fn table(calls: &[(&str, Option<i64>, Option<i64>, Outcome)]) -> Table {
        let mut table = Table::default();
        for (index, &(name, input, output, outcome)) in (0..).zip(calls) {
            let mut value = |n: Option<i64>| n.map_or(Value::NIL, |n| table.values.int(n).unwrap());
            let (input, output) = (value(input), value(output));
            table.rows.push(Row {
                invoked: 2 * index,
                returned: if outcome == Outcome::Info {
                    NEVER
                } else {
                    2 * index + 1
                },
                times: [0; 2],
                input,
                output,
                process: Value::NIL,
                key: Value::NIL,
                f: table.names.intern(name).unwrap(),
                code: 0,
                outcome,
            });
        }
        table
    }

    /// Rule: rows mean what they mean to the model; a fail is no call, nil means empty.
    #[test]
    fn containers_are_read_as_their_models_read_them() {
        let calls = |put, take| {
            table(&[
                (put, Some(1), None, Outcome::Ok),
                (put, Some(2), None, Outcome::Ok),
                (put, Some(3), None, Outcome::Fail),
                (take, None, Some(1), Outcome::Ok),
                (take, None, None, Outcome::Info),
                (take, None, None, Outcome::Ok),
            ])
        };
        let (queue, stack) = (calls("enqueue", "dequeue"), calls("push", "pop"));
        for model in ["fifo-queue", "unordered-queue"] {
            assert_eq!(
                Some(Answer::Linearizable),
                judge(model, Value::NIL, &queue, 0)
            );
        }
        let refuted = Some(Answer::Refuted { at: 7 });
        assert_eq!(refuted, judge("stack", Value::NIL, &stack, 0));
        assert_eq!(
            None,
            judge("stack", Value::NIL, &queue, 0),
            "operations of another model"
        );
        let nil = table(&[("enqueue", None, None, Outcome::Ok)]);
        assert_eq!(
            None,
            judge("fifo-queue", Value::NIL, &nil, 0),
            "nil cannot be put in"
        );
    }

    /// Rule: a register that a search judges quickly is left to it.
    #[test]
    fn registers_with_few_open_calls_are_left_to_the_search() {
        let few = table(&[("write", Some(1), None, Outcome::Ok)]);
        assert_eq!(None, judge("register", Value::NIL, &few, 0));
        let mut calls: Vec<_> = (0..200)
            .map(|n| ("write", Some(n), None, Outcome::Info))
            .collect();
        calls.push(("read", None, Some(7), Outcome::Ok));
        let many = table(&calls);
        assert_eq!(
            Some(Answer::Linearizable),
            judge("register", Value::NIL, &many, 0)
        );
        calls.push(("read", None, None, Outcome::Ok));
        let stale = Some(Answer::Refuted { at: 403 });
        assert_eq!(stale, judge("register", Value::NIL, &table(&calls), 0));
    }

    /// Rule: an add that is certain before a read is in what the read lists.
    #[test]
    fn sets_are_read_as_their_model_reads_them() {
        let adds = [
            ("add", Some(1), None, Outcome::Ok),
            ("add", Some(2), None, Outcome::Info),
        ];
        let mut table = table(&[adds[0], adds[1], ("read", None, Some(0), Outcome::Ok)]);
        let ones = table.rows[0].input;
        for (listed, answer) in [
            (vec![ones], Answer::Linearizable),
            (vec![], Answer::Refuted { at: 5 }),
        ] {
            table.rows[2].output = table.values.list(&listed).unwrap();
            assert_eq!(Some(answer), judge("set", Value::NIL, &table, 0));
        }
        table.rows[2].output = ones;
        assert_eq!(
            None,
            judge("set", Value::NIL, &table, 0),
            "a read lists elements"
        );
    }
}
