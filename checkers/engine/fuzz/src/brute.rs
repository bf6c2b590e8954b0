//! Is a short history linearizable? By trying every order: nothing to get wrong.

use antipaxos_engine::models::{ForModel, Model, Next, State, Step};
use antipaxos_engine::table::{NEVER, Table};

/// Tries every order of the calls of every key; `None` where the model cannot read one.
pub struct Brute<'a>(pub &'a Table);

struct Call {
    step: Step,
    invoked: u64,
    returned: u64,
}

impl ForModel for Brute<'_> {
    type Out = Option<bool>;

    fn run<M: Model>(self, make: impl Fn() -> M + Sync) -> Option<bool> {
        let mut all = true;
        for place in 0..self.0.key_count() {
            let mut model = make();
            let mut calls = Vec::new();
            for row in (0..self.0.calls_of(place)).filter_map(|n| self.0.call(place, n)) {
                if let Some(step) = model.read(row, &self.0.values).ok()? {
                    calls.push(Call {
                        step,
                        invoked: row.invoked,
                        returned: row.returned,
                    });
                }
            }
            let start = model.init();
            all &= linearizable(&mut model, &calls, start, 0);
        }
        Some(all)
    }
}

/// From this state, `done` being linearized (a bit each): is there an order of the others?
fn linearizable<M: Model>(model: &mut M, calls: &[Call], state: State, done: u64) -> bool {
    let open = |at: usize| done & (1 << at) == 0;
    let first_return = (0..calls.len())
        .filter(|&at| open(at))
        .map(|at| calls[at].returned)
        .min();
    let first_return = first_return.unwrap_or(NEVER);
    if first_return == NEVER {
        return true; // what is left need not happen
    }
    (0..calls.len())
        .filter(|&at| open(at) && calls[at].invoked < first_return)
        .any(|at| {
            after(model, state, calls[at].step)
                .into_iter()
                .any(|next| linearizable(model, calls, next, done | 1 << at))
        })
}

fn after<M: Model>(model: &mut M, state: State, step: Step) -> Vec<State> {
    match model.step(state, step) {
        Next::Illegal | Next::Trouble => Vec::new(),
        Next::One(next) => vec![next],
        Next::Many => model.choices().to_vec(),
    }
}
