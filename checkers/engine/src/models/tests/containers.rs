//! The built-in models that hold many elements: what each allows, forbids and refuses.

use super::builtin::judged;
use super::{Said, lost, ok, saw};

#[test]
fn strings() {
    let (a, b) = (ok("append", "\"a\""), ok("append", "\"b\""));
    let (long, rest) = (
        ok("append", "\"12345678901234\""),
        ok("append", "\"567890\""),
    );
    judged(
        "kv",
        &[
            &[saw("get", "\"\"")],
            &[a, b, saw("get", "\"ab\"")],
            &[a, ok("put", "\"c\""), b, saw("get", "\"cb\"")],
            &[a, long, rest, saw("get", "\"a12345678901234567890\"")],
            &[a, ok("append", "\"\\u0000\""), saw("get", "\"a\\u0000\"")],
        ],
        &[
            &[a, b, saw("get", "\"ba\"")],
            &[saw("get", "\"a\"")],
            &[a, saw("get", "\"a\\u0000\"")],
            &[long, saw("get", "\"1234567890123\"")],
        ],
        &[ok("append", "1"), saw("get", "null"), ok("set", "\"a\"")],
    );
}

#[test]
fn logs() {
    let (one, two) = (ok("append", "1"), ok("append", "2"));
    judged(
        "log",
        &[
            &[saw("read", "[]")],
            &[
                one,
                two,
                saw("read", "[1, 2]"),
                two,
                saw("read", "[1, 2, 2]"),
            ],
        ],
        &[
            &[one, two, saw("read", "[2, 1]")],
            &[one, saw("read", "[]")],
            &[saw("read", "[1]")],
        ],
        &[saw("read", "3"), saw("read", "null"), ok("write", "1")],
    );
}

#[test]
fn sets() {
    let (one, two) = (ok("add", "1"), ok("add", "2"));
    let there = ("contains", "1", "ok", "true");
    judged(
        "set",
        &[
            &[saw("read", "[]"), one, two, saw("read", "[2, 1, 1]"), there],
            &[
                one,
                ok("remove", "1"),
                ("contains", "1", "ok", "false"),
                saw("read", "[]"),
            ],
        ],
        &[
            &[one, saw("read", "[]")],
            &[one, saw("read", "[true]")],
            &[there],
            &[one, ok("remove", "1"), there],
        ],
        &[
            saw("read", "null"),
            ("contains", "1", "ok", "1"),
            ok("write", "1"),
        ],
    );
}

#[test]
fn queues_and_stacks() {
    let (one, two) = (ok("enqueue", "1"), ok("enqueue", "2"));
    let took = |v| saw("dequeue", v);
    let refused = [ok("enqueue", "null"), ok("push!", "1")];
    let unseen: &[Said] = &[one, two, lost("dequeue", "null"), took("2"), took("null")];
    judged(
        "fifo-queue",
        &[
            &[took("null"), one, two, took("1"), took("2"), took("null")],
            unseen,
        ],
        &[
            &[one, two, took("2")],
            &[one, took("1"), took("1")],
            &[one, took("null")],
        ],
        &refused,
    );
    judged(
        "unordered-queue",
        &[
            &[one, two, took("2")],
            &[one, one, took("1"), took("1"), took("null")],
            unseen,
        ],
        &[
            &[one, took("2")],
            &[one, took("1"), took("1")],
            &[one, took("null")],
        ],
        &refused,
    );
    let (one, two) = (ok("push", "1"), ok("push", "2"));
    let popped = |v| saw("pop", v);
    judged(
        "stack",
        &[
            &[
                popped("null"),
                one,
                two,
                popped("2"),
                popped("1"),
                popped("null"),
            ],
            &[one, two, lost("pop", "null"), popped("1")],
        ],
        &[
            &[one, two, popped("1")],
            &[one, popped("null")],
            &[popped("1")],
        ],
        &[ok("push", "null"), ok("dequeue", "null")],
    );
}
