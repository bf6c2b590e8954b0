//! A bank: transfer an amount from one account to another, read all balances.
//!
//! Rules
//! 1. A state is the balances by the number of the account, zeros at the end left out, after a 1
//!    where they are known, or after a 0 where they are what changed since an unknown start.
//! 2. Rows are read in the order of invocation, so the first read to return before a row is known
//!    when that row is read: after it the balances are known, and reads only observe.
//! 3. Amounts are bounded as those of a counter are, and refused beyond.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::counter::Total;
use super::interner::Interner;
use super::{Effect, Model, Next, Refused, State, Step};
use crate::table::{NEVER, Outcome, Row, Table};
use crate::value::{Json, Value, Values};

const READ: u8 = 0;
const TRANSFER: u8 = 1;

/// A place in a state; the first is not a balance.
type Place = u32;

/// What a bank is told: see `checkers/models/bank.py`.
#[derive(Clone, Debug)]
pub struct BankOptions {
    /// Of each account at the start, `None` where they are not known.
    pub balances: Option<Vec<(Box<str>, i64)>>,
    /// May an account be below 0? Only where the balances are known it may not.
    pub overdraft: bool,
}

impl Default for BankOptions {
    fn default() -> Self {
        BankOptions {
            balances: None,
            overdraft: true,
        }
    }
}

/// What the operations and their arguments are called.
#[derive(Clone, Copy)]
struct Called {
    read: Option<u16>,
    transfer: Option<u16>,
    from: Option<Value>,
    to: Option<Value>,
    amount: Option<Value>,
}

/// The model `bank`.
pub struct Bank {
    called: Called,
    overdraft: bool,
    known: bool,
    initial: State,
    /// The index of the first completion so far that told the balances.
    told: u64,
    /// Were the initial balances too large?
    refused: bool,
    total: Total,
    places: HashMap<String, Place, FxBuildHasher>,
    places_of: HashMap<Value, Place, FxBuildHasher>,
    states: Interner<Box<[i64]>>,
    transfers: Interner<(Place, Place, i64)>,
    scratch: Vec<i64>,
}

impl Bank {
    /// For a history in this table.
    #[must_use]
    pub fn new(table: &Table, options: &BankOptions) -> Self {
        let text = |name| table.values.find(Json::Text(name));
        let (read, transfer) = (table.names.number("read"), table.names.number("transfer"));
        let (from, to, amount) = (text("from"), text("to"), text("amount"));
        let mut bank = Bank {
            called: Called {
                read,
                transfer,
                from,
                to,
                amount,
            },
            overdraft: options.overdraft,
            known: options.balances.is_some(),
            initial: 0,
            told: NEVER,
            refused: false,
            total: Total::default(),
            places: HashMap::default(),
            places_of: HashMap::default(),
            states: Interner::default(),
            transfers: Interner::default(),
            scratch: vec![i64::from(options.balances.is_some())],
        };
        for (account, balance) in options.balances.iter().flatten() {
            let place = bank.place(account);
            put(&mut bank.scratch, place, *balance);
            bank.refused |= bank.total.add(*balance).is_err();
        }
        let initial = bank.state();
        bank.initial = bank.states.pin(initial);
        bank
    }

    /// The state in `scratch`.
    fn state(&mut self) -> State {
        while let [_, .., 0] = *self.scratch {
            self.scratch.pop();
        }
        self.states
            .intern(self.scratch.as_slice(), |balances| balances.into())
    }

    fn place(&mut self, account: &str) -> Place {
        let next = super::interner::number_of(self.places.len() + 1);
        *self.places.entry_ref(account).or_insert(next)
    }

    /// The account that a value names, by text or number.
    fn account(&mut self, value: Value, values: &Values) -> Result<Place, Refused> {
        if let Some(&place) = self.places_of.get(&value) {
            return Ok(place);
        }
        let place = match values.get(value) {
            Json::Text(name) | Json::Big(name) => self.place(name),
            Json::Int(number) => self.place(&number.to_string()),
            _ => return Err(Refused),
        };
        self.places_of.insert(value, place);
        Ok(place)
    }

    fn read_balances(&mut self, output: Value, values: &Values) -> Result<State, Refused> {
        self.scratch.clear();
        self.scratch.push(1);
        let mut read = Total::default();
        match values.get(output) {
            Json::Map(members) => {
                for &(account, balance) in members {
                    let place = self.account(account, values)?;
                    let balance = read.read(balance, values)?;
                    put(&mut self.scratch, place, balance);
                }
            }
            Json::List(balances) => {
                for (account, &balance) in balances.iter().enumerate() {
                    let place = self.place(&account.to_string());
                    let balance = read.read(balance, values)?;
                    put(&mut self.scratch, place, balance);
                }
            }
            _ => return Err(Refused),
        }
        Ok(self.state())
    }

