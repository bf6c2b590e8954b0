"""The replicated log: batches, sessions, reads, forwarding, catch-up, snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
import pytest

from checkers.laws import breaches
from reference_impl.limits import Limits
from reference_impl.logmessages import Accepted, Answers, Command, Forward, Heard, Heartbeat
from reference_impl.messages import Accept
from reference_impl.multipaxos import MultiPaxos
from reference_impl.once import Numbers
from reference_impl.rules import Rules
from reference_impl.sessions import Sessions
from tests.reference_impl.world import Links, World

FIVE = ("n1", "n2", "n3", "n4", "n5")
SMALL = Limits(snapshot_every_slots=40, retain_slots=20, snapshot_part_bytes=4)


def world_of(
    *,
    seed: int = 1,
    learning: str = "distinguished",
    reads: str = "quorum",
    limits: Limits | None = None,
    links: Links | None = None,
    names: Sequence[str] = FIVE,
) -> World:
    def build(name: str, peers: Sequence[str], rng: Random) -> Any:
        return MultiPaxos(
            name=name,
            peers=peers,
            rng=rng,
            learning=learning,
            refusals=True,
            reads=reads,
            rules=Rules(),
            limits=limits,
        )

    world = World(seed, names, build, links)
    world.start()
    return world


def led(**settings: Any) -> tuple[World, str, list[str]]:
    """A world with a leader, its name, and the names of the followers."""
    world = world_of(**settings)
    leader = world.await_leader()
    world.run(0.1)
    return world, leader, [n for n in world.names if n != leader]


def slots(world: World) -> int:
    return len({e.instance for e in world.trace if e.event == "chosen"})


def assert_lawful(world: World) -> None:
    broken, judged = breaches(world.trace, world.names)
    assert broken == {}
    assert {"chosen-once", "accepted-kept", "p2b"} <= set(judged)


def put_many(world: World, node: str, count: int, key: str = "k") -> None:
    for value in range(count):
        assert world.ask(node, f="put", key=f"{key}{value % 7}", value=value) == {"ok": None}


def test_a_burst_of_requests_ends_in_few_slots() -> None:
    """Requests that arrive while the window is busy share the next slot, wherever they came in."""
    world, _, _ = led()
    answers: list[Any] = []
    for number in range(200):
        world.request(FIVE[number % 5], answers.append, f="append", key="list", value=number)
    world.run(0.5)

    assert answers == [{"ok": None}] * 200
    assert slots(world) <= 8
    assert sorted(world.ask("n1", f="get", key="list")["ok"]) == list(range(200))


@pytest.mark.parametrize("learning", ["all", "distinguished"])
def test_phase_1_runs_once_per_leadership(learning: str) -> None:
    """However many slots are filled, a leader that nobody disturbs prepares once."""
    world, leader, _ = led(learning=learning)
    put_many(world, leader, 50)

    assert sum(e.event == "prepare" for e in world.trace) == 1
    assert slots(world) == 50


def test_functions_of_the_map() -> None:
    """get, put, cas and append through any node, with JSON's idea of equality."""
    world, leader, followers = led()
    asked = [
        ({"f": "get", "key": "a"}, {"ok": None}),
        ({"f": "put", "key": "a", "value": 1}, {"ok": None}),
        ({"f": "cas", "key": "a", "value": [1.0, {"x": True}]}, {"ok": None}),
        ({"f": "get", "key": "a"}, {"ok": {"x": True}}),
        ({"f": "append", "key": "b", "value": 1}, {"ok": None}),
        ({"f": "append", "key": "b", "value": [2]}, {"ok": None}),
        ({"f": "get", "key": "b"}, {"ok": [1, [2]]}),
    ]
    for number, (request, expected) in enumerate(asked):
        assert world.ask([leader, *followers][number % 5], **request) == expected

    codes = [
        world.ask(followers[0], **request)["error"]["code"]
        for request in (
            {"f": "cas", "key": "a", "value": [{"x": 1}, 2]},  # 1 is not true
            {"f": "cas", "key": "a", "value": 5},
            {"f": "append", "key": "a", "value": 5},
            {"f": "put", "key": "a", "value": 1, "session": "s"},
            {"f": "put", "key": "a", "value": 1, "session": "s", "seq": True},
            {"f": "put", "key": "a", "value": "x" * 600_000},
            {"f": "pit", "key": "a", "value": 1},
        )
    ]
    assert codes == ["compare-failed", *["malformed"] * 5, "unsupported"]


def test_a_retried_command_is_applied_once() -> None:
    """The same session and seq, asked again through another node and again of a new leader, is
    answered as before and changes nothing; an older seq is not applied any more."""
    world, leader, followers = led()
    retry = {"f": "append", "key": "list", "value": "x", "session": "s", "seq": 1}
    assert world.ask(leader, **retry) == {"ok": None}
    assert world.ask(followers[0], **retry) == {"ok": None}
    world.crash(leader)
    second = world.await_leader()
    assert world.ask(second, **retry) == {"ok": None}
    assert world.ask(second, **{**retry, "seq": 2, "value": "y"}) == {"ok": None}

    assert world.ask(second, **retry)["error"]["code"] == "timeout"
    assert world.ask(second, f="get", key="list") == {"ok": ["x", "y"]}


