"""The message story: a line an event that a person can read, filtered, bounded, harmless."""

from __future__ import annotations

import pytest

from harness.report.story import Only, story
from harness.worldlog import CLIENT, WorldEvent
from tests.harness.report_scenes import HOSTILE
from tests.harness.worlds import World, busy, synod

SYNOD = """\
    0.000000 s  n1 starts with an empty disk
    0.000000 s  n2 starts with an empty disk
    0.000000 s  n3 starts with an empty disk
    0.001000 s  client -> n1  request propose r1 7
    0.001400 s  n1 <- client  request propose r1 7  (after 0.400 ms)
    0.001400 s  client 3 asks n1: propose r1 = 7
    0.001400 s  n1 prepares 1.n1 r1
    0.001400 s  n1 -> n2  prepare 1.n1 r1
    0.001400 s  n1 -> n3  prepare 1.n1 r1  (lost)
    0.002100 s  n2 <- n1  prepare 1.n1 r1  (after 0.700 ms)
    0.002100 s  n2 writes to disk: promised 1.n1 r1
    0.002100 s  n2 promises 1.n1 r1
    0.002100 s  n2 -> n1  promise 1.n1 r1
    0.002900 s  n1 <- n2  promise 1.n1 r1  (after 0.800 ms)
    0.002900 s  n1 asks to accept 1.n1 r1 = 7
    0.002900 s  n1 -> n3  accept 1.n1 r1 = 7
    0.002900 s  n1 -> n2  accept 1.n1 r1 = 7
    0.003500 s  n2 <- n1  accept 1.n1 r1 = 7  (after 0.600 ms)
    0.003500 s  n2 accepts 1.n1 r1 = 7
    0.003500 s  n2 -> n1  accepted 1.n1 r1 = 7
    0.003900 s  n2 <- n1  accept 1.n1 r1 = 7  (after 1.000 ms, again)
    0.004200 s  n1 <- n2  accepted 1.n1 r1 = 7  (after 0.700 ms)
    0.004200 s  n1 learns that chosen is r1 = 7
    0.004200 s  n1 answers client 3: propose r1 = 7 -> ok 7  (after 2.800 ms)
    0.004200 s  n1 -> client  reply ok 7
    0.004200 s  n1 -> n3  chosen r1 = 7
    0.004800 s  client <- n1  reply ok 7  (after 0.600 ms)
    0.005000 s  n2 crashes: killed
    0.005100 s  n3 <- n1  chosen r1 = 7  (after 0.900 ms)
    0.005100 s  n3 is paused
    0.905000 s  n3 goes on
    0.905000 s  n3 <- n1  accept 1.n1 r1 = 7  (after 902.100 ms, late: a later one overtook it)
    0.906000 s  n2 restarts with 2 records
    0.907000 s  n1 timer retry runs out
    0.907000 s  n1 -> n2  query r1  (never arrives)"""


def test_one_instance_told() -> None:
    """Every event of one instance of Paxos, with losses, a repetition, a crash and a pause."""
    assert SYNOD.splitlines() == story(synod().events)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Only(nodes=frozenset({"n3"})), [3, 9, 16, 26, 29, 30, 31, 32]),
        (Only(nodes=frozenset({CLIENT})), [4, 5, 6, 24, 25, 27]),
        (Only(kinds=frozenset({"lost"})), [9]),
        (Only(kinds=frozenset({"promise"})), [12, 13, 14]),
        (Only(kinds=frozenset({"crash", "start"})), [1, 2, 3, 28, 33]),
        (Only(nodes=frozenset({"n3"}), kinds=frozenset({"accept"})), [16, 32]),
        (Only(keys=frozenset({"r"})), []),
        (Only(start_ns=5_000_000, end_ns=5_100_000), [28, 29, 30]),
    ],
)
def test_only_what_was_asked_for_is_told(only: Only, expected: list[int]) -> None:
    """By node, by kind of event or message, by key as a whole word, by time."""
    lines = SYNOD.splitlines()
    assert [lines[number - 1] for number in expected] == story(synod().events, only)


def test_a_key_finds_requests_their_answers_and_messages() -> None:
    """r1 is not r12, and an answer counts that does not repeat its key."""
    w = World()
    for number, key in enumerate(("r1", "r12")):
        w.add("n1", "request", id=number, f="put", key=key, value=5)
        w.send("n1", "n2", "accept", f"1.n1 {key} = 5")
        w.add("n1", "reply", id=number, text="ok")
    told = story(w.events, Only(keys=frozenset({"r1"})))
    assert 3 == len(told)
    assert [] == [line for line in told if "r12" in line]
    assert told[-1].endswith("n1 answers client: put r1 = 5 -> ok  (after 0.000 ms)")


def test_request_numbers_begin_anew_with_a_life() -> None:
    """An answer is told with the latest request of its number."""
    w = World()
    w.add("n1", "request", id=1, f="put", key="a", value=1)
    w.add("n1", "crash")
    w.add("n1", "request", id=1, f="get", key="b")
    w.add("n1", "reply", id=1, text="ok 7")
    assert "get b -> ok 7" in story(w.events)[-1]


def test_what_is_left_out_is_counted() -> None:
    """The first lines, or those about a time; the others are counted in a line of their own."""
    events = busy(2_000)
    everything = story(events, most=10**6)
    first = story(events, most=100)
    assert [*everything[:100], _left_out(len(everything) - 100, "later")] == first
    middle = story(events, most=90, around_ns=events[1000].time)
    assert 92 == len(middle)
    start = everything.index(middle[1])
    assert everything[start : start + 90] == middle[1:-1]
    assert [_left_out(start, "earlier"), _left_out(len(everything) - start - 90, "later")] == [
        middle[0],
        middle[-1],
    ]
    assert everything[-100:] == story(events, most=100, around_ns=10**15)[1:]


def _left_out(count: int, side: str) -> str:
    return f"… {count:,} {side} lines are left out: name nodes, kinds, keys or times to see them"


WHATS = ("send", "receive", "lost", "timeout", "request", "reply", "persist", "crash", "start")


@pytest.mark.parametrize("what", [*WHATS, "pause", "resume", "event", "dream", HOSTILE])
def test_texts_of_the_system_stay_on_their_line(what: str) -> None:
    """Line breaks, terminal codes, overlong texts: a line is one line, short, and printable."""
    evil = HOSTILE + "\n\r\x00\u202e" + "x" * 10_000
    event = WorldEvent(
        1, evil, what, to=evil, src=evil, id=1, kind=evil, text=evil, name=evil, f=evil, key=evil,
        value=[evil], client=evil, event=evil,
    )  # fmt: skip
    for events in ([event], [event, event]):
        for line in story(events):
            assert line.isprintable()
            assert len(line) < 700


def test_a_log_that_begins_in_the_middle_is_told() -> None:
    """An arrival without its sending, an answer without its question, a loss without either."""
    w = World()
    w.add("n1", "receive", src="n2", id=5)
    w.add("n1", "reply", id=5, text="ok")
    w.add("n1", "lost", to="n2", id=6)
    told = [line.split("s  ", 1)[1] for line in story(w.events)]
    assert [
        "n1 <- n2  a message  (its sending is not recorded)",
        "n1 answers client: ok",
        "n1 -> n2  a message  (lost)",
    ] == told
