//! All keys of a history, on as many threads as one likes, under one budget.
//!
//! Rules
//! 1. A history is linearizable iff that of each key is (Herlihy and Wing 1990, locality).
//! 2. Keys take turns: each gets a first turn, then those that are unfinished go on, the smallest
//!    first, with twice the work. Once a key is refuted the others end with the turn they are in,
//!    or, if all that are wrong are to be named, with the first: keys of ordinary size need no more.
//! 3. Whoever calls is asked at least every few milliseconds whether to go on (`poll`). A budget
//!    that is spent leaves keys unfinished, which is no verdict on them.
//! 4. A short history is searched on the calling thread: threads cost more than it does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::fast::{self, Answer};
use crate::key::{Key, LIMITS, Terms, Turn};
use crate::models::ForModel;
use crate::models::Model;
use crate::search::frontier::Limits;
use crate::table::{self, Table};
use crate::value::Value;

/// Work of the first turn; a step of work is some tens of nanoseconds.
const FIRST_TURN: i64 = 20_000;
/// Work of the longest: some ten milliseconds.
const LONGEST_TURN: i64 = 200_000;
/// Histories of so many calls are searched on the calling thread.
const SHORT: usize = 4_000;
/// Bytes a call that a near-linear procedure holds, about.
const FAST_HELD: usize = 128;
/// Keys that end within their turn, between two looks at the clock.
const SHORT_TURNS: u32 = 16;
/// How often the caller is asked.
const POLL: Duration = Duration::from_millis(10);

/// What a search may use; `None` is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Budget {
    /// Of wall clock, from the beginning of the search.
    pub time: Option<Duration>,
    /// Configurations held at once.
    pub configurations: Option<usize>,
    /// Bytes held beyond the table.
    pub memory: Option<usize>,
    /// How many keys are searched at a time; 0: one after the other on the calling thread, as it is
    /// best where a model is Python's.
    pub threads: usize,
    /// Is the order of a linearization asked for?
    pub witness: bool,
    /// Are all keys to be named that are refuted within their first turn? Else the search ends with
    /// the first.
    pub every: bool,
    /// What a search keeps at most before it is content with less; empty for what is usual. The
    /// answer does not depend on it.
    pub limits: &'static [Limits],
}

/// Why a search ended before it had an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The time was up.
    Time,
    /// It would have held more configurations than it may.
    Configurations,
    /// It would have held more bytes than it may.
    Memory,
    /// The caller said so.
    Interrupted,
    /// A user's model raised.
    Trouble,
}

/// What a search found out. Keys go by their places.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// How many keys are linearizable.
    pub linearizable: usize,
    /// Did any call that returned constrain anything?
    pub judged: bool,
    /// Keys that are not, with the index of the completion at which nothing was left.
    pub refuted: Vec<(usize, u64)>,
    /// Undecided keys that were begun: calls taken, calls in all.
    pub unfinished: Vec<(usize, usize, usize)>,
    /// A call that the model cannot read.
    pub refused: Option<(usize, u64)>,
    /// Set where the budget or the caller ended the search.
    pub reason: Option<Reason>,
    /// The calls of each linearizable key in an order that is one of its linearizations.
    pub orders: Vec<(usize, Vec<u64>)>,
}

/// Searches every key of a table.
pub struct Check<'a> {
    /// The history.
    pub table: &'a Table,
    /// The name of the model, and a register's initial value, if a near-linear procedure may decide
    /// keys that it fits (`fast`).
    pub fast: Option<(&'a str, Value)>,
    /// What the search may use.
    pub budget: Budget,
    /// Asked every few milliseconds; true ends the search.
    pub poll: &'a mut dyn FnMut() -> bool,
}

