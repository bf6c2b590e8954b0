//! The built-in models: what each allows, forbids and refuses.

use std::collections::BTreeSet;

use super::{LATER, Said, after, lost, ok, saw, table};
use crate::models::{BankOptions, Effect, ForModel, Model, Options, with};
use crate::table::Table;
use crate::value::Value;

/// May the calls take effect in their order? `None` where one is refused.
struct Allows<'a>(&'a Table);

impl ForModel for Allows<'_> {
    type Out = Option<bool>;

    fn run<M: Model>(self, make: impl Fn() -> M + Sync) -> Option<bool> {
        let mut model = make();
        let mut states = BTreeSet::from([model.init()]);
        for row in &self.0.rows {
            if let Some(step) = model.read(row, &self.0.values).ok()? {
                states = states
                    .iter()
                    .flat_map(|&s| after(&mut model, s, step))
                    .collect();
            }
        }
        Some(!states.is_empty())
    }
}

fn allows(name: &str, options: &Options, calls: &[Said]) -> Option<bool> {
    let table = table(calls);
    with(name, options, &table, Allows(&table)).expect("a built-in model")
}

#[track_caller]
pub fn judged(name: &str, allowed: &[&[Said]], forbidden: &[&[Said]], refused: &[Said]) {
    let options = Options::default();
    for calls in allowed {
        assert_eq!(
            Some(true),
            allows(name, &options, calls),
            "{name}: {calls:?}"
        );
    }
    for calls in forbidden {
        assert_eq!(
            Some(false),
            allows(name, &options, calls),
            "{name}: {calls:?}"
        );
    }
    for call in refused {
        assert_eq!(None, allows(name, &options, &[*call]), "{name}: {call:?}");
    }
}

#[test]
fn registers() {
    let one = ok("write", "1");
    let refused = ("cas", "[1, 3]", "compare-failed", "null");
    judged(
        "register",
        &[
            &[saw("read", "null")],
            &[one, saw("read", "1.0")],
            &[("write", "1", "fail", "null")],
        ],
        &[
            &[saw("read", "0")],
            &[one, saw("read", "true")],
            &[one, saw("read", "\"1\"")],
        ],
        &[
            ok("cas", "[1, 2]"),
            ok("append", "1"),
            ("append", "1", "fail", "null"),
        ],
    );
    judged(
        "cas-register",
        &[
            &[one, ok("cas", "[1, 2]"), saw("read", "2")],
            &[
                one,
                ("cas", "[2, 3]", "compare-failed", "null"),
                saw("read", "1"),
            ],
            &[
                one,
                ("cas", "[1, 3]", "no-leader", "null"),
                saw("read", "1"),
            ],
            &[ok("cas", "[null, 3]"), saw("read", "3")],
        ],
        &[
            &[one, ok("cas", "[2, 3]")],
            &[one, refused],
            &[one, ok("cas", "[true, 3]")],
        ],
        &[
            ok("cas", "1"),
            ok("cas", "[1, 2, 3]"),
            ("cas", "\"ab\"", "fail", "null"),
        ],
    );
    let five = Options {
        initial: Value::small(5).expect("small"),
        ..Options::default()
    };
    assert_eq!(Some(true), allows("register", &five, &[saw("read", "5")]));
    assert_eq!(
        Some(false),
        allows("register", &five, &[saw("read", "null")])
    );
}

#[test]
fn consensus() {
    let own = ("propose", "1", "ok", "1");
    judged(
        "consensus",
        &[
            &[
                own,
                ("propose", "2", "ok", "1"),
                saw("read", "1"),
                saw("read", "null"),
            ],
            &[lost("propose", "1"), ("propose", "2", "ok", "1")],
        ],
        &[
            &[("propose", "1", "ok", "2")],
            &[own, ("propose", "2", "ok", "2")],
            &[saw("read", "1")],
        ],
        &[
            ("propose", "null", "fail", "null"),
            ok("propose", "1"),
            ok("write", "1"),
        ],
    );
}

