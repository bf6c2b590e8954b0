"""A simulated node: its effects in order, and nothing out before its record is on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.machine import (
    CancelTimer,
    ClientRequest,
    Deliver,
    Detected,
    Effect,
    Event,
    Persist,
    Recover,
    Send,
    SetTimer,
    Timeout,
    Truncate,
)
from harness.simulation.links import Frame
from tests.harness.simulation.stage import OUTWARD, Puppet, Stage, labelled

actions = st.one_of(
    st.text("ppsstr.", min_size=1, max_size=6),
    st.integers(1, 700),
    st.sampled_from(["PAUSE", "RESUME", "KILL", "POWER", "START"]),
)


def act(stage: Stage, action: str | int) -> None:
    match action:
        case int():
            stage.wait(action)
        case "PAUSE":
            stage.node.pause()
        case "RESUME":
            stage.node.resume()
        case "KILL":
            stage.node.kill()
        case "POWER":
            stage.node.kill(power=True, torn=True)
        case "START":
            stage.node.start()
        case _:
            stage.tell(action)


def applied(stored: list[Any], records: Sequence[Effect]) -> list[Any]:
    for record in records:
        stored = [*stored, record.record] if isinstance(record, Persist) else list(record.records)  # type: ignore[union-attr]
    return stored


def check_life(stage: Stage, puppet: Puppet, whole: bool) -> list[list[Any]]:
    """The durability contract for one life; returns what its disk may hold afterwards."""
    recovered = next(e for e in puppet.seen if isinstance(e, Recover)).stored
    writes = [e for e in puppet.returned if isinstance(e, Persist | Truncate)]
    states = [applied(list(recovered), writes[:n]) for n in range(len(writes) + 1)]
    left = [(label, disk) for label, disk in stage.out if label[0] == puppet.life]
    outward = [place for place, effect in enumerate(puppet.returned) if isinstance(effect, OUTWARD)]
    expected = [[puppet.life, place] for place in outward]
    assert expected[: len(left)] == [label for label, _ in left], "in order, without a gap"
    assert not whole or len(expected) == len(left), "all that was returned has left"
    for (_, place), disk in left:
        before = sum(isinstance(e, Persist | Truncate) for e in puppet.returned[:place])
        assert disk in states[before:], "nothing leaves before what stands before it is durable"
    least = 0 if not left else states.index(left[-1][1])
    return states[least:]


@settings(max_examples=300)
@given(st.lists(actions, max_size=25), st.integers(0, 1000))
def test_nothing_leaves_a_node_before_its_record_is_durable(
    script: list[str | int], seed: int
) -> None:
    """The contract of harness.machine, rule 2, through pauses, kills and power failures in every
    phase of a sync: order, no gaps, nothing of a life that has ended, and what a new life finds is
    what the old one had written, up to some point behind all that had left."""
    stage = Stage(labelled, seed)
    for action in script:
        act(stage, action)
    stage.node.resume()
    stage.wait()
    possible: list[list[Any]] = [[]]
    for puppet in stage.lives:
        recovered = next(e for e in puppet.seen if isinstance(e, Recover))
        assert list(recovered.stored) in possible
        last = puppet is stage.lives[-1]
        possible = check_life(stage, puppet, whole=last and stage.node.state == "running")
    assert stage.disk.read() in possible
    lives = [label[0] for label in stage.labels]
    assert lives == sorted(lives), "a dead life is heard of no more"
    stage.end()


def test_what_stands_before_a_record_leaves_at_once() -> None:
    """A leader's requests are on their way while its own disk works."""
    stage = Stage(labelled)
    stage.tell("s.ps")
    assert [[1, 0], [1, 1]] == stage.labels
    stage.wait()
    assert [[1, 0], [1, 1], [1, 3]] == stage.labels
    stage.end()


def test_later_events_wait_behind_a_record_and_share_a_sync() -> None:
    """Rule 1: what gathered while one sync ran is covered by the next, together."""
    stage = Stage(labelled)
    for _ in range(3):
        stage.tell("ps")
    assert [] == stage.labels
    stage.wait()
    assert [1, 3, 3] == [len(disk) for _, disk in stage.out]
    stage.end()


