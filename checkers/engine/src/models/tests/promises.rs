//! What the models promise of their steps, tried in every state that a few steps lead to.

use std::collections::BTreeSet;

use super::{Said, after, lost, ok, saw, table};
use crate::models::*;
use crate::table::Table;

/// Calls of every operation over a few values.
fn pool(name: &str) -> Vec<Said> {
    let cas = ["[null, 1]", "[1, 2]", "[2, 1]", "[1, 1]"];
    let lists = ["[]", "[1]", "[1, 2]", "[2, 1]", "[1, 1, 2]"];
    let texts = [
        "\"\"",
        "\"a\"",
        "\"aaaaaa\"",
        "\"aaaaaaaa\"",
        "\"aaaaaaaab\"",
    ];
    let pay = [
        "{\"from\": 0, \"to\": 1, \"amount\": 1}",
        "{\"from\": 1, \"to\": 0, \"amount\": 1}",
        "{\"from\": 1, \"to\": 2, \"amount\": 2}",
    ];
    let values = ["null", "1", "2", "true"];
    let each = |f, inputs: &[&'static str]| inputs.iter().map(move |v| ok(f, v)).collect();
    let seen = |f, outputs: &[&'static str]| outputs.iter().map(move |v| saw(f, v)).collect();
    let parts: Vec<Vec<Said>> = match name {
        "register" => vec![each("write", &values), seen("read", &values)],
        "cas-register" => vec![
            each("write", &values),
            seen("read", &values),
            each("cas", &cas),
            cas.iter()
                .map(|pair| ("cas", *pair, "compare-failed", "null"))
                .collect(),
        ],
        "kv" => vec![
            each("append", &texts),
            each("put", &texts[..3]),
            seen("get", &texts),
        ],
        "log" => vec![each("append", &values), seen("read", &lists)],
        "consensus" => vec![
            ["1", "2"].map(|v| ("propose", v, "ok", "1")).to_vec(),
            ["1", "2"].map(|v| ("propose", v, "ok", "2")).to_vec(),
            vec![lost("propose", "1"), saw("read", "1"), saw("read", "2")],
        ],
        "counter" => vec![
            each("add", &["1", "-2"]),
            seen("read", &["0", "1", "-2", "-1"]),
        ],
        "set" => vec![
            each("add", &values),
            each("remove", &["1"]),
            seen("read", &lists),
            ["true", "false"]
                .map(|there| ("contains", "1", "ok", there))
                .to_vec(),
        ],
        "stack" => {
            vec![
                each("push", &values[1..]),
                seen("pop", &values),
                vec![lost("pop", "null")],
            ]
        }
        "lock" => vec![vec![ok("acquire", "null"), ok("release", "null")]],
        "fenced-lock" => vec![
            seen("acquire", &["1", "2", "4"]),
            vec![lost("acquire", "null"), ok("release", "null")],
        ],
        "bank" => {
            vec![
                each("transfer", &pay),
                seen("read", &["[]", "[1]", "[1, -1]", "[0, 1, -1]"]),
            ]
        }
        _ => {
            let unseen = vec![lost("dequeue", "null")];
            vec![
                each("enqueue", &values[1..]),
                seen("dequeue", &values),
                unseen,
            ]
        }
    };
    parts.concat()
}

/// Tries the promises in every state within `DEPTH` steps of the initial one.
struct Promises<'a>(&'a Table);

const DEPTH: usize = 4;

impl ForModel for Promises<'_> {
    type Out = usize;

    fn run<M: Model>(self, make: impl Fn() -> M + Sync) -> usize {
        let mut model = make();
        let rows = self.0.rows.iter();
        let read = rows.map(|row| model.read(row, &self.0.values).expect("plain calls"));
        let steps: Vec<Step> = read.flatten().collect();
        let initial = model.init();
        let states = reachable(&mut model, initial, &steps, DEPTH, |_| true);
        for &step in &steps {
            one_step(&mut model, &states, step);
        }
        if M::FORESEES {
            foresight(&mut model, &states, &steps);
        }
        forgetting(&mut model, &states, &steps);
        states.len()
    }
}

