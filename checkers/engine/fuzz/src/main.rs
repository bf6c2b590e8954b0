//! Fuzzes the engine: random bytes through the reader, what it takes through the search of every
//! model within small budgets; random short histories against a brute force.
//!
//! `cargo run --release -- [seconds] [seed] [model]`. One number, one case: a panic names it, and
//! `cargo run --release -- 0 NUMBER` runs that case alone. It ends with an error where the search
//! and the brute force differ, where budgets that differ give verdicts that differ, where a search
//! outlasts its budget, and where the process grows.

mod brute;
mod histories;
mod objects;
mod random;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use antipaxos_engine::journal::Journal;
use antipaxos_engine::models::{BankOptions, NAMES, Options, with};
use antipaxos_engine::schedule::{Budget, Check, Found, Reason};
use antipaxos_engine::table::Table;

use brute::Brute;
use objects::Object;
use random::Random;

/// What a search of the fuzzer may take, and how much longer is still no hang: the machine may
/// have better things to do.
const TIME: Duration = Duration::from_millis(100);
const GRACE: Duration = Duration::from_secs(2);
const MEMORY: usize = 8 << 20;
const RESIDENT_MAX: u64 = 1 << 30;

/// The case that is tried now, for the panic hook.
static CASE: AtomicU64 = AtomicU64::new(0);

#[derive(Default)]
struct Tally {
    cases: u64,
    read: u64,
    searched: u64,
    linearizable: u64,
    undecided: u64,
    slowest: Duration,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, usual| {
        let word = words.get(at).map(|word| word.parse::<u64>());
        word.unwrap_or(Ok(usual))
            .expect("usage: [seconds] [seed] [model]")
    };
    let (seconds, seed) = (number(0, 60), number(1, 1));
    let wanted = |name: &&str| words.get(2).is_none_or(|word| word == name);
    let only: Vec<&str> = NAMES.into_iter().filter(wanted).collect();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        eprintln!("case {} failed", CASE.load(Ordering::Relaxed));
        hook(panic);
    }));
    let began = Instant::now();
    let mut tally = Tally::default();
    for number in seed.. {
        CASE.store(number, Ordering::Relaxed);
        case(&mut Random::new(number), &only, &mut tally);
        if number % 256 == 0 {
            assert!(
                resident() < RESIDENT_MAX,
                "the process holds {} bytes",
                resident()
            );
        }
        if began.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    println!(
        "{} cases in {:.0} s: {} journals read; {} searches, {} linearizable, {} undecided within \
         their budget, the slowest {:.0} ms; {} MB resident",
        tally.cases,
        began.elapsed().as_secs_f64(),
        tally.read,
        tally.searched,
        tally.linearizable,
        tally.undecided,
        tally.slowest.as_secs_f64() * 1e3,
        resident() >> 20,
    );
}

/// One case: a history of some model, whole or spoilt.
fn case(random: &mut Random, only: &[&'static str], tally: &mut Tally) {
    tally.cases += 1;
    let model = random.pick(only);
    let short = random.one_in(2);
    let calls = if short {
        1 + random.below(8)
    } else {
        1 + random.below(300)
    };
    let keys = 1 + random.below(3);
    let correct = random.one_in(2) && Object::known(model);
    let text = histories::history(random, model, calls, keys, correct);
    if short {
        let table = read(text.as_bytes());
        let table = table.unwrap_or_else(|| panic!("a well-formed history is not read:\n{text}"));
        tally.read += 1;
        exactly(random, model, &table, correct, tally);
        return;
    }
    let bytes = if random.one_in(3) {
        text.into_bytes()
    } else {
        histories::spoilt(random, &text)
    };
    let Some(table) = read(&bytes) else { return };
    tally.read += 1;
    for name in only {
        within_budgets(random, name, &table, tally);
    }
}

fn read(bytes: &[u8]) -> Option<Table> {
    let mut journal = Journal::new(bytes);
    while journal.step().ok()? {}
    Some(journal.finish().ok()?.table)
}

/// The search and the brute force say the same.
fn exactly(random: &mut Random, model: &str, table: &Table, correct: bool, tally: &mut Tally) {
    let options = options(random);
    let brute = with(model, &options, table, Brute(table)).expect("a model of NAMES");
    assert!(
        !correct || brute == Some(true),
        "{model}: what a correct object did"
    );
    let budget = Budget {
        threads: 1 + random.below(2),
        witness: random.one_in(2),
        ..Budget::default()
    };
    let found = search(model, &options, table, budget, tally);
    let said = verdict(&found);
    match brute {
        Some(linearizable) => assert_eq!(Some(linearizable), said, "{model}: brute force, search"),
        // What cannot be read may stand behind what refutes.
        None => assert_ne!(
            Some(true),
            said,
            "{model}: a call that cannot be read was passed over"
        ),
    }
}

/// Small budgets are kept; verdicts within different ones do not differ.
fn within_budgets(random: &mut Random, model: &str, table: &Table, tally: &mut Tally) {
    let options = options(random);
    let small = Budget {
        time: Some(TIME),
        configurations: Some(1 << random.below(16)),
        memory: Some(MEMORY >> random.below(12)),
        threads: 1 + random.below(2),
        witness: random.one_in(2),
        ..Budget::default()
    };
    let large = Budget {
        time: Some(TIME),
        memory: Some(MEMORY),
        threads: 1,
        ..Budget::default()
    };
    let one = verdict(&search(model, &options, table, small, tally));
    let other = verdict(&search(model, &options, table, large, tally));
    if let (Some(one), Some(other)) = (one, other) {
        assert_eq!(
            one, other,
            "{model}: within {small:?}, and within {large:?}"
        );
    }
}

fn search(
    model: &str,
    options: &Options,
    table: &Table,
    budget: Budget,
    tally: &mut Tally,
) -> Found {
    let began = Instant::now();
    let mut poll = || false;
    let fast = budget.threads == 1; // else the search alone, against which the fast paths are held
    let check = Check {
        table,
        budget,
        fast: fast.then_some((model, options.initial)),
        poll: &mut poll,
    };
    let found = with(model, options, table, check).expect("a model of NAMES");
    let took = began.elapsed();
    if let Some(time) = budget.time {
        assert!(
            took < time + GRACE,
            "{model}: {took:?} where {time:?} were given"
        );
    }
    tally.searched += 1;
    tally.linearizable += u64::from(verdict(&found) == Some(true));
    tally.undecided += u64::from(found.reason.is_some_and(|reason| reason != Reason::Trouble));
    tally.slowest = tally.slowest.max(took);
    found
}

/// `None` where it was refused or is undecided.
fn verdict(found: &Found) -> Option<bool> {
    if found.refused.is_some() {
        return None;
    }
    match (found.refuted.is_empty(), found.reason) {
        (false, _) => Some(false),
        (true, None) => Some(true),
        (true, Some(_)) => None,
    }
}

/// A bank knows its balances, or does not.
fn options(random: &mut Random) -> Options {
    let balances = ["0", "1", "2"].map(|account| (account.into(), 10));
    let bank = match random.below(3) {
        0 => BankOptions::default(),
        known => BankOptions {
            balances: Some(balances.to_vec()),
            overdraft: known == 1,
        },
    };
    Options {
        bank,
        ..Options::default()
    }
}

/// Bytes of memory that the process holds; 0 where the system does not tell.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
