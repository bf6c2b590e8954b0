"""The state of machines as values: equal for equal behaviour only, and nothing left out unseen."""

from __future__ import annotations

import copy
import functools
import itertools
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from enum import Enum
from random import Random
from typing import Any

import msgspec
import pytest

from harness.exploration.freezing import Unfreezable, freeze


class Colour(Enum):
    RED = 1


class Point(msgspec.Struct):
    x: int
    y: Any


@dataclass
class Basket:
    apples: list[int] = field(default_factory=list)


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left: Any, right: Any) -> None:
        self.left, self.right = left, right


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.peer: Node | None = None
        self.handler = self.on_message
        self.quorum = functools.partial(max, 2)

    def on_message(self) -> str:
        return self.name


def couple(first: str = "a", second: str = "b") -> Node:
    one, other = Node(first), Node(second)
    one.peer, other.peer = other, one
    return one


VALUES: list[Any] = [
    None,
    0,
    False,
    0.0,
    -0.0,
    "",
    b"",
    (),
    [],
    {},
    set(),
    frozenset(),
    bytearray(),
    deque(),
    deque(maxlen=2),
    OrderedDict(),
    defaultdict(int),
    defaultdict(list),
    Counter(),
    [0],
    [False],
    [[]],
    (0,),
    {0: 1},
    {0: 1, 2: 3},
    {2: 3, 0: 1},
    Colour.RED,
    Point(1, []),
    Point(1, ()),
    Basket(),
    Basket([1]),
    Slotted(1, 2),
    Slotted(2, 1),
    couple(),
    couple("a", "c"),
    Random(1),
    Random(2),
    float("nan"),
]


def test_different_states_freeze_to_different_values() -> None:
    """Also those that Python holds equal: 0 and False, two orders of one dict, list and tuple."""
    frozen = [freeze(value) for value in VALUES]
    assert len(VALUES) == len(set(frozen))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_copy_freezes_to_the_same(value: Any) -> None:
    """Else a step that changes nothing would lead to a new state."""
    assert freeze(value) == freeze(copy.deepcopy(value))


def test_the_order_of_a_set_is_no_state() -> None:
    """It depends on the history of the set, and a deterministic machine does not."""
    one = {0, 8, 16}
    other = {16, 8, 0}
    assert freeze(one) == freeze(other)


def test_sharing_is_state() -> None:
    """Appending to one of two attributes that share a list changes both: another machine."""
    shared: list[int] = []
    assert freeze(Slotted(shared, shared)) != freeze(Slotted([], []))


def test_a_sharing_stays_the_same_when_something_before_it_grows() -> None:
    """The name of a shared object is its path, not its number."""

    def frozen(before: list[int]) -> Any:
        shared: list[int] = []
        return freeze({"a": before, "b": shared, "c": shared})

    assert frozen([])[2:] == frozen([1])[2:]


def test_what_is_unseen_does_not_count() -> None:
    """Statistics, by name of class and attribute."""
    assert freeze(Slotted(1, 2), frozenset({"Slotted.right"})) == freeze(
        Slotted(1, 3), frozenset({"Slotted.right"})
    )
    assert freeze(Slotted(1, 2), frozenset({"Other.right"})) != freeze(
        Slotted(1, 3), frozenset({"Other.right"})
    )


def capturing(value: Any) -> Any:
    return lambda: value


@pytest.mark.parametrize(
    ("hidden", "why"),
    [
        (threading.Lock(), "cannot be seen"),
        (itertools.count(), "cannot be seen"),
        (iter([1]), "cannot be seen"),
        (capturing([]), "captured a list"),
        ([].append, "copies would share"),
        ({Node("a")}, "by identity"),
        ({Node("a"): 1}, "by identity"),
    ],
)
def test_what_cannot_be_seen_is_refused_by_place(hidden: Any, why: str) -> None:
    """It is named, with its place: a part left out would merge states that differ."""
    with pytest.raises(Unfreezable, match=why) as refused:
        freeze(Slotted(1, hidden))
    assert "right" in str(refused.value)


def test_functions_that_captured_values_are_values() -> None:
    """Their code and what they captured is all there is to them."""
    assert freeze(capturing(1)) == freeze(capturing(1))
    assert freeze(capturing(1)) != freeze(capturing(2))
