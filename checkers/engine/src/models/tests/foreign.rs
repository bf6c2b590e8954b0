//! Models that somebody else knows: what is asked, how often, and what is forgotten.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{after, ok, table};
use crate::models::{
    Effect, Foreign, Learnt, Model, Next, Numbers, Oracle, Raised, State, Step, Told,
};
use crate::table::Row;

/// A bag of which any element can be taken: states are sorted lists of numbers. Raises at
/// the number 13.
#[derive(Default)]
struct Bags {
    states: Vec<Option<Vec<i64>>>,
    steps: Vec<Option<(Told, Option<i64>)>>,
    questions: usize,
}

fn number<T: PartialEq>(held: &mut Vec<Option<T>>, item: T) -> u32 {
    let item = Some(item);
    let place = held.iter().position(|known| *known == item);
    let place = place.or_else(|| held.iter().position(Option::is_none));
    let place = place.unwrap_or(held.len());
    if place == held.len() {
        held.push(None);
    }
    held[place] = item;
    u32::try_from(place).expect("few")
}

fn forget<T>(held: &mut [Option<T>], keep: &Numbers) {
    for (number, held) in (0..).zip(held) {
        if !keep.contains(&number) {
            *held = None;
        }
    }
}

impl Bags {
    fn operand(&self, step: u32) -> Option<i64> {
        self.steps[step as usize].expect("not released").1
    }

    fn state(&self, state: State) -> Vec<i64> {
        self.states[state as usize].clone().expect("not released")
    }
}

impl Oracle for Bags {
    fn read(&mut self, row: &Row) -> Result<Option<Told>, Raised> {
        let operand = row.input.as_small();
        let effect = match operand {
            Some(0) => Effect::Observes,
            Some(_) => Effect::Total,
            None => Effect::Any,
        };
        let step = number(&mut self.steps, (Told { step: 0, effect }, operand));
        Ok(Some(Told { step, effect }))
    }

    fn init(&mut self) -> Result<State, Raised> {
        Ok(number(&mut self.states, vec![]))
    }

    fn step(&mut self, state: State, step: u32, to: &mut Vec<State>) -> Result<(), Raised> {
        self.questions += 1;
        let bag = self.state(state);
        match self.operand(step) {
            Some(13) => return Err(Raised),
            Some(more) => {
                let mut bag = [bag, vec![more]].concat();
                bag.sort_unstable();
                to.push(number(&mut self.states, bag));
            }
            None => {
                for at in 0..bag.len() {
                    let mut bag = bag.clone();
                    bag.remove(at);
                    to.push(number(&mut self.states, bag));
                }
                to.sort_unstable();
                to.dedup();
            }
        }
        Ok(())
    }

    fn leads_to(&mut self, state: State, _: u32) -> Result<bool, Raised> {
        Ok(self.state(state).is_empty())
    }

    fn requires(&mut self, step: u32) -> Result<Option<State>, Raised> {
        Ok((self.operand(step) == Some(0)).then(|| number(&mut self.states, vec![])))
    }

    fn keep_states(&mut self, keep: &Numbers) {
        forget(&mut self.states, keep);
    }

    fn keep_steps(&mut self, keep: &Numbers) {
        forget(&mut self.steps, keep);
    }

    fn next_key(&mut self) {}

    fn held(&self) -> usize {
        0
    }
}

fn model(inputs: &[&'static str]) -> (Foreign<Bags, true, false>, Vec<Step>) {
    let calls: Vec<_> = inputs.iter().map(|input| ok("f", input)).collect();
    let table = table(&calls);
    let mut model = Foreign::new(Bags::default());
    let read = table.rows.iter().map(|row| model.read(row, &table.values));
    let steps = read
        .map(|step| step.expect("readable").expect("a step"))
        .collect();
    (model, steps)
}

#[test]
fn asks_every_question_once() {
    let (mut model, steps) = model(&["1", "2", "1", "null"]);
    let init = model.init();
    assert_eq!(steps[0], steps[2]);
    for _ in 0..3 {
        let both = after(&mut model, init, steps[0]);
        let both = after(&mut model, both[0], steps[1]);
        let either = after(&mut model, both[0], steps[3]);
        assert_eq!(2, either.len());
        assert_eq!(
            BTreeSet::from([init]),
            either
                .iter()
                .flat_map(|&one| { after(&mut model, one, steps[3]) })
                .collect()
        );
    }

    assert_eq!(5, model.oracle().questions);
}

#[test]
fn a_step_that_is_legal_in_one_state_is_not_asked_for() {
    let (mut model, steps) = model(&["1", "0"]);
    let init = model.init();
    let one = after(&mut model, init, steps[0]);

    assert_eq!(Some(init), model.requires(steps[1]));
    assert_eq!(vec![init], after(&mut model, init, steps[1]));
    assert_eq!(Next::Illegal, model.step(one[0], steps[1]));
    assert!(!model.leads_to(one[0], steps[1]));
    assert_eq!(1, model.oracle().questions);
}

#[test]
fn memory_follows_what_is_alive() {
    let (mut model, steps) = model(&["1", "2", "3", "null"]);
    let init = model.init();
    let mut live = vec![init];
    for round in 0..300 {
        live = after(&mut model, live[0], steps[round % 3]);
        if round % 5 == 4 {
            live = after(&mut model, live[0], steps[3]);
            model.collect(&live);
            let distinct: BTreeSet<State> = live.iter().copied().chain([init]).collect();
            assert_eq!(
                distinct.len(),
                model.oracle().states.iter().flatten().count()
            );
        }
    }
    model.collect(&[]);
    model.collect_steps(&steps[..1]);

    assert_eq!(1, model.oracle().states.iter().flatten().count());
    assert!(model.remembers_nothing());
    assert_eq!(1, model.oracle().steps.iter().flatten().count());
    assert_eq!(init, model.init());
}

#[test]
fn once_it_has_raised_there_is_trouble_only() {
    let (mut model, steps) = model(&["13", "1"]);
    let init = model.init();

    assert_eq!(Next::Trouble, model.step(init, steps[0]));
    assert_eq!(Next::Trouble, model.step(init, steps[1]));
}

#[test]
fn a_key_goes_on_with_what_another_has_learnt() {
    let calls = [ok("f", "1"), ok("f", "2")];
    let table = table(&calls);
    let learnt = Arc::new(Learnt::default());
    let mut questions = Vec::new();
    for _ in 0..3 {
        let mut model = Foreign::<_, true, false>::going_on(&learnt, Bags::default);
        let mut state = model.init();
        for row in &table.rows {
            let step = model.read(row, &table.values).expect("readable");
            state = after(&mut model, state, step.expect("a step"))[0];
        }
        questions.push(model.oracle().questions);
    }

    assert_eq!(vec![2, 2, 2], questions);
}
