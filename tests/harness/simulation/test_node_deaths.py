"""How the life of a simulated node ends: what is told, and that nothing of it lives on."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from harness.machine import (
    Deliver,
    Effect,
    Event,
    Persist,
    Recover,
    Reply,
    Send,
    SetTimer,
)
from tests.harness.simulation.stage import Handler, Puppet, Stage, labelled


def bad(effects: Callable[[], Sequence[Any]]) -> Handler:
    return lambda _, event: [] if isinstance(event, Recover) else effects()


def boom() -> Sequence[Effect]:
    raise ZeroDivisionError("boom")


@pytest.mark.parametrize(
    ("effects", "told"),
    [
        (boom, "ZeroDivisionError: boom"),
        (lambda: [Send("n9", 1), Send("peer", [1, 9])], "'n9', neither a peer nor itself"),
        (lambda: [Send("peer", object()), Send("peer", [1, 9])], "object is unsupported"),
        (lambda: [Persist(object()), Send("peer", [1, 9])], "object is unsupported"),
        (lambda: ["nonsense", Send("peer", [1, 9])], "'nonsense', which is no effect"),
        (lambda: [SetTimer("t", float("nan")), Send("peer", [1, 9])], "NaN"),
        (lambda: None, "NoneType"),
        (lambda: [Reply(1, 5)], "asks for what cannot be done: "),
    ],
)
def test_a_machine_that_errs_dies_and_is_told(
    effects: Callable[[], Sequence[Any]], told: str
) -> None:
    """Rule 4: with its traceback, at once, and nothing that stood behind the error leaves."""
    stage = Stage(bad(effects))
    stage.tell("anything")
    stage.wait()
    assert ("dead", [], 1) == (stage.node.state, stage.labels, stage.closed)
    assert told in stage.node.crashes[0]
    stage.node.start()
    assert "running" == stage.node.state
    assert 1 == len(stage.node.crashes), "a new life does not undo the old one's crash"
    stage.end()


class Silent:
    def handle(self, event: Event, now: float) -> None: ...


def test_a_handler_that_returns_nothing_is_told_what_to_return() -> None:
    """The commonest slip of a first machine."""
    stage = Stage(labelled)
    stage.node._build = lambda _: Silent()  # type: ignore[assignment,return-value]
    stage.node.kill()
    stage.node.start()
    assert (
        stage.node.crashes[0]
        == "its machine's handle returned None: return a list of effects, [] for none"
    )
    stage.end()


def test_a_death_behind_a_sync_ends_the_release() -> None:
    """What stands behind the error does not leave, whatever is durable."""
    stage = Stage(bad(lambda: [Persist(1), Send("n9", 1), Send("peer", [1, 9]), Persist(2)]))
    stage.tell("anything")
    stage.wait()
    assert ("dead", []) == (stage.node.state, stage.labels)
    stage.end()


def test_a_machine_that_cannot_be_built_is_a_crash() -> None:
    """Its constructor is as much its own as its handler."""
    stage = Stage(labelled)
    stage.node._build = lambda _: {}["gone"]  # type: ignore[assignment,return-value]
    stage.node.kill()
    stage.node.start()
    assert "could not be built" in stage.node.crashes[0]
    assert "dead" == stage.node.state
    stage.end()


def test_deaths_that_a_fault_explains_are_no_crashes() -> None:
    """A full disk, a failing one, a damaged log."""
    stage = Stage(labelled)
    stage.tell("pp")
    stage.wait()
    stage.disk.full = True
    stage.tell("ps")
    stage.wait()
    assert ("dead", "its disk is full") == (stage.node.state, stage.node.death)
    stage.disk.full = False
    stage.node.start()
    stage.disk.failing = {1: 1.0}
    stage.tell("ps")
    stage.wait()
    assert ("dead", "its disk failed") == (stage.node.state, stage.node.death)
    stage.node.start()
    assert ("dead", "its disk failed") == (stage.node.state, stage.node.death)
    stage.disk.failing = {}
    stage.disk.corrupt(1)
    stage.node.start()
    assert "its log is damaged: record 0 of 2 is damaged" == stage.node.death
    assert [] == stage.node.crashes
    stage.end()


def test_every_end_of_a_life_is_told() -> None:
    """The detector of the fail-stop model hears of it, whatever it was."""
    stage = Stage(labelled)
    stage.node.kill()
    stage.node.kill()
    stage.node.start()
    stage.disk.full = True
    stage.tell("p")
    stage.wait()
    assert [True, False, True, False] == stage.told
    stage.end()


@pytest.mark.parametrize("reach", ["time.time", "random.random", "os.urandom", "time.sleep"])
def test_a_machine_that_looks_outside_dies_of_it(reach: str) -> None:
    """The fence: with the name of what it called, and what to use instead."""
    module, name = reach.split(".")

    def handler(_: Puppet, event: Event) -> list[Effect]:
        if isinstance(event, Deliver):
            getattr(importlib.import_module(module), name)(1)
        return []

    stage = Stage(handler)
    with stage.fence:
        stage.tell("now")
    assert f"a machine called {reach}()" in stage.node.crashes[0]
    assert "FenceError" in stage.node.crashes[0]
    stage.end()


def test_a_constructor_stands_inside_the_fence() -> None:
    """What it drew would differ from run to run as well."""
    stage = Stage(labelled)
    stage.node._build = lambda _: Puppet(int(time.time()), labelled)  # type: ignore[assignment]
    stage.node.kill()
    with stage.fence:
        stage.node.start()
    assert "a machine called time.time()" in stage.node.crashes[0]
    stage.end()