impl ForModel for Check<'_> {
    type Out = Found;

    fn run<M: Model + 'static>(self, make: impl Fn() -> M + Sync) -> Found {
        let begun = Instant::now();
        let shared = Shared {
            table: self.table,
            make: &make,
            fast: self.fast.filter(|_| !self.budget.witness), // which finds no order
            budget: self.budget,
            begun,
            deadline: self.budget.time.and_then(|time| begun.checked_add(time)),
            next: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            configurations: AtomicUsize::new(0),
            stop: Arc::new(AtomicBool::new(false)),
            refuted: AtomicBool::new(false),
            state: Mutex::new(Work {
                queue: Vec::new(),
                found: Found::default(),
            }),
        };
        let threads = self.budget.threads.min(self.table.key_count());
        if self.table.rows.len() <= SHORT || self.budget.threads == 0 {
            shared.work(&mut || (self.poll)());
        } else {
            shared.work_on_threads(threads.max(1), self.poll);
        }
        shared.finish()
    }
}

struct Waiting<'t, M: Model, F> {
    key: Key<'t, M, F>,
    work: i64,
    held: usize,
    configurations: usize,
}

struct Work<'t, M: Model, F> {
    queue: Vec<Waiting<'t, M, F>>,
    found: Found,
}

struct Shared<'t, M: Model, F> {
    table: &'t Table,
    make: &'t F,
    fast: Option<(&'t str, Value)>,
    budget: Budget,
    begun: Instant,
    deadline: Option<Instant>,
    next: AtomicUsize,
    held: AtomicUsize,
    configurations: AtomicUsize,
    stop: Arc<AtomicBool>,
    refuted: AtomicBool,
    state: Mutex<Work<'t, M, F>>,
}

