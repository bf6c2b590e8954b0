"""Messages in short: as people write them, and never long."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest

from harness.brief import TEXT_MAX, brief


class Ballot(NamedTuple):
    round: int
    node: str


class Report(msgspec.Struct):
    instance: int | str
    ballot: Ballot
    value: Any


class Command(msgspec.Struct):
    id: str
    f: str
    key: str
    value: Any = None


class Batch(msgspec.Struct):
    commands: tuple[Command, ...] = ()


class Accept(msgspec.Struct):
    ballot: Ballot
    instance: int | str
    value: Any
    chosen: int = 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"ballot": [3, "n1"], "instance": None, "first": 4}, "3.n1 from 4"),
        ({"ballot": [3, "n1"], "instance": "r1", "promised": [4, "n2"]}, "3.n1 r1 promised 4.n2"),
        (
            {"ballot": [3, "n1"], "instance": "r1", "accepted": [["r1", [2, "n3"], 7]]},
            "3.n1 r1 reports r1: 2.n3 = 7",
        ),
        ({"accepted": [Report("r1", Ballot(2, "n3"), 7)]}, "reports r1: 2.n3 = 7"),
        (Accept(Ballot(3, "n1"), "r1", 7), "3.n1 r1 = 7"),
        (
            Accept(
                Ballot(3, "n1"),
                4,
                Batch((Command("c1", "put", "r1", 5), Command("c2", "get", "r2"))),
            ),
            "3.n1 slot 4 = put r1 = 5, get r2",
        ),
        (Accept(Ballot(3, "n1"), 4, Batch(), chosen=3), "3.n1 slot 4 = nothing chosen 3"),
        ({"ok": None}, "ok"),
        ({"ok": [1, 2]}, "ok [1, 2]"),
        ({"error": {"code": "no-leader", "text": "ask later"}}, "error no-leader ask later"),
        ({"leader": None}, ""),
        ({}, ""),
        ("retry", "retry"),
    ],
)
def test_people_would_write_it_so(value: Any, expected: str) -> None:
    """Ballots as 3.n1, slots and values by name; what holds nothing is not mentioned."""
    assert expected == brief(value)


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10_000,
        b"x" * 10_000,
        list(range(10_000)),
        ["y" * 999] * 999,
        nested(300),
        {"a": {1, 2}},
        {str(i): "z" * 100 for i in range(1000)},
    ],
)
def test_it_is_never_long(value: Any) -> None:
    """Whatever a system sends, the text has at most TEXT_MAX characters."""
    assert 0 < len(brief(value)) <= TEXT_MAX