def test_sessions_are_bounded() -> None:
    """The session that was used least recently in the log is forgotten first."""
    sessions = Sessions(2)
    for session in ("a", "b", "a", "c"):
        sessions.applied(session, 1, {"ok": session})

    assert [sessions.earlier(s, 1) for s in "abc"] == [{"ok": "a"}, None, {"ok": "c"}]


def test_sessions_survive_snapshots() -> None:
    """A replica that got its state as a snapshot recognises the same retries as the others."""
    world, leader, followers = led(limits=SMALL)
    world.crash(followers[0])
    request = {"f": "append", "key": "list", "value": "x", "session": "s", "seq": 1}
    assert world.ask(leader, **request) == {"ok": None}
    put_many(world, leader, 90)
    world.start(followers[0])
    world.run(0.5)
    assert world.sent["part"] > 0
    world.crash(leader, *followers[1:3])
    world.start(*followers[1:3])
    world.run(3.0)

    assert world.ask(followers[0], **request) == {"ok": None}
    assert [world.nodes[n].machine._replica.state.get("list") for n in followers] == [
        {"ok": ["x"]} for _ in followers
    ]


def test_a_forwarded_command_that_comes_twice_is_proposed_once() -> None:
    """The network duplicates every message; a put without a session, whose copy arrives long
    after, does not come back to overwrite what was put since."""
    world, _, followers = led(links=Links(duplicate=1.0))
    for value in range(30):
        assert world.ask(followers[value % 4], f="append", key="l", value=value) == {"ok": None}
    world.run(1.0)

    assert world.ask(followers[0], f="get", key="l") == {"ok": list(range(30))}
    assert_lawful(world)


def test_numbers_far_below_the_highest_count_as_seen() -> None:
    """The memory of what was forwarded is bounded, on the safe side."""
    numbers = Numbers()
    assert numbers.add(1)
    assert not numbers.add(1)
    assert all(numbers.add(n) for n in range(2, 20_000))

    assert not numbers.add(1)
    assert not numbers.add(19_999)
    assert numbers.add(20_001)
    assert numbers.add(20_000)


def test_a_quorum_read_needs_a_majority_after_it_arrived() -> None:
    """Confirmations of earlier beats do not count: with answers held back from the moment that the
    read arrives, it waits, though the leader has heard a majority a moment ago."""
    world, leader, followers = led()
    world.ask(leader, f="put", key="k", value="v")
    world.drop = lambda _src, dst, m: dst == leader and isinstance(m, Heard | Accepted)
    answers: list[Any] = []
    world.request(leader, answers.append, f="get", key="k")
    world.run(0.4)
    assert answers == []

    world.drop = lambda *_: False
    world.run(0.1)
    assert answers == [{"ok": "v"}]
    assert slots(world) == 1
    assert world.ask(followers[0], f="get", key="k") == {"ok": "v"}


@pytest.mark.parametrize("seed", range(8))
def test_a_new_leader_reads_only_after_it_applied_what_was_chosen(seed: int) -> None:
    """The leader answers a put, and dies before anybody is told that the slot was chosen. The next
    one learns it in phase 1; a read that came to it before is not answered from its older state."""
    world, leader, followers = led(seed=seed)
    world.drop = lambda _src, dst, m: dst != leader and isinstance(m, Heartbeat)
    assert world.ask(leader, f="put", key="k", value="v") == {"ok": None}
    world.crash(leader)
    world.drop = lambda *_: False
    answers: list[Any] = []
    for _ in range(100):
        for node in followers:
            world.request(node, answers.append, f="get", key="k")
        world.run(0.01)
    world.run(1.0)

    assert {a["ok"] for a in answers if "ok" in a} == {"v"}
    assert {a["error"]["code"] for a in answers if "ok" not in a} <= {"leadership-lost"}


def test_requests_without_a_leader_wait_and_then_fail_definitely() -> None:
    """Of two nodes in five no leader comes: what was asked was never sent, and the answer says
    so. A request that was forwarded to a leader which then dies has an open fate."""
    world, leader, followers = led()
    lost: list[Any] = []
    world.drop = lambda _src, dst, m: dst == leader and isinstance(m, Forward)
    world.request(followers[0], lost.append, f="put", key="k", value="v")
    world.crash(leader, followers[2], followers[3])
    world.run(1.0)
    assert [a["error"]["code"] for a in lost] == ["leadership-lost"]

    answer = world.ask(followers[0], f="put", key="k", value="w")
    assert answer["error"]["code"] == "no-leader"
    assert slots(world) == 0


@pytest.mark.parametrize("learning", ["all", "distinguished"])
def test_a_node_that_lags_catches_up(learning: str) -> None:
    """Cut off while slots are filled, then healed: it learns them all."""
    world, leader, followers = led(learning=learning)
    world.partition([n for n in FIVE if n != followers[0]], [followers[0]])
    put_many(world, leader, 60)
    world.heal()
    world.run(1.0)

    assert {world.status(n)["chosen"] for n in FIVE} == {60}
    assert_lawful(world)


