"""The log: what was chosen, slot by slot.

Rules
1. Slots are numbered from 1. A slot's value, once chosen, never changes.
2. `last` ends the prefix without gaps; only the prefix is applied, in order. Values beyond a gap
   wait.
3. Slots up to `base` have been dropped: their effect is in a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.logmessages import Batch


class Log:
    """The chosen values that this node knows."""

    def __init__(self) -> None:
        self.base = 0
        self.last = 0
        self._chosen: dict[int, Batch] = {}

    def knows(self, slot: int) -> bool:
        return slot <= self.last or slot in self._chosen

    def choose(self, slot: int, value: Batch) -> None:
        """Note what was chosen; the caller asks `knows` first."""
        assert not self.knows(slot), f"slot {slot} is chosen already: the caller broke rule 1"
        self._chosen[slot] = value

    def advance(self) -> Iterator[Batch]:
        """The values that now follow the prefix, in order, each added to it as it is taken."""
        while self.last + 1 in self._chosen:
            self.last += 1
            yield self._chosen[self.last]

    def from_slot(self, first: int) -> Iterator[Batch]:
        """The values of the prefix from `first` on; `first` must be above `base`."""
        assert first > self.base, f"slot {first} was dropped: serve the snapshot instead"
        for slot in range(first, self.last + 1):
            yield self._chosen[slot]

    def drop(self, base: int) -> None:
        """Forget the values of slots up to `base`, which lie in the prefix."""
        for slot in range(self.base + 1, min(base, self.last) + 1):
            self._chosen.pop(slot, None)
        self.base = max(self.base, base)

    def restart_at(self, slot: int) -> None:
        """A snapshot stands in for all slots up to `slot`."""
        self._chosen = {s: v for s, v in self._chosen.items() if s > slot}
        self.base = self.last = slot