#[test]
fn counters() {
    let huge = "4611686018427387904"; // 2^62, which is the limit
    judged(
        "counter",
        &[
            &[
                saw("read", "0"),
                ok("add", "2"),
                ok("add", "-3"),
                saw("read", "-1"),
            ],
            &[ok("add", huge), saw("read", huge)],
        ],
        &[
            &[ok("add", "1"), saw("read", "2")],
            &[saw("read", "-4611686018427387904")],
        ],
        &[
            ok("add", "true"),
            saw("read", "\"1\""),
            ok("add", "4611686018427387905"),
            ok("add", "100000000000000000000"),
            saw("read", "1.5"),
        ],
    );
    let refused = [ok("add", huge), ok("add", "1")];
    assert_eq!(None, allows("counter", &Options::default(), &refused));
}

#[test]
fn locks() {
    let (acquire, release) = (ok("acquire", "null"), ok("release", "null"));
    judged(
        "lock",
        &[&[acquire, release, acquire]],
        &[&[acquire, acquire], &[release]],
        &[("write", "1", "fail", "null")],
    );
    let token = |t| saw("acquire", t);
    judged(
        "fenced-lock",
        &[
            &[
                token("-7"),
                release,
                token("3"),
                release,
                lost("acquire", "null"),
                release,
                token("5"),
            ],
            &[lost("acquire", "null"), release, token("-9")],
        ],
        &[
            &[token("3"), release, token("3")],
            &[
                token("3"),
                release,
                lost("acquire", "null"),
                release,
                token("4"),
            ],
            &[token("3"), token("4")],
            &[release],
        ],
        &[acquire, token("true"), token("\"7\"")],
    );
}

#[test]
fn banks() {
    let pay = ok("transfer", "{\"from\": 0, \"to\": \"b\", \"amount\": 4}");
    let read = |balances| saw("read", balances);
    judged(
        "bank",
        &[
            &[
                pay,
                read("{\"0\": 1, \"b\": 9}"),
                pay,
                read("{\"0\": -3, \"b\": 13}"),
            ],
            &[
                read("[5, 1]"),
                pay,
                read("{\"b\": 4, \"0\": 1, \"1\": 1, \"c\": 0}"),
            ],
        ],
        &[
            &[read("[5]"), pay, read("[5]")],
            &[pay, read("[]"), pay, read("[]")],
        ],
        &[
            ok("transfer", "[0, 1, 2]"),
            ok("transfer", "{\"from\": 0, \"to\": null, \"amount\": 4}"),
            ok(
                "transfer",
                "{\"from\": 0, \"to\": 1, \"amount\": 4611686018427387905}",
            ),
            read("null"),
            read("[true]"),
        ],
    );
    let balances = Some(vec![("0".into(), 5)]);
    let bank = BankOptions {
        balances,
        overdraft: false,
    };
    let options = Options {
        bank,
        ..Options::default()
    };
    let cases: [(bool, &[Said]); 4] = [
        (true, &[read("[5]"), pay, read("{\"0\": 1, \"b\": 4}")]),
        (false, &[pay, pay]),
        (false, &[read("[6]")]),
        (false, &[pay, read("[5]")]),
    ];
    for (expected, calls) in cases {
        assert_eq!(Some(expected), allows("bank", &options, calls), "{calls:?}");
    }
}

#[test]
fn the_first_read_to_return_tells_what_a_bank_began_with() {
    let read = saw("read", "[5]");
    let mut table = table(&[read, read, read]);
    table.rows[2].invoked = LATER + 1; // after the first has returned, and before the second has
    let effects = with("bank", &Options::default(), &table, Effects(&table)).expect("built in");

    assert_eq!(vec![Effect::Any, Effect::Any, Effect::Observes], effects);
}

struct Effects<'a>(&'a Table);

impl ForModel for Effects<'_> {
    type Out = Vec<Effect>;

    fn run<M: Model>(self, make: impl Fn() -> M + Sync) -> Vec<Effect> {
        let mut model = make();
        let read = self
            .0
            .rows
            .iter()
            .map(|row| model.read(row, &self.0.values));
        read.map(|step| step.expect("readable").expect("a step").effect)
            .collect()
    }
}