fn reachable<M: Model>(
    model: &mut M,
    from: State,
    steps: &[Step],
    depth: usize,
    taken: impl Fn(Step) -> bool,
) -> BTreeSet<State> {
    let mut states = BTreeSet::from([from]);
    for _ in 0..depth {
        for state in states.clone() {
            for &step in steps.iter().filter(|step| taken(**step)) {
                states.extend(after(model, state, step));
            }
        }
    }
    states
}

fn one_step<M: Model>(model: &mut M, states: &BTreeSet<State>, step: Step) {
    let reached: Vec<(State, Vec<State>)> = states
        .iter()
        .map(|&state| (state, after(model, state, step)))
        .collect();
    let (required, produced) = (model.requires(step), model.produces(step));
    for (state, after) in &reached {
        let distinct: BTreeSet<_> = after.iter().collect();
        assert_eq!(distinct.len(), after.len(), "each choice once: {step:?}");
        match step.effect {
            Effect::Observes => assert!(after.iter().all(|a| a == state), "{step:?}"),
            Effect::Total => assert!(!after.is_empty(), "{step:?}"),
            Effect::Overwrites => assert_eq!(&reached[0].1, after, "{step:?}"),
            Effect::Any => (),
        }
        assert!(step.effect != Effect::Overwrites || !after.is_empty());
        if let Some(required) = required {
            assert_eq!(*state == required, !after.is_empty(), "{step:?} in {state}");
        }
        if let (Some(produced), [_, ..]) = (produced, after.as_slice()) {
            assert_eq!(&vec![produced], after, "{step:?} from {state}");
        }
    }
}

/// Where `leads_to` is false, no steps that are total make the observation legal.
fn foresight<M: Model>(model: &mut M, states: &BTreeSet<State>, steps: &[Step]) {
    let mut hopeless = 0;
    for &state in states {
        let later = reachable(model, state, steps, 2, |step| step.effect == Effect::Total);
        for &goal in steps.iter().filter(|step| step.effect == Effect::Observes) {
            let comes = later
                .iter()
                .any(|&state| !after(model, state, goal).is_empty());
            let told = model.leads_to(state, goal);
            assert!(told || !comes, "{goal:?} comes after {state}");
            hopeless += usize::from(!told);
        }
    }
    assert!(hopeless > 0, "foresees nothing");
}

/// States that the search names outlive a collection, and lead where they led; steps it names too.
fn forgetting<M: Model>(model: &mut M, states: &BTreeSet<State>, steps: &[Step]) {
    let live: Vec<State> = states.iter().copied().step_by(3).collect();
    let expected = outcomes(model, &live, steps);
    model.collect(&live);
    model.collect_steps(steps);
    model.collect(&live);
    assert_eq!(expected, outcomes(model, &live, steps));

    let kept: Vec<Step> = steps.iter().copied().step_by(2).collect();
    let expected = outcomes(model, &live, &kept);
    model.collect_steps(&kept);
    model.collect(&live);
    assert_eq!(expected, outcomes(model, &live, &kept));
}

/// Which steps are legal where, and which of them lead to the same states: numbers may change.
fn outcomes<M: Model>(model: &mut M, live: &[State], steps: &[Step]) -> Vec<Option<usize>> {
    let mut seen: Vec<Vec<State>> = Vec::new();
    let mut found = Vec::new();
    for &state in live {
        for &step in steps {
            let after = after(model, state, step);
            let place = seen
                .iter()
                .position(|known| *known == after)
                .unwrap_or(seen.len());
            if place == seen.len() {
                seen.push(after.clone());
            }
            found.push((!after.is_empty()).then_some(place));
        }
    }
    found
}

#[test]
fn every_model_keeps_its_promises() {
    for name in NAMES {
        let calls = pool(name);
        let table = table(&calls);
        let balances = Some(vec![("0".into(), 1)]);
        let mut all = vec![Options::default()];
        if name == "bank" {
            for overdraft in [true, false] {
                let bank = BankOptions {
                    balances: balances.clone(),
                    overdraft,
                };
                all.push(Options {
                    bank,
                    ..Options::default()
                });
            }
        }
        for options in all {
            let states = with(name, &options, &table, Promises(&table)).expect("built in");
            assert!(states > 1, "{name} has {states} states");
        }
    }
}