impl<'t, M: Model, F: Fn() -> M + Sync> Shared<'t, M, F> {
    fn work_on_threads(&self, threads: usize, poll: &mut dyn FnMut() -> bool) {
        thread::scope(|scope| {
            let (ended, all_ended) = mpsc::channel::<()>();
            for _ in 0..threads {
                let ended = ended.clone();
                scope.spawn(move || {
                    self.work(&mut || false);
                    drop(ended);
                });
            }
            drop(ended);
            while all_ended.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
                if poll() {
                    self.end(Reason::Interrupted);
                } else if self.out_of_time() {
                    self.end(Reason::Time);
                }
            }
        });
    }

    fn out_of_time(&self) -> bool {
        self.budget
            .time
            .is_some_and(|time| self.begun.elapsed() >= time)
    }

    fn lock(&self) -> MutexGuard<'_, Work<'t, M, F>> {
        // A thread that panicked is reported by the scope; what it found so far is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, reason: Reason) {
        self.lock().found.reason.get_or_insert(reason);
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Gives keys their turns until there is none left, or a reason to stop.
    fn work(&self, poll: &mut dyn FnMut() -> bool) {
        let mut turns = 0_u32;
        while let Some(mut waiting) = self.take() {
            let others = self
                .held
                .load(Ordering::Relaxed)
                .saturating_sub(waiting.held);
            let room = self
                .budget
                .memory
                .unwrap_or(usize::MAX)
                .saturating_sub(others);
            let came = waiting.key.turn(waiting.work, room);
            if came == Turn::More {
                self.put_back(waiting);
            } else {
                self.held.fetch_sub(waiting.held, Ordering::Relaxed);
                self.configurations
                    .fetch_sub(waiting.configurations, Ordering::Relaxed);
                self.decide(waiting, came);
            }
            turns = turns.wrapping_add(1);
            if came != Turn::More && !turns.is_multiple_of(SHORT_TURNS) {
                continue;
            }
            if self.out_of_time() {
                self.end(Reason::Time);
            } else if poll() {
                self.end(Reason::Interrupted);
            }
        }
    }

    /// The next key to have a turn.
    fn take(&self) -> Option<Waiting<'t, M, F>> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        if !self.budget.every && self.refuted.load(Ordering::Relaxed) {
            return None;
        }
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            if place >= self.table.key_count() {
                break;
            }
            if self.decided_fast(place) {
                continue;
            }
            let usual = self.budget.limits.is_empty();
            let limits = if usual {
                &LIMITS[..]
            } else {
                self.budget.limits
            };
            let terms = Terms {
                witness: self.budget.witness,
                deadline: self.deadline,
                limits,
            };
            let key = Key::new(self.table, place, self.make, terms, &self.stop);
            return Some(Waiting {
                key,
                work: FIRST_TURN / M::COST,
                held: 0,
                configurations: 0,
            });
        }
        if self.refuted.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = self.lock();
        let smallest = (0..state.queue.len()).min_by_key(|&at| state.queue[at].held)?;
        Some(state.queue.swap_remove(smallest))
    }

    /// Does a near-linear procedure decide the key?
    fn decided_fast(&self, place: usize) -> bool {
        let Some((name, initial)) = self.fast else {
            return false;
        };
        let held = self.table.calls_of(place).saturating_mul(FAST_HELD);
        if self.budget.memory.is_some_and(|limit| held > limit) {
            return false;
        }
        let Some(answer) = fast::rows::judge(name, initial, self.table, place) else {
            return false;
        };
        let mut state = self.lock();
        match answer {
            Answer::Linearizable => state.found.linearizable += 1,
            Answer::Refuted { at } => {
                state.found.refuted.push((place, at));
                self.refuted.store(true, Ordering::Relaxed);
            }
            Answer::Declined(_) => return false,
        }
        if !state.found.judged {
            let mut model = (self.make)();
            let calls = (0..).map_while(|number| self.table.call(place, number));
            let mut completed = calls.filter(|row| row.outcome != table::Outcome::Info);
            state.found.judged =
                completed.any(|row| matches!(model.read(row, &self.table.values), Ok(Some(_))));
        }
        true
    }

    /// Counts what an unfinished key holds, and lets it wait for its next turn.
    fn put_back(&self, mut waiting: Waiting<'t, M, F>) {
        let (held, configurations) = (waiting.key.held(), waiting.key.configurations());
        let all = self.held.fetch_add(held, Ordering::Relaxed) + held;
        let all = all.saturating_sub(waiting.held);
        self.held.fetch_sub(waiting.held, Ordering::Relaxed);
        let number = self
            .configurations
            .fetch_add(configurations, Ordering::Relaxed);
        let number = (number + configurations).saturating_sub(waiting.configurations);
        self.configurations
            .fetch_sub(waiting.configurations, Ordering::Relaxed);
        (waiting.held, waiting.configurations) = (held, configurations);
        waiting.work = (waiting.work * 2).min(LONGEST_TURN / M::COST);
        self.lock().queue.push(waiting);
        if self.budget.memory.is_some_and(|limit| all > limit) {
            self.end(Reason::Memory);
        } else if self
            .budget
            .configurations
            .is_some_and(|limit| number > limit)
        {
            self.end(Reason::Configurations);
        }
    }

    fn decide(&self, waiting: Waiting<'t, M, F>, came: Turn) {
        let key = &waiting.key;
        let place = key.place();
        let reason = {
            let mut state = self.lock();
            let found = &mut state.found;
            found.judged |= key.judged();
            match came {
                Turn::Linearizable => {
                    found.linearizable += 1;
                    if self.budget.witness {
                        found.orders.push((place, key.order()));
                    }
                    None
                }
                Turn::Refuted(at) => {
                    found.refuted.push((place, at));
                    self.refuted.store(true, Ordering::Relaxed);
                    None
                }
                Turn::Refused(index) => {
                    found.refused.get_or_insert((place, index));
                    Some(Reason::Trouble)
                }
                Turn::Trouble => Some(Reason::Trouble),
                Turn::Full => Some(Reason::Memory),
                Turn::Stopped if self.out_of_time() => Some(Reason::Time),
                Turn::Stopped | Turn::More => None, // whoever stopped it gave the reason
            }
        };
        if let Some(reason) = reason {
            self.end(reason);
        }
        if matches!(came, Turn::Full | Turn::Stopped) {
            self.lock().queue.push(waiting);
        }
    }

    fn finish(self) -> Found {
        let Work { queue, mut found } = self
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        found.unfinished = queue
            .iter()
            .map(|w| {
                (
                    w.key.place(),
                    w.key.taken(),
                    self.table.calls_of(w.key.place()),
                )
            })
            .collect();
        found.unfinished.sort_unstable();
        found.refuted.sort_unstable();
        found.orders.sort_unstable();
        found
    }
}
