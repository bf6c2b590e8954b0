"""The fence: a machine that looks at a clock or draws by itself dies of it; nobody else does."""

from __future__ import annotations

import os
import random
import secrets
import threading
import time
import uuid
from collections.abc import Callable

import pytest

from harness.simulation.fence import FORBIDDEN, Fence, FenceError

ORIGINALS = [
    (module, name, getattr(module, name))
    for module, names in FORBIDDEN
    for name in names
    if hasattr(module, name)
]


def altered() -> list[str]:
    return [f"{m.__name__}.{name}" for m, name, was in ORIGINALS if getattr(m, name) is not was]


@pytest.mark.parametrize(
    "reach",
    [
        lambda: time.time(),
        lambda: time.monotonic_ns(),
        lambda: time.sleep(0),
        lambda: random.random(),
        lambda: random.shuffle([1, 2]),
        lambda: os.urandom(1),
        lambda: uuid.uuid4(),
        lambda: secrets.token_bytes(1),
        lambda: secrets.randbelow(5),
    ],
)
def test_clocks_and_chance_are_out_of_reach_inside(reach: Callable[[], object]) -> None:
    """Rule 1, and the sentence says what to use."""
    with Fence() as fence:
        reach()
        fence.up = True
        with pytest.raises(FenceError, match=r"Time comes in as `now`"):
            reach()
        fence.up = False
        reach()


def test_the_originals_are_back_afterwards() -> None:
    """Rule 2."""
    with Fence():
        assert altered()
    assert [] == altered()


def test_the_originals_are_back_after_an_exception() -> None:
    """Also where a machine was at work."""

    def stop() -> None:
        with Fence() as fence:
            fence.up = True
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert [] == altered()
    time.time()


def test_fences_nest() -> None:
    """The inner one's end is not the outer one's."""
    with Fence() as outer:
        with Fence():
            pass
        outer.up = True
        with pytest.raises(FenceError):
            time.time()
        outer.up = False
    assert [] == altered()


def test_fences_may_end_in_any_order() -> None:
    """Two simulations in two threads end as they like."""
    one, two = Fence(), Fence()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    two.up = True
    with pytest.raises(FenceError):
        time.time()
    two.__exit__(None, None, None)
    assert [] == altered()


def test_other_threads_go_on() -> None:
    """Rule 2: a machine at work here is no concern of theirs."""
    seen: list[float] = []
    with Fence() as fence:
        fence.up = True
        thread = threading.Thread(target=lambda: seen.append(time.time()))
        thread.start()
        thread.join()
        fence.up = False
    assert 1 == len(seen)