@pytest.mark.parametrize("seed", range(4))
def test_a_node_behind_the_log_gets_a_snapshot_in_parts(seed: int) -> None:
    """With the missed slots truncated everywhere, parts of a snapshot arrive over a network that
    loses and repeats them; promises that would have to leave slots out are not given."""
    world, leader, followers = led(seed=seed, limits=SMALL)
    lagging = followers[0]
    world.crash(lagging)
    put_many(world, leader, 130)
    world.links = Links(lose=0.1, duplicate=0.1)
    world.start(lagging)
    world.crash(leader)
    world.run(6.0)
    world.links = Links()
    world.run(2.0)

    assert world.sent.get("part", 0) > 2
    assert world.status(lagging)["chosen"] >= 130
    assert [world.ask(lagging, f="get", key=f"k{n}")["ok"] for n in range(7)] == [
        max(v for v in range(130) if v % 7 == n) for n in range(7)
    ]
    assert_lawful(world)


@pytest.mark.parametrize("limits", [SMALL, None], ids=["truncating", "whole log"])
def test_a_cluster_that_restarts_as_a_whole_has_lost_nothing(limits: Limits | None) -> None:
    """Everything answered is there after all nodes crashed; logs are bounded by truncation, and
    most slots need not be chosen again."""
    world, leader, _ = led(limits=limits)
    put_many(world, leader, 150)
    world.crash(*FIVE)
    before = slots(world)
    if limits is not None:
        assert max(len(world.nodes[n].disk) for n in FIVE) < 150
    trace_at = len(world.trace)
    world.start()
    second = world.await_leader()
    world.run(0.5)

    assert [world.ask(second, f="get", key=f"k{n}")["ok"] for n in range(7)] == [
        max(v for v in range(150) if v % 7 == n) for n in range(7)
    ]
    proposed_again = {e.instance for e in world.trace[trace_at:] if e.event == "accept"}
    assert len(proposed_again) <= 8 < before
    assert_lawful(world)


def test_what_is_kept_fits_into_one_promise() -> None:
    """Large values bring the snapshot forward, so that phase 1 stays possible after a restart."""
    limits = Limits(snapshot_every_bytes=200_000, retain_bytes=50_000)
    world, leader, _ = led(limits=limits)
    for value in range(40):
        request = {"f": "put", "key": f"k{value % 3}", "value": f"{value}" + "x" * 20_000}
        assert world.ask(leader, **request) == {"ok": None}
    sizes = [
        len(msgspec.msgpack.encode(r))
        for r in world.nodes[leader].disk
        if type(r).__name__ == "AcceptedProposal"
    ]

    assert 0 < sum(sizes) < 300_000
    world.crash(*FIVE)
    world.start()
    assert world.ask(world.await_leader(), f="get", key="k0")["ok"].startswith("39")


def test_a_stale_answer_is_not_taken_for_a_new_one() -> None:
    """An answer of an earlier life, to a command with the same number, reaches nobody."""
    world, leader, followers = led()
    node = followers[0]
    answers: list[Any] = []
    world.drop = lambda _src, dst, m: dst == leader and isinstance(m, Forward)
    world.request(node, answers.append, f="put", key="k", value="v")
    world._send(leader, node, Answers(((f"{node}.1.99", {"ok": "stale"}),)))
    world._send(leader, node, Answers(((f"{leader}.1.1", {"ok": "stale"}),)))
    world.run(0.2)

    assert answers == []


@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        ["prepare"],
        ["prepare", [1], None, 1],
        ["prepare", [-1, "n2"], None, 1],
        ["prepare", [2**63, "n2"], None, 1],
        ["prepare", [1, "n2"], "a key", None],
        ["accept", [9, "n2"], "slot", [[]], 0, 0],
        ["accept", [9, "n2"], 1, {"commands": 5}, 0, 0],
        ["entries", 1, "many"],
        ["part", 5, 9, 2, b"x"],
        {"type": "prepare"},
        "prepare",
        b"\x00",
    ],
    ids=repr,
)
def test_malformed_messages_are_dropped(message: Any) -> None:
    """What does not fit a message's shape changes nothing and crashes nobody."""
    world, leader, followers = led()
    for node in (leader, followers[0]):
        world._send(followers[1], node, message)
    world.run(0.2)

    assert world.ask(followers[0], f="put", key="k", value="v") == {"ok": None}
    assert world.leader() == leader


def test_strangers_are_not_heard() -> None:
    """A message from a node that is no member is dropped, whatever it says."""
    world, leader, followers = led()
    world.nodes["n9"] = world.nodes[followers[0]]
    command = Command("n9.1.1", "put", "k", "v")
    world._send("n9", leader, Forward((1, "n9"), 1, 1, command))
    world._send("n9", followers[1], Accept((99, "n9"), 1, ((),)))
    world.run(0.2)

    assert slots(world) == 0
    assert world.leader() == leader
