//! Random histories as a journal has them, and what becomes of them in bad hands.
//!
//! Rules
//! 1. `history` is well formed. Its answers are made up of few values, or those of a correct object:
//!    then it is linearizable.
//! 2. `spoilt` may be anything.

use std::fmt::Write;

use crate::objects::Object;
use crate::random::Random;

const PROCESSES: usize = 8; // at most

/// What is never plainly right somewhere in a journal, or only just.
const NASTY: [&str; 24] = [
    "NaN",
    "-Infinity",
    "1e999",
    "-0",
    "-0.0",
    "1E400",
    "18446744073709551616",
    "-9223372036854775808",
    "9223372036854775807",
    "99999999999999999999999999999999999999999999",
    "0.1e-400",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"\\uD83D\\uDE00\"",
    "{}",
    "[]",
    "{\"a\":1,\"a\":2}",
    "[[[[[[[[[[[[[[[[",
    "\n",
    "\n\n{\"index\":0}\n",
    "\u{feff}",
    "null",
    "true",
    "\"info\"",
];

/// A history of `calls` calls at most, of operations that `model` knows, over `keys` keys. Where it
/// is `correct` the answers are those of correct objects.
pub fn history(
    random: &mut Random,
    model: &str,
    calls: usize,
    keys: usize,
    correct: bool,
) -> String {
    let processes = 2 + random.below(PROCESSES - 1);
    let mut text = String::new();
    let mut objects: Vec<Object> = (0..keys).map(|_| Object::default()).collect();
    let mut open: Vec<Option<Call>> = (0..processes).map(|_| None).collect();
    let mut names: Vec<usize> = (0..processes).collect();
    let (mut index, mut invoked) = (0, 0);
    let unknown_one_in = [3, 10, 1000][random.below(3)];
    while invoked < calls || open.iter().any(Option::is_some) {
        let place = random.below(processes);
        let Some(mut call) = open[place].take() else {
            if invoked < calls {
                let call = Call::draw(random, model, invoked, keys);
                call.line(&mut text, index, names[place], "invoke", &call.input, "");
                open[place] = Some(call);
                (index, invoked) = (index + 1, invoked + 1);
            }
            continue;
        };
        if correct && call.waits {
            call.take(model, &mut objects);
            open[place] = Some(call);
            continue;
        }
        if random.one_in(unknown_one_in) {
            if random.one_in(2) {
                call.line(&mut text, index, names[place], "info", "null", "");
                index += 1;
            }
            names[place] += processes;
            continue;
        }
        let (kind, value, more) = call.end(random, correct);
        call.line(&mut text, index, names[place], kind, value, more);
        index += 1;
    }
    text
}

struct Call {
    f: &'static str,
    input: String,
    /// `None` for a compare-and-set that did not match.
    output: Option<String>,
    key: usize,
    keyed: bool,
    /// Has it yet to take effect?
    waits: bool,
}

impl Call {
    fn draw(random: &mut Random, model: &str, number: usize, keys: usize) -> Call {
        let f = random.pick(functions(model));
        let input = argument(random, model, f, number);
        let answers = [
            "read", "get", "dequeue", "pop", "contains", "propose", "acquire",
        ];
        let output = if answers.contains(&f) {
            answer(random, model, f, number)
        } else {
            input.clone()
        };
        Call {
            f,
            input,
            output: Some(output),
            key: random.below(keys),
            keyed: keys > 1,
            waits: true,
        }
    }

    fn take(&mut self, model: &str, objects: &mut [Object]) {
        self.output = objects[self.key].take(model, self.f, &self.input);
        self.waits = false;
    }

    /// Type, value and further members of the completion.
    fn end(&self, random: &mut Random, correct: bool) -> (&'static str, &str, &'static str) {
        const REFUSED: &str = ",\"error\":{\"code\":\"compare-failed\"}";
        match &self.output {
            None => ("fail", &self.input, REFUSED),
            Some(_) if !correct && random.one_in(8) => (
                "fail",
                &self.input,
                if random.one_in(2) { REFUSED } else { "" },
            ),
            Some(output) => ("ok", output, ""),
        }
    }