    fn read_transfer(&mut self, input: Value, values: &Values) -> Result<Step, Refused> {
        let Json::Map(members) = values.get(input) else {
            return Err(Refused);
        };
        let member = |wanted: Option<Value>| {
            let found = members.iter().find(|(name, _)| Some(*name) == wanted);
            found.map(|&(_, member)| member).ok_or(Refused)
        };
        let called = self.called;
        let from = self.account(member(called.from)?, values)?;
        let to = self.account(member(called.to)?, values)?;
        let amount = self.total.read(member(called.amount)?, values)?;
        let number = self
            .transfers
            .intern(&(from, to, amount), |&transfer| transfer);
        let effect = if self.overdraft {
            Effect::Total
        } else {
            Effect::Any
        };
        Ok(Step {
            code: TRANSFER,
            effect,
            a: self.transfers.pin(number),
            b: 0,
        })
    }

    fn transferred(&mut self, state: State, transfer: u32) -> Option<Next> {
        let (from, to, amount) = *self.transfers.get(transfer);
        self.scratch.clear();
        self.scratch.extend_from_slice(self.states.get(state));
        let lower = at(&self.scratch, from).checked_sub(amount)?;
        put(&mut self.scratch, from, lower);
        let higher = at(&self.scratch, to).checked_add(amount)?;
        put(&mut self.scratch, to, higher);
        if !self.overdraft && at(&self.scratch, from).min(higher) < 0 {
            return Some(Next::Illegal);
        }
        Some(Next::One(self.state()))
    }
}

fn at(balances: &[i64], place: Place) -> i64 {
    balances.get(place as usize).copied().unwrap_or(0)
}

fn put(balances: &mut Vec<i64>, place: Place, balance: i64) {
    let place = place as usize;
    if place >= balances.len() {
        balances.resize(place + 1, 0);
    }
    balances[place] = balance;
}

impl Model for Bank {
    fn read(&mut self, row: &Row, values: &Values) -> Result<Option<Step>, Refused> {
        if self.refused {
            return Err(Refused);
        }
        let f = Some(row.f);
        if f == self.called.read {
            if row.outcome != Outcome::Ok {
                return Ok(None);
            }
            let seen = self.read_balances(row.output, values)?;
            let known = self.known || self.told < row.invoked;
            self.told = self.told.min(row.returned);
            let effect = if known { Effect::Observes } else { Effect::Any };
            return Ok(Some(Step {
                code: READ,
                effect,
                a: self.states.pin(seen),
                b: 0,
            }));
        }
        if f != self.called.transfer {
            return Err(Refused);
        }
        let step = self.read_transfer(row.input, values)?;
        Ok((row.outcome != Outcome::Fail).then_some(step))
    }

    fn init(&mut self) -> State {
        self.initial
    }

    fn step(&mut self, state: State, step: Step) -> Next {
        if step.code == TRANSFER {
            return self.transferred(state, step.a).unwrap_or(Next::Trouble);
        }
        let unknown = self.states.get(state).first() == Some(&0);
        if unknown || state == step.a {
            Next::One(step.a)
        } else {
            Next::Illegal
        }
    }

    fn requires(&mut self, step: Step) -> Option<State> {
        (step.effect == Effect::Observes).then_some(step.a)
    }

    fn produces(&mut self, step: Step) -> Option<State> {
        (step.code == READ).then_some(step.a)
    }

    fn held(&self) -> usize {
        let names = 48 * self.places.capacity() + 9 * self.places_of.capacity();
        self.states.held() + self.transfers.held() + names
    }

    fn collect(&mut self, live: &[State]) {
        self.states.collect(live.iter().copied());
    }

    fn collect_steps(&mut self, live: &[Step]) {
        let (reads, transfers) = (live.iter(), live.iter());
        let initial = [self.initial].into_iter();
        let seen = reads.filter(|step| step.code == READ).map(|step| step.a);
        self.states.unpin(initial.chain(seen));
        self.transfers
            .unpin(transfers.filter(|s| s.code == TRANSFER).map(|step| step.a));
        self.transfers.collect([].into_iter());
    }
}
