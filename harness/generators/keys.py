"""Many independent objects: a few keys live at once, each retired after a bounded life.

Rules
1. A key has a bounded number of operations, and a bounded number of unknown outcomes: the cost of
   checking a key grows with the first and, at worst, exponentially with the second.
2. All workers share the few live keys, so that several operations meet on each.
3. The bound is drawn between half of it and all of it for each key, or all keys would be retired,
   and all new ones opened, at the same moment.
4. A retired key is never used again. Its completions are nobody's business here.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from checkers.history import Operation
from harness.generators.choice import first_ready
from harness.generators.contract import Answer, Context, Generator, GeneratorError, Invocation
from harness.generators.sources import NOTHING


class _Slot(msgspec.Struct, frozen=True):
    key: str
    generator: Generator
    left: int
    unknown_left: int


class _RotateKeys(msgspec.Struct, frozen=True):
    make: Callable[[str], Generator]
    live: int
    operations_per_key: int
    unknown_per_key: int
    prefix: str
    opened: int = 0
    slots: tuple[_Slot, ...] = ()

    def op(self, context: Context) -> tuple[Answer, Generator]:
        random = context.random
        at_first = int(random.random() * self.live)
        now = self if self.slots else self._start(random)
        asked: dict[int, _Slot] = {}

        def ask(at: int) -> tuple[Answer, Generator]:
            slot = now.slots[at]
            answer, after = slot.generator.op(context) if slot.left else (None, NOTHING)
            if answer is None:
                slot = now._open(now.opened + len(renewed), random)
                renewed.append(at)
                answer, after = slot.generator.op(context)
            if answer is None:
                raise GeneratorError(f"rotate_keys: key {slot.key!r} has no operation at all")
            asked[at] = slot
            return answer, after

        renewed: list[int] = []
        order = [*range(at_first, self.live), *range(at_first)]
        answer, at, after = first_ready(order, ask)
        if not isinstance(answer, Invocation):
            return answer, self
        slot = asked[at]
        for other in renewed:
            now = now._put(other, asked[other])
        slot = _Slot(slot.key, after, slot.left - 1, slot.unknown_left)
        now = msgspec.structs.replace(now._put(at, slot), opened=now.opened + len(renewed))
        answer = Invocation(answer.worker, answer.f, answer.value, slot.key)
        return answer, now

    def update(self, context: Context, event: Operation) -> Generator:
        for at, slot in enumerate(self.slots):
            if slot.key == event.key:
                return self._told(at, slot, context, event)
        return self

    def _told(self, at: int, slot: _Slot, context: Context, event: Operation) -> _RotateKeys:
        after = slot.generator.update(context, event)
        if event.type == "info":
            unknown_left = slot.unknown_left - 1
            left = slot.left if unknown_left else 0
            return self._put(at, _Slot(slot.key, after, left, unknown_left))
        if after is slot.generator:
            return self
        return self._put(at, _Slot(slot.key, after, slot.left, slot.unknown_left))

    def _start(self, random: Random) -> _RotateKeys:
        slots = tuple([self._open(number, random) for number in range(self.live)])
        return msgspec.structs.replace(self, opened=self.live, slots=slots)

    def _open(self, number: int, random: Random) -> _Slot:
        most = self.operations_per_key
        key = f"{self.prefix}{number}"
        return _Slot(
            key, self.make(key), random.randint((most + 1) // 2, most), self.unknown_per_key
        )

    def _put(self, at: int, slot: _Slot) -> _RotateKeys:
        slots = list(self.slots)
        slots[at] = slot
        return msgspec.structs.replace(self, slots=tuple(slots))


def rotate_keys(
    make: Callable[[str], Generator],
    *,
    live: int,
    operations_per_key: int,
    unknown_per_key: int = 10,
    prefix: str = "k",
) -> Generator:
    """`make(key)` for a few live keys at a time, named `prefix` and a number; endless.

    `make` is pure; its generator need not set the key, and sees the events of its key only.
    A key is retired when `make`'s generator is exhausted, when it has had its operations (at most
    `operations_per_key`), or after `unknown_per_key` operations of unknown outcome.
    """
    for what, number in (
        ("live", live),
        ("operations_per_key", operations_per_key),
        ("unknown_per_key", unknown_per_key),
    ):
        if number < 1:
            raise ValueError(f"rotate_keys takes {what} of at least 1, got {number}")
    return _RotateKeys(make, live, operations_per_key, unknown_per_key, prefix)