    fn line(
        &self,
        text: &mut String,
        index: usize,
        process: usize,
        kind: &str,
        value: &str,
        more: &str,
    ) {
        let f = self.f;
        let key = if self.keyed {
            self.key.to_string()
        } else {
            "null".to_owned()
        };
        // A string takes whatever it is given.
        let _ = writeln!(
            text,
            "{{\"index\":{index},\"time\":{index},\"process\":{process},\"type\":\"{kind}\",\
             \"f\":\"{f}\",\"value\":{value},\"key\":{key}{more}}}"
        );
    }
}

fn functions(model: &str) -> &'static [&'static str] {
    match model {
        "register" => &["read", "write"],
        "cas-register" => &["read", "write", "cas"],
        "kv" => &["get", "put", "append"],
        "log" => &["read", "append"],
        "consensus" => &["propose", "read"],
        "counter" => &["add", "read"],
        "set" => &["add", "remove", "contains", "read"],
        "fifo-queue" | "unordered-queue" => &["enqueue", "dequeue"],
        "stack" => &["push", "pop"],
        "lock" | "fenced-lock" => &["acquire", "release"],
        _ => &["transfer", "read"],
    }
}

fn argument(random: &mut Random, model: &str, f: &str, number: usize) -> String {
    let few = random.below(3);
    match (model, f) {
        (_, "cas") => format!("[{few},{}]", random.below(3)),
        ("kv", "put" | "append") => format!("\"{few}\""),
        ("bank", "transfer") => {
            format!("{{\"from\":{few},\"to\":{},\"amount\":1}}", random.below(3))
        }
        (_, "enqueue" | "push" | "append") if random.one_in(2) => number.to_string(),
        (
            _,
            "enqueue" | "push" | "append" | "write" | "propose" | "add" | "remove" | "contains",
        ) => few.to_string(),
        _ => "null".to_owned(),
    }
}

fn answer(random: &mut Random, model: &str, f: &str, number: usize) -> String {
    let few = random.below(4);
    match (model, f) {
        (_, "contains") => random.pick(&["true", "false"]).to_owned(),
        ("kv", _) => format!(
            "\"{}\"",
            &["", "0", "1", "10", "01", "2", "12"][random.below(7)]
        ),
        ("log" | "set", "read") => {
            let elements: Vec<String> = (0..random.below(4))
                .map(|_| random.below(number + 1).to_string())
                .collect();
            format!("[{}]", elements.join(","))
        }
        ("bank", _) => {
            let moved = random.below(2);
            format!("{{\"0\":{},\"1\":{},\"2\":10}}", 10 - moved, 10 + moved)
        }
        ("fifo-queue" | "unordered-queue" | "stack", _) if random.one_in(2) => {
            random.below(number + 1).to_string()
        }
        ("fenced-lock", _) => random.below(number + 2).to_string(),
        _ if few == 3 => "null".to_owned(),
        _ => few.to_string(),
    }
}

/// The text with some of its bytes changed, moved, repeated, or replaced by what is nasty.
pub fn spoilt(random: &mut Random, text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len());
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(7) {
            0 => bytes[at] = random.next().to_le_bytes()[0],
            1 => drop(bytes.drain(at..end)),
            2 => {
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            3 => drop(bytes.splice(at..end.min(at + 3), random.pick(&NASTY).bytes())),
            4 => bytes.truncate(at),
            5 => value(random, &mut bytes, at),
            _ => {
                let deep = 1 << random.below(13);
                bytes.splice(at..at, std::iter::repeat_n(b'[', deep));
            }
        }
    }
    bytes
}

/// Puts something nasty where a value stands, so that the line stays an object.
fn value(random: &mut Random, bytes: &mut Vec<u8>, from: usize) {
    let colon = bytes[from..]
        .iter()
        .position(|&byte| byte == b':')
        .map(|at| from + at + 1);
    let Some(start) = colon else { return };
    let length = bytes[start..]
        .iter()
        .position(|&byte| byte == b',' || byte == b'}')
        .unwrap_or(0);
    let long = format!("\"{}\"", "x".repeat(1 << random.below(17)));
    let nasty = if random.one_in(8) {
        &long
    } else {
        random.pick(&NASTY)
    };
    bytes.splice(start..start + length, nasty.bytes());
}
