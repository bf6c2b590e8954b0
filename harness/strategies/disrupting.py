"""Fault schedules: which faults, of whatever kinds there are, from when until when.

Rules
1. Kinds, fields and their types are read off nemesis.faults: a kind that is added there can be
   drawn at once. Numbers are the default and a few around it; what nemesis.resolution finds wrong,
   by itself or together, is not drawn; upgrades never are, for nobody can guess their options.
2. Each fault is one element of one list, with its own start and stop, so faults overlap as they
   fall and each can be left out without moving the others. What is drawn shrinks to few faults, of
   the kind named first, on the first node, at the start, for one tick.
3. A disk is damaged only where the fault itself would choose: of more nodes than a minority no
   consensus survives.
"""

from __future__ import annotations

import functools
import itertools
import types
import typing
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Literal

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from nemesis import packages
from nemesis.faults import Fault
from nemesis.names import unknown
from nemesis.plans import overlay
from nemesis.resolution import FAULTS, nodes_min, problems
from nemesis.schedule import Schedule, Step
from nemesis.targets import TARGETS
from nemesis.topologies import TOPOLOGIES

TICK_S = 0.1
_SURVIVABLE = "everything"  # the package of all that a correct system stands
_RESOLVED = ("links", "nodes")  # filled in when the fault is applied
_SEED_MAX = 9_999
_EXPENDABLE = "expendable"
_FACTORS = (1, 0.5, 2, 4, -1)
_STEPS_MS = (500, -500, 50, 5_000)  # where the default is 0
_STEPS = (0.1, -0.1, 0.5)

# The valid values of the fields of one kind: of the first field, and below each those of the next
# that go with it.
_Tree = dict[Any, "_Tree"]


def schedules(
    nodes: Sequence[str],
    *,
    kinds: Collection[str] | None = None,
    duration_s: float = 3.0,
    max_faults: int = 5,
) -> SearchStrategy[Schedule]:
    """Fault schedules for a cluster of these nodes; nemesis.schedule finds no mistake in them.

    `kinds`: names of faults, as in `tuple(nemesis.resolution.FAULTS)`; None: all that a correct
    system stands, for which the cluster must offer disks, clocks and clients to break, as the
    simulated one does. Starts and stops are on a grid of TICK_S. Raises ValueError where there is
    no such kind, none that means anything with so few nodes, or no node.
    """
    names = survivable() if kinds is None else tuple(kinds)
    strangers = [unknown("fault", name, FAULTS) for name in names if name not in FAULTS]
    if strangers:
        raise ValueError("; ".join(strangers))
    trees = [tree for name in names if (tree := _tree(name, tuple(nodes)))]
    if not nodes or (names and not trees):
        raise ValueError(
            f"no fault of {', '.join(names)} means anything with {len(nodes)} nodes: name more"
        )
    ticks = int(duration_s / TICK_S + 1e-9)
    faults = st.lists(_spans(trees, ticks), max_size=max_faults) if trees and ticks else st.just([])
    return st.builds(
        lambda spans, seed: _schedule(spans, seed, duration_s), faults, st.integers(0, _SEED_MAX)
    )


def survivable() -> tuple[str, ...]:
    """The kinds of fault that a correct system stands, as the package of that sense has them."""
    decks = packages.package(_SURVIVABLE).decks
    used = {kind for deck in decks for slot in deck for scene in slot for kind in scene.kinds()}
    return tuple(kind for kind in FAULTS if kind in used)


_Span = tuple[Fault, float, float | None]  # from and to, in seconds; None: until the final heal


def _spans(trees: Sequence[tuple[str, _Tree]], ticks: int) -> SearchStrategy[_Span]:
    which, start, length = (
        st.integers(0, len(trees) - 1),
        st.integers(0, ticks - 1),
        st.integers(1, ticks),
    )

    @st.composite
    def span(draw: st.DrawFn) -> _Span:
        name, tree = trees[draw(which)]
        settings: dict[str, Any] = {}
        for field in _fields(name):
            values = list(tree)
            value = values[draw(st.integers(0, len(values) - 1)) if len(values) > 1 else 0]
            settings[field], tree = value, tree[value]
        begin = draw(start)
        end = begin + draw(length)
        return FAULTS[name](**settings), begin * TICK_S, end * TICK_S if end <= ticks else None

    return span()


def _schedule(spans: Sequence[_Span], seed: int, duration_s: float) -> Schedule:
    each = []
    for fault, start_s, stop_s in spans:
        steps = [Step(start_s, 1, "start", fault)]
        if stop_s is not None:
            steps.append(Step(stop_s, 1, "stop"))
        each.append(Schedule(duration_s, seed, tuple(steps)))
    return overlay(Schedule(duration_s, seed), *each)


@functools.cache
def _tree(name: str, nodes: tuple[str, ...]) -> tuple[str, _Tree] | None:
    """All settings of a kind of fault that go together; None if it means nothing here."""
    fields = _fields(name)
    root: _Tree = {}
    for values in itertools.product(*(_values(name, field, nodes) for field in fields)):
        fault = FAULTS[name](**dict(zip(fields, values, strict=True)))
        if problems(fault, nodes) or nodes_min(fault) > len(nodes):
            continue
        branch = root
        for value in values:
            branch = branch.setdefault(value, {})
    return (name, root) if root or not fields else None


def _fields(name: str) -> tuple[str, ...]:
    return tuple(f for f in FAULTS[name].__struct_fields__ if f not in _RESOLVED)


def _values(name: str, field: str, nodes: Sequence[str]) -> tuple[Any, ...]:
    """What a field may be, the simplest first; not all of it need be valid."""
    found = next(f for f in msgspec.structs.fields(FAULTS[name]) if f.name == field)
    default = found.default if found.default is not msgspec.NODEFAULT else None
    if field == "target":
        return (default,) if default == _EXPENDABLE else (*nodes, *_targets())
    if field == "topology":
        return tuple(dict.fromkeys((default, *TOPOLOGIES)))
    literals = _literals(found.type)
    if literals:
        return tuple(dict.fromkeys((default, *literals)))
    if isinstance(default, bool):
        return (default, not default)
    if isinstance(default, int | float):
        return tuple(dict.fromkeys(_numbers(field, default)))
    return (default,)


def _targets() -> Iterator[str]:
    return (target for target in TARGETS if target != _EXPENDABLE)


def _literals(of: Any) -> tuple[Any, ...]:
    if typing.get_origin(of) is Literal:
        return typing.get_args(of)
    if isinstance(of, types.UnionType):
        return tuple(v for part in typing.get_args(of) for v in _literals(part))
    return ()


def _numbers(field: str, default: int | float) -> Iterator[int | float]:
    kind = type(default)
    if default:
        return (kind(default * factor) for factor in _FACTORS)
    return (kind(number) for number in (0, *(_STEPS_MS if field.endswith("_ms") else _STEPS)))
