"""Symmetry: configurations that differ only in the names of interchangeable processes are one.

Rules
1. The user declares sets of processes that are interchangeable: built alike but for their names,
   asked alike, and treated alike by all others. Acceptors that never propose are; proposers with
   different values are not, nor are Paxos nodes whose names break ties between ballots.
2. A name is renamed wherever it stands alone: as a string of its own, in a local state or in a
   message. A name inside a longer string is refused, for its image would not be recognised.
3. What a process still holds as it held it at the start counts as unchanged, not by its content:
   a tuple of peers in sorted order has no renamed twin that is ever reached. The declaration says
   that the starts correspond, and that is checked: up to the order in lists of names.
4. The key of a configuration is the least of its images under all permutations; equal keys mean
   that one is an image of the other, so each can do what the other can. Properties must not tell
   interchangeable processes apart either.

Source: Ip and Dill, Better verification through symmetry, 1996 (scalar sets).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import permutations, product
from typing import Any

from harness.exploration.configuration import Configuration, World
from harness.exploration.freezing import Frozen, Names, freeze


class _Unchanged:
    """Stands for a part of a state that is as it was at the start."""


class NotInterchangeable(ValueError):
    """The processes declared to be alike are not."""


class Symmetry:
    """canonical(configuration) for search.search; `sets`: the interchangeable processes."""

    def __init__(self, world: World, *sets: Sequence[str]) -> None:
        self._world = world
        self._names = world.system.processes
        self._keys: dict[Frozen, int] = {}
        self._starts = [world.cells.known[c].local for c in world.initial[:-1]]
        self._renamings = [_Renaming(self._names, image) for image in _images(self._names, sets)]
        for renaming in self._renamings:
            self._check(renaming)

    def __call__(self, configuration: Configuration) -> Configuration:
        """The key of a configuration: it looks like one, and serves for comparison only."""
        best: tuple[int, ...] | None = None
        for renaming in self._renamings:
            cells = renaming.cells
            try:
                image = tuple([cells[configuration[p]] for p in renaming.origins])
            except KeyError:
                image = tuple([self._cell(renaming, configuration[p]) for p in renaming.origins])
            if best is None or image < best:
                best = image
        assert best is not None
        return (*best, configuration[-1])

    def _cell(self, renaming: _Renaming, cell: int) -> int:
        """The number of the image of a cell."""
        if cell not in renaming.cells:
            local, inbox = self._world.cells.known[cell]
            carried = sorted(self._message(renaming, message) for message in inbox)
            renaming.cells[cell] = self._key((self._local(renaming, local), *carried))
        return renaming.cells[cell]

    def _local(self, renaming: _Renaming, local: int) -> int:
        if local not in renaming.locals:
            process, *state = self._world.processes.locals[local].frozen
            image = renaming.of(_since(tuple(state), self._start(process)))
            renaming.locals[local] = self._key((renaming.images[process], image))
        return renaming.locals[local]

    def _message(self, renaming: _Renaming, message: int) -> int:
        if message not in renaming.messages:
            src, _, *content = self._world.processes.envelopes[message]
            image = renaming.of(freeze(tuple(content)))
            renaming.messages[message] = self._key((renaming.images[src], image, "message"))
        return renaming.messages[message]

    def _key(self, image: Frozen) -> int:
        return self._keys.setdefault(image, len(self._keys))

    def _check(self, renaming: _Renaming) -> None:
        requests = self._world.system.requests
        for p, q in enumerate(renaming.images):
            mine, others = self._names[p], self._names[q]
            asked = renaming.of(freeze(tuple(requests.get(mine, ()))))
            held = renaming.of(self._start(p))
            if _unordered(held, self._names) != _unordered(self._start(q), self._names):
                raise NotInterchangeable(
                    f"{mine} and {others} do not start alike: exchanging names does not turn what "
                    f"{mine} holds at the start into what {others} holds. Declare only processes "
                    "that differ in nothing but their names."
                )
            if asked != freeze(tuple(requests.get(others, ()))):
                raise NotInterchangeable(f"{mine} and {others} are not asked alike by clients")

    def _start(self, process: int) -> Frozen:
        return self._world.processes.locals[self._starts[process]].frozen[1:]


class _Renaming:
    """One permutation of the names. `images[p]`: what p becomes; `origins[q]`: what becomes q."""

    def __init__(self, names: Sequence[str], image: Mapping[str, str]) -> None:
        self._image = image
        self.images = [names.index(image[name]) for name in names]
        self.origins = [self.images.index(q) for q in range(len(names))]
        moved = sorted(name for name in names if image[name] != name)
        alternatives = "|".join(map(re.escape, moved))
        self._inside = re.compile(rf"(?<![0-9A-Za-z_])(?:{alternatives})(?![0-9A-Za-z_])")
        self._moves = bool(moved)
        self.cells: dict[int, int] = {}  # numbers of images, by what they are the images of
        self.locals: dict[int, int] = {}
        self.messages: dict[int, int] = {}

    def of(self, value: Frozen) -> Frozen:
        """The image of a frozen value. Raises NotInterchangeable."""
        if not self._moves:
            return value
        if isinstance(value, str):
            if value not in self._image and self._inside.search(value):
                raise NotInterchangeable(
                    f"{value!r} contains the name of an interchangeable process; let names stand "
                    "alone in states and messages, or declare fewer processes"
                )
            return self._image.get(value, value)
        if isinstance(value, Names):
            return value
        if isinstance(value, tuple):
            return type(value)(map(self.of, value))
        if isinstance(value, frozenset):
            return frozenset(map(self.of, value))
        return value


def _images(names: Sequence[str], sets: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Every renaming that permutes each set within itself, the identity first."""
    chosen = [name for group in sets for name in group]
    strangers = sorted(set(chosen) - set(names))
    if strangers or len(set(chosen)) < len(chosen):
        wrong = f"{strangers[0]!r} is no process" if strangers else "a process stands in two sets"
        raise NotInterchangeable(f"{wrong}; the processes are {', '.join(names)}")
    images = []
    for orders in product(*(permutations(group) for group in sets)):
        image = {name: name for name in names}
        for group, order in zip(sets, orders, strict=True):
            image.update(zip(group, order, strict=True))
        images.append(image)
    return images


def _since(now: Frozen, start: Frozen) -> Frozen:
    """`now`, with whatever is as it was at the start replaced by a mark."""
    if now == start:
        return _Unchanged
    comparable = isinstance(now, tuple) and isinstance(start, tuple)
    if not comparable or len(now) != len(start) or type(now) is not type(start):
        return now
    if now and isinstance(now[0], type) and now[0] is not start[0]:
        return now
    return tuple(_since(a, b) for a, b in zip(now, start, strict=True))


def _unordered(value: Frozen, names: Sequence[str]) -> Any:
    """A frozen value with its lists of names sorted."""
    if isinstance(value, frozenset):
        return frozenset(_unordered(item, names) for item in value)
    if not isinstance(value, tuple) or isinstance(value, Names):
        return value
    kind, rest = value[:1], value[1:]
    if rest and all(isinstance(item, str) and item in names for item in rest):
        return (*kind, *sorted(rest))
    return tuple(_unordered(item, names) for item in value)
