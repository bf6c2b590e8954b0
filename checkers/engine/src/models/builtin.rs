//! The models that are built in, by name.

use super::Model;
use super::bank::{Bank, BankOptions};
use super::consensus::Consensus;
use super::counter::Counter;
use super::keyed::KeyedString;
use super::locks::{FencedLock, Lock};
use super::log::Log;
use super::queues::{FifoQueue, Stack, UnorderedQueue};
use super::register::Register;
use super::sets::Set;
use crate::table::Table;
use crate::value::Value;

/// Every name that `with` knows, besides which there are users' models.
pub const NAMES: [&str; 13] = [
    "register",
    "cas-register",
    "kv",
    "log",
    "consensus",
    "counter",
    "set",
    "fifo-queue",
    "unordered-queue",
    "stack",
    "lock",
    "fenced-lock",
    "bank",
];

/// What a model may be told; the Python class of its name says which options it has.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of a register: the value before the first write, as the history's table numbers it
    /// (`Value::STRANGER` if the history does not have it).
    pub initial: Value,
    /// Of a bank.
    pub bank: BankOptions,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            initial: Value::NIL,
            bank: BankOptions::default(),
        }
    }
}

/// Something to do with a model, compiled for each model on its own.
pub trait ForModel {
    /// What comes of it.
    type Out;

    /// `make` gives a model for one key; every key needs its own, since states are a model's own.
    fn run<M: Model + 'static>(self, make: impl Fn() -> M + Sync) -> Self::Out;
}

/// Does it with the model of this name; `None` where no built-in model has it.
pub fn with<V: ForModel>(
    name: &str,
    options: &Options,
    table: &Table,
    visitor: V,
) -> Option<V::Out> {
    let names = &table.names;
    Some(match name {
        "register" | "cas-register" => {
            let model = Register::new(names, options.initial, name == "cas-register");
            visitor.run(move || model)
        }
        "kv" => visitor.run(|| KeyedString::new(names)),
        "log" => visitor.run(|| Log::new(names)),
        "consensus" => visitor.run(|| Consensus::new(names)),
        "counter" => visitor.run(|| Counter::new(names)),
        "set" => visitor.run(|| Set::new(names)),
        "fifo-queue" => visitor.run(|| FifoQueue::new(names)),
        "unordered-queue" => visitor.run(|| UnorderedQueue::new(names)),
        "stack" => visitor.run(|| Stack::new(names)),
        "lock" => visitor.run(|| Lock::new(names)),
        "fenced-lock" => visitor.run(|| FencedLock::new(names)),
        "bank" => visitor.run(|| Bank::new(table, &options.bank)),
        _ => return None,
    })
}
