//! The search against an oracle that is obviously right, on histories small enough for it.

use std::collections::HashSet;

use antipaxos_engine::models::{ForModel, Model, Next, Options, State, Step, with};
use antipaxos_engine::schedule::{Budget, Check, Found};
use antipaxos_engine::search::frontier::Limits;
use antipaxos_engine::table::{NEVER, Names, Outcome, Row, Table};
use antipaxos_engine::value::{Value, Values};

/// A sequence of numbers that looks random; the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Tries every order, remembering where it has been.
fn linearizable<M: Model>(model: &mut M, calls: &[(u64, u64, Step)]) -> bool {
    fn go<M: Model>(
        model: &mut M,
        calls: &[(u64, u64, Step)],
        placed: u64,
        state: State,
        seen: &mut HashSet<(u64, State)>,
    ) -> bool {
        let left = (0..calls.len()).filter(|at| placed >> at & 1 == 0);
        if left.clone().all(|at| calls[at].1 == NEVER) {
            return true;
        }
        if !seen.insert((placed, state)) {
            return false;
        }
        let first = left.clone().map(|at| calls[at].1).min().unwrap_or(NEVER);
        for at in left.filter(|&at| calls[at].0 < first).collect::<Vec<_>>() {
            let next = match model.step(state, calls[at].2) {
                Next::Illegal => continue,
                Next::One(next) => vec![next],
                Next::Many => model.choices().to_vec(),
                Next::Trouble => panic!("no built-in model raises"),
            };
            for state in next {
                if go(model, calls, placed | 1 << at, state, seen) {
                    return true;
                }
            }
        }
        false
    }
    let state = model.init();
    go(model, calls, 0, state, &mut HashSet::new())
}

/// Up to `count` calls of `clients` clients on a register, values below `values`; answers are drawn
/// from an object that is right, or now and then at random.
fn register(random: &mut Random, count: usize, clients: u64, values: u64) -> Table {
    let mut table = Table::default();
    let name = |table: &mut Table, name| Names::intern(&mut table.names, name).expect("few names");
    let read = name(&mut table, "read");
    let write = name(&mut table, "write");
    let cas = name(&mut table, "cas");
    let failed = name(&mut table, "compare-failed");
    let (crash, wrong) = (random.below(50), random.below(12));
    let mut open: Vec<Option<(usize, bool)>> = (0..clients).map(|_| None).collect();
    let mut state = Value::NIL;
    let mut index = 0;
    let mut begun = 0;
    while begun < count || open.iter().any(Option::is_some) {
        let client = usize::try_from(random.below(clients)).expect("few");
        index += 1;
        let Some((at, applied)) = open[client] else {
            if begun == count {
                continue;
            }
            begun += 1;
            let f = [read, write, cas][usize::try_from(random.below(3)).expect("three")];
            let mut value = |random: &mut Random| {
                let drawn = i64::try_from(random.below(values)).expect("few");
                Values::int(&mut table.values, drawn).expect("room")
            };
            let (one, two) = (value(random), value(random));
            let input = match f {
                f if f == write => one,
                f if f == cas => Values::list(&mut table.values, &[one, two]).expect("room"),
                _ => Value::NIL,
            };
            let (process, key) = (Value::NIL, Value::NIL);
            let (output, times, code) = (Value::NIL, [0, 0], 0);
            let (invoked, returned, outcome) = (index, NEVER, Outcome::Info);
            open[client] = Some((table.rows.len(), false));
            table.rows.push(Row {
                invoked,
                returned,
                times,
                input,
                output,
                process,
                key,
                f,
                code,
                outcome,
            });
            continue;
        };
        let row = &mut table.rows[at];
        if !applied {
            open[client] = Some((at, true));
            if row.f == read {
                row.output = state;
                if random.chance(wrong) {
                    let drawn = i64::try_from(random.below(values)).expect("few");
                    row.output = Values::int(&mut table.values, drawn).expect("room");
                }
            } else if row.f == write {
                state = if random.chance(wrong) {
                    state
                } else {
                    row.input
                };
            } else {
                let pair = match table.values.get(row.input) {
                    antipaxos_engine::value::Json::List(&[old, new]) => (old, new),
                    _ => unreachable!("a cas has a pair"),
                };
                row.code = if pair.0 == state { 0 } else { failed };
                state = if pair.0 == state { pair.1 } else { state };
            }
            continue;
        }
        open[client] = None;
        if random.chance(crash) {
            row.code = 0;
            continue;
        }
        row.returned = index;
        row.outcome = if row.code == failed {
            Outcome::Fail
        } else {
            Outcome::Ok
        };
        if row.f == cas && random.chance(wrong) {
            row.outcome = Outcome::Ok;
            row.code = 0;
        }
    }
    table
}

struct Oracle<'a>(&'a Table);

impl ForModel for Oracle<'_> {
    type Out = bool;

    fn run<M: Model + 'static>(self, make: impl Fn() -> M + Sync) -> bool {
        let mut model = make();
        let calls: Vec<(u64, u64, Step)> = self
            .0
            .rows
            .iter()
            .filter_map(|row| {
                let step = model.read(row, &self.0.values).expect("readable")?;
                Some((row.invoked, row.returned, step))
            })
            .collect();
        linearizable(&mut model, &calls)
    }
}

/// Limits so narrow that they are met all the time.
const NARROW: [Limits; 3] = [Limits::SPARING, Limits::ENDLESS, Limits::NONE];

fn search(table: &Table, witness: bool, limits: &'static [Limits]) -> Found {
    let budget = Budget {
        threads: 1,
        witness,
        limits,
        ..Budget::default()
    };
    let check = Check {
        table,
        fast: None,
        budget,
        poll: &mut || false,
    };
    with("cas-register", &Options::default(), table, check).expect("a built-in model")
}

fn compare(seed: u64, rounds: usize, clients: u64) -> [usize; 2] {
    let mut random = Random(seed);
    let mut verdicts = [0, 0];
    for round in 0..rounds {
        let (count, values) = (2 + random.below(22), 1 + random.below(5));
        let table = register(
            &mut random,
            usize::try_from(count).expect("few"),
            clients,
            values,
        );
        let expected =
            with("cas-register", &Options::default(), &table, Oracle(&table)).expect("built in");
        let exact = &[Limits::NONE][..];
        for (witness, limits) in [
            (false, &[][..]),
            (true, &[]),
            (false, exact),
            (false, &NARROW),
            (true, &NARROW),
            (false, &[Limits::SPENDING, Limits::ENDLESS, Limits::NONE]),
        ] {
            let found = search(&table, witness, limits);
            assert_eq!(
                (usize::from(expected), usize::from(!expected)),
                (found.linearizable, found.refuted.len()),
                "seed {seed} round {round} witness {witness} {limits:?}: {:?}",
                table.rows
            );
        }
        verdicts[usize::from(expected)] += 1;
    }
    verdicts
}

/// The search finds what the oracle finds.
#[test]
fn registers() {
    let rounds = std::env::var("ROUNDS").map_or(1_500, |r| r.parse().expect("a number"));
    for (seed, clients) in [(1, 2), (2, 3), (3, 5), (4, 8)] {
        let [wrong, right] = compare(seed, rounds, clients);
        assert!(
            wrong * 20 > rounds && right * 20 > rounds,
            "{wrong} and {right}"
        );
    }
}