@pytest.mark.parametrize("at_us", [0, 40, 600])
def test_a_paused_node_does_nothing_and_goes_on_in_order(at_us: int) -> None:
    """Rule 3, from before a sync to after it."""
    stage = Stage(labelled)
    stage.tell("ps")
    if at_us:
        stage.wait(at_us)
    stage.node.pause()
    before = list(stage.labels)
    stage.tell("s")
    stage.wait()
    assert (before, "paused") == (stage.labels, stage.node.state)
    assert 1 == len(stage.disk.read()), "the kernel finishes its write"
    stage.node.resume()
    stage.wait()
    assert [[1, 1], [1, 2]] == stage.labels
    stage.end()


def test_timers_of_an_old_life_do_not_ring() -> None:
    """Rule 2, also where the new life has none of that name."""

    def handler(puppet: Puppet, event: Event) -> list[Effect]:
        return [SetTimer("t", 1.0)] if isinstance(event, Recover) and puppet.life == 1 else []

    stage = Stage(handler)
    stage.node.kill()
    stage.node.start()
    stage.wait(2_000_000)
    assert [Recover([])] == stage.lives[1].seen
    stage.end()


def test_a_timer_that_ran_out_during_a_pause_rings_when_it_goes_on() -> None:
    """Rule 3; one that was cancelled meanwhile is a race that the machine must stand."""

    def handler(_: Puppet, event: Event) -> list[Effect]:
        return [SetTimer("t", 0.001)] if isinstance(event, Recover) else [CancelTimer("t")]

    stage = Stage(handler)
    stage.node.pause()
    stage.wait()
    assert 1 == len(stage.lives[0].seen)
    stage.node.resume()
    assert Timeout("t") == stage.lives[0].seen[-1]
    stage.end()


def syncs(stage: Stage, *times_us: int) -> list[int]:
    """Have the disk's syncs take so long, one after the other; returns those still to come."""
    left = list(times_us)
    stage.disk.sync_ns = lambda: left.pop(0) * 1000  # type: ignore[method-assign]
    return left


def test_the_sync_of_a_dead_life_covers_nothing_of_the_next() -> None:
    """It ends while the next one's is under way, and says nothing about it."""
    stage = Stage(labelled)
    syncs(stage, 100, 1000)
    stage.tell("ps")
    stage.node.kill()
    stage.node.start()
    stage.tell("ps")
    stage.wait(500)
    assert [] == stage.labels
    stage.wait(600)
    assert [[2, 1]] == stage.labels
    stage.end()


def test_a_disk_has_one_sync_at_a_time() -> None:
    """A pause in the middle of one begins no other; what came meanwhile waits for its own."""
    stage = Stage(labelled)
    left = syncs(stage, 100, 1000, 1)
    stage.tell("ps")
    stage.node.pause()
    stage.tell("ps")
    stage.node.resume()
    assert [1000, 1] == left
    stage.wait(600)
    assert ([[1, 1]], [1]) == (stage.labels, left)
    stage.wait(600)
    assert [[1, 1], [1, 3]] == stage.labels
    stage.end()


def test_a_node_hears_itself_without_the_network() -> None:
    """And not in its next life."""

    def handler(_: Puppet, event: Event) -> list[Effect]:
        return [Send("n1", "me")] if isinstance(event, ClientRequest) else []

    stage = Stage(handler)
    stage.node.request(1, {})
    stage.wait(1)
    assert Deliver("n1", "me") == stage.lives[0].seen[-1]
    stage.node.request(2, {})
    stage.node.kill()
    stage.node.start()
    stage.wait(1)
    assert [Recover([])] == stage.lives[1].seen
    stage.end()


def test_word_of_the_detector_is_an_event() -> None:
    """Only for who lives."""
    stage = Stage(labelled)
    stage.node.detect("n2", up=False)
    assert Detected("n2", up=False) == stage.lives[0].seen[-1]
    stage.node.kill()
    stage.node.detect("n2", up=True)
    assert 2 == len(stage.lives[0].seen)
    stage.end()


def test_a_receiver_shares_nothing_with_its_sender() -> None:
    """A message is what it was when it was sent, as over a wire."""
    message = [[1, 0]]

    def handler(_: Puppet, event: Event) -> list[Effect]:
        return [Send("peer", message)] if isinstance(event, ClientRequest) else []

    stage = Stage(handler)
    frames: list[Frame] = []
    stage.send = frames.append  # type: ignore[method-assign]
    stage.node.request(1, {})
    message[0][1] = 99
    assert b"\x91\x92\x01\x00" == frames[0].payload
    assert frames[0].message is None
    stage.end()
