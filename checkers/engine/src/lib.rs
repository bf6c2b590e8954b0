//! The linearizability search of Antipaxos. `python` alone knows Python; the rest is plain Rust.

pub mod builder;
pub mod fast;
pub mod journal;
pub mod json;
pub mod key;
pub mod models;
pub mod names;
mod pool;
#[cfg(feature = "python")]
mod python;
mod reader;
pub mod schedule;
pub mod search;
pub mod stream;
pub mod table;
pub mod value;
