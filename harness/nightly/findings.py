"""What a night has found so far: its failures by group, and which of them are kept.

Rule: of runs that passed only their number by cell is held: a night has a million of them.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

import msgspec

from harness.nightly import grouping
from harness.nightly.grouping import TELLING, Grouped, made_small
from harness.nightly.records import Group, Night, RunRecord
from harness.nightly.retention import PASSED
from harness.nightly.tasks import Kept, Shrink

KEPT_MAX = 20  # groups of a night that are made small and kept; of the rest the seeds are known


class Findings:
    """`before`: the groups of all earlier nights. `address`: of the archive. `records`: of the runs
    that did not pass."""

    def __init__(self, before: Sequence[Group], address: str, last: Night | None) -> None:
        self._before, self._address, self._last = before, address, last
        self.records: list[RunRecord] = []
        self._judged: Counter[str] = Counter()
        self._failing: list[RunRecord] = []
        self._keeping = 0
        self._homes = {(g.system, n): g for g in before for n in (g.fingerprint, *g.aliases)}
        self._seen: set[tuple[str, str]] = set()
        self._keys: dict[int, tuple[str, str]] = {}  # of the first of each, by its id
        self._kept: list[tuple[Shrink, Kept]] = []
        self.new = self.known = 0

    def take(self, record: RunRecord) -> bool:
        """Is it the first of a group of which nothing is kept, and one that is to be?"""
        if record.end in TELLING:
            self._judged[record.cell] += 1
        if record.end not in PASSED:
            self.records.append(record)
        if record.end != "invalid":
            return False
        self._failing.append(record)
        key = (record.system, record.fingerprint)
        if key in self._seen:
            return False
        self._seen.add(key)
        self._keys[record.id] = key
        old = self._homes.get(key)
        if old is None:
            self.new += 1
        else:
            self.known += 1
        if (old is not None and old.folder) or self._keeping == KEPT_MAX:
            return False
        self._keeping += 1
        return True

    def kept(self, task: Shrink, kept: Kept) -> None:
        self._kept.append((task, kept))

    def grouped(self, night: str) -> Grouped:
        """All failures so far, with those of earlier nights."""
        grouped = grouping.grouped(self._failing, self._judged, self._before, night, self._last)
        for task, kept in self._kept:
            if not kept.folder:
                continue
            names = self._keys[task.run.id]
            of = next(
                (
                    g
                    for g in grouped.groups
                    if g.system == names[0] and names[1] in (g.fingerprint, *g.aliases)
                ),
                None,
            )
            if of is not None:
                grouped = made_small(
                    grouped,
                    of,
                    kept.found if kept.shrunk else None,
                    folder=kept.folder,
                    shrunk=kept.shrunk,
                    unshrunk=kept.why,
                    replay=self._replay(kept.folder),
                )
        return self._with_commands(grouped)

    def _with_commands(self, grouped: Grouped) -> Grouped:
        def told(groups: list[Group]) -> list[Group]:
            return [
                msgspec.structs.replace(g, replay=self._replay(g.folder))
                if g.folder and not g.replay
                else g
                for g in groups
            ]

        return msgspec.structs.replace(
            grouped,
            groups=told(grouped.groups),
            new=told(grouped.new),
            known=told(grouped.known),
            back=told(grouped.back),
        )

    def _replay(self, folder: str) -> str:
        if "://" in self._address:
            return f"copy {self._address}/{folder} to this machine, then: antipaxos replay FOLDER"
        return shlex.join(["antipaxos", "replay", f"{self._address}/{folder}"])
