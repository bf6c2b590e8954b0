"""The workloads beside register, consensus and log: a correct object is VALID, each broken one not.

The objects are in imagined_objects; every bug here is one line of theirs done wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from checkers.history import History, Operation
from checkers.verdict import Kind
from harness.workloads import WORKLOADS, option_mistakes, workload
from tests.harness.imagined_objects import (
    LOAD_S,
    OBJECTS,
    WORKERS,
    Act,
    Counter,
    Elements,
    Kafka,
    Lists,
    Lock,
    Store,
    run,
    verdict,
)

Options = dict[str, Any]
VARIANTS: list[tuple[str, Options]] = [
    *((name, {}) for name in OBJECTS),
    ("queue", {"order": "unordered"}),
    ("lock", {"fencing": True}),
    ("lock", {"fencing": True, "lease_ttl_s": 0.2}),
    ("counter", {"decrements": False}),
    ("counter", {"consistency": "eventual", "settle_s": 1}),
    ("txn-list-append", {"consistency": "snapshot-isolation"}),
]


def correct(name: str, options: Options) -> Act:
    if "lease_ttl_s" in options:
        return Lock(Random(1), options["lease_ttl_s"]).act
    act: Act = OBJECTS[name](Random(1)).act
    return act


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_a_correct_object_is_valid(name: str, options: Options) -> None:
    """No workload accuses an object that acts at one instant, whatever its outcomes; and every
    operation of it occurs."""
    judged = verdict(name, run(name, correct(name, options), options), options)

    assert judged.kind is Kind.VALID, judged.summary


def test_every_workload_has_an_object() -> None:
    """Or it would not be tried here."""
    assert set(WORKLOADS) == {"register", "consensus", "log", *OBJECTS}


class Loses(Elements):
    """Now and then an add is acknowledged and forgotten."""

    def act(self, o: Operation) -> tuple[Any, Any]:
        if o.f in ("add", "broadcast", "enqueue") and self.random.random() < 0.02:
            return "ok", None
        return super().act(o)


class LosesCounts(Counter):
    def act(self, o: Operation) -> tuple[Any, Any]:
        if o.f == "add" and self.random.random() < 0.02:
            return "ok", None
        return super().act(o)


class Doubles(Elements):
    """Now and then an element is taken and stays."""

    def act(self, o: Operation) -> tuple[Any, Any]:
        held = self.held.setdefault(o.key, [])
        if o.f == "dequeue" and held and self.random.random() < 0.05:
            return "ok", held[0]
        return super().act(o)


class Disorders(Elements):
    """Last in, first out, now and then."""

    def act(self, o: Operation) -> tuple[Any, Any]:
        if o.f == "dequeue" and self.random.random() < 0.1:
            self.held.setdefault(o.key, []).reverse()
        return super().act(o)


class TwoHolders(Lock):
    """A lock is forgotten, now and then; its tokens go on."""

    def act(self, o: Operation) -> tuple[Any, Any]:
        if self.random.random() < 0.02:
            self.holders.pop(o.key, None)
        return super().act(o)


class OldTokens(Lock):
    """The token counter goes back, as after a restart from an old copy."""

    def act(self, o: Operation) -> tuple[Any, Any]:
        if self.random.random() < 0.02:
            self.tokens = max(self.tokens - 5, 0)
        return super().act(o)


class Stale(Lists):
    """Reads lack the last value, now and then."""

    def read(self, held: list[int]) -> list[int]:
        return held[:-1] if self.random.random() < 0.02 else list(held)


class Truncated(Kafka):
    """The tail of a log is lost, now and then, and its offsets are used again."""

    def act(self, o: Operation) -> tuple[Any, Any]:
        if o.f == "send" and self.random.random() < 0.02:
            self.logs[o.value[0]] = self.logs.get(o.value[0], [])[:-3]
        return super().act(o)


class Skips(Kafka):
    """A poll leaves out a message, now and then."""

    def messages(self, log: str, begin: int) -> list[Any]:
        told = super().messages(log, begin)
        if len(told) > 2 and self.random.random() < 0.05:
            told.pop(1)
        return told


class MissesEvents(Store):
    """A watch leaves out an event, now and then."""

    def act(self, o: Operation) -> tuple[Any, Any]:
        outcome, value = super().act(o)
        if o.f == "watch" and value["events"] and self.random.random() < 0.05:
            value["events"].pop(self.random.randrange(len(value["events"])))
        return outcome, value


class OldReads(Store):
    """A read is of the state before the last write of the key, now and then."""

    def act(self, o: Operation) -> tuple[Any, Any]:
        mine = [event for event in self.events if event["key"] == o.key]
        if o.f == "read" and len(mine) > 1 and self.random.random() < 0.1:
            return "ok", {"value": mine[-2]["value"], "revision": mine[-2]["revision"]}
        return super().act(o)


def changed_echo(o: Operation) -> tuple[Any, Any]:
    return "ok", "x" if o.index % 97 == 0 else o.value


def repeated_id(o: Operation) -> tuple[Any, Any]:
    return "ok", o.index % 500


BROKEN: list[tuple[str, Options, Callable[[Random], Any], str]] = [
    ("set", {}, Loses, "set-elements"),
    ("queue", {}, Loses, "queue-elements"),
    ("queue", {}, Doubles, "queue-elements"),
    ("queue", {}, Disorders, "linearizable"),
    ("queue", {"order": "unordered"}, Loses, "queue-elements"),
    ("lock", {}, TwoHolders, "linearizable"),
    ("lock", {"fencing": True}, TwoHolders, "linearizable"),
    ("lock", {"fencing": True, "lease_ttl_s": 0.2}, OldTokens, "fencing-tokens"),
    ("counter", {}, LosesCounts, "linearizable"),
    ("counter", {"consistency": "eventual", "settle_s": 1}, LosesCounts, "counting"),
    ("broadcast", {"settle_s": 1}, Loses, "set-elements"),
    ("g-set", {"settle_s": 1}, Loses, "set-elements"),
    ("kafka", {}, Truncated, "message-logs"),
    ("kafka", {}, Skips, "message-logs"),
    ("txn-list-append", {}, Stale, "transactions"),
    ("watch", {}, MissesEvents, "watches"),
    ("watch", {}, OldReads, "watches"),
    ("echo", {}, lambda _r: changed_echo, "echoed"),
    ("unique-ids", {}, lambda _r: repeated_id, "unique-ids"),
]


@pytest.mark.parametrize(("name", "options", "make", "checker"), BROKEN)
def test_a_broken_object_is_invalid(
    name: str, options: Options, make: Callable[[Random], Any], checker: str
) -> None:
    """By the checker that is there for it."""
    broken = make(Random(1))
    act = getattr(broken, "act", broken)
    # What adds of unknown outcome may have added is as much as this counter loses.
    unknown = 0.0 if options.get("consistency") == "eventual" else 0.02
    judged = verdict(name, run(name, act, options, unknown=unknown), options)

    assert judged.kind is Kind.INVALID
    assert checker in [part.checker for part in judged.parts if part.kind is Kind.INVALID]


@pytest.mark.parametrize("name", ["lock"])
def test_without_fencing_a_lease_may_have_two_holders(name: str) -> None:
    """What is taken away is no mutual exclusion: only tokens are judged."""
    options = {"fencing": True, "lease_ttl_s": 0.2}
    operations = run(name, TwoHolders(Random(1)).act, options)

    assert verdict(name, operations, options).kind is Kind.VALID


def test_a_lock_may_be_reentrant() -> None:
    """No process asks for what it holds, in the final phase neither: a lock that grants it again
    and one that refuses are judged alike."""

    class Reentrant(Lock):
        def act(self, o: Operation) -> tuple[Any, Any]:
            if o.f == "acquire" and self.holders.get(o.key, (None, 0.0))[0] == o.process:
                return "ok", {"token": self.tokens}
            return super().act(o)

    judged = verdict("lock", run("lock", Reentrant(Random(1)).act))
    assert judged.kind is Kind.VALID, judged.summary


def test_what_converges_may_be_late_and_not_for_ever() -> None:
    """Nodes that learn of an element half a second after it was acknowledged are right; one that
    never learns is not."""

    class Late(Elements):
        def act(self, o: Operation) -> tuple[Any, Any]:
            if o.f != "read":
                self.held.setdefault(int(o.process) % 3, []).append((o.time, o.value))
                return "ok", None
            mine = int(o.process) % 3
            told = [
                value
                for node, held in self.held.items()
                for time, value in held
                if node == mine or (time + self.late_ns <= o.time)
            ]
            return "ok", told

        late_ns = 500_000_000

    judged = verdict("broadcast", run("broadcast", Late(Random(1)).act))
    assert judged.kind is Kind.VALID, judged.summary
    stable = next(p for p in judged.parts if p.checker == "set-elements").evidence["stable_ms"]
    assert 400 < stable["max"] < 500

    never = Late(Random(1))
    never.late_ns = 10**18
    judged = verdict("broadcast", run("broadcast", never.act))
    assert (Kind.INVALID, "missing") == (judged.kind, judged.parts[0].evidence["kind"])


@pytest.mark.parametrize("name", OBJECTS)
def test_a_system_that_never_answers_ends_and_is_not_valid(name: str) -> None:
    """The final phase is bounded, and nothing is VALID of which nothing was seen."""
    operations = run(name, lambda _o: ("fail", None), load_s=1)

    assert operations[-1].time < 13e9
    assert verdict(name, operations).kind is Kind.UNKNOWN


def test_a_queue_is_drained_at_the_end() -> None:
    """Every key that was used is seen empty, and every element comes."""
    operations = run("queue", Elements(Random(1)).act, unknown=0)
    calls = History(operations).calls()
    put = {(call.key, call.input) for call in calls if call.f == "enqueue"}
    taken = {(call.key, call.output) for call in calls if call.f == "dequeue"}
    final = [c for c in calls if c.invoke.time >= LOAD_S * 1e9 and c.output is None]

    assert put <= taken
    assert {key for key, _ in put} <= {call.key for call in final}


def test_watches_resume_where_others_ended() -> None:
    """Most watches go on behind what some watch of the key has covered; some begin anew, some
    at 0; at the end every worker watches from 0."""
    calls = [c for c in History(run("watch", Store(Random(1)).act)).calls() if c.f == "watch"]
    load = [call.input["from"] for call in calls if call.invoke.time < LOAD_S * 1e9]

    assert load.count(None) > len(load) / 10
    assert load.count(0) > len(load) / 20
    assert sum(bool(begin) for begin in load) > len(load) / 3
    final = [call for call in calls if call.invoke.time >= LOAD_S * 1e9]
    assert {0} == {call.input["from"] for call in final}
    assert WORKERS == len({int(call.invoke.process) % WORKERS for call in final})


def test_consumers_go_on_behind_what_they_have_polled() -> None:
    """A process is given no message twice, but where it begins at 0 again."""
    calls = History(run("kafka", Kafka(Random(1)).act)).calls()
    seen: dict[Any, set[int]] = {}
    for call in calls:
        if call.f != "poll" or call.outcome != "ok" or call.invoke.time >= LOAD_S * 1e9:
            continue
        if len(call.input) == 1:
            continue
        for log, messages in call.output.items():
            offsets = {offset for offset, _ in messages}
            mine = seen.setdefault((call.invoke.process, log), set())
            assert not mine & offsets
            mine |= offsets
    assert any(len(offsets) > 20 for offsets in seen.values())


def test_transactions_append_no_value_twice_and_meet_on_lists() -> None:
    """And are of the sizes that were asked for."""
    options = {"operations_min": 2, "operations_max": 3, "appends_per_list": 10}
    calls = History(run("txn-list-append", Lists(Random(1)).act, options, unknown=0)).calls()
    load = [call for call in calls if call.invoke.time < LOAD_S * 1e9]
    appends = [(key, value) for call in load for f, key, value in call.input if f == "append"]

    assert {2, 3} == {len(call.input) for call in load}
    assert len(set(appends)) == len(appends)
    assert 10 == max(value for _, value in appends)
    assert len({key for key, _ in appends}) > 20


def test_contradictory_options_are_told() -> None:
    """Before anything starts, with what to do."""
    assert "fencing" in option_mistakes("lock", {"lease_ttl_s": 2})[0]
    assert "writes" in option_mistakes("watch", {"watch_share": 0.6, "read_share": 0.5})[0]
    assert "range" in option_mistakes("txn-list-append", {"operations_min": 5})[0]
    assert "settle_s" in option_mistakes("g-set", {"settle_s": 60})[0]
    assert "consistency" in option_mistakes("txn-list-append", {"consistency": "snapshot"})[0]
    assert option_mistakes("queue", {"order": "lifo"})
    with pytest.raises(ValueError, match="Did you mean 'queue'"):
        workload("queues")
