"""Which failures of a night are the same, which are new, and which have gone.

Rules
1. A group is a fingerprint in a system. Where a failure was made small, the fingerprint of what is
   left counts: two failures that shrink to the same are one. What the long run's was stays known
   (`aliases`), so that no later night has to make it small again.
2. A failure that does not show has not gone for that. It failed in k of n runs, and none of the m
   runs of the same cells since failed so: if nothing had changed, every way of spreading k failures
   over the n + m runs were as likely, and all of them fall into the first n by a chance of
   C(n, k) / C(n + m, k), cell by cell. It is gone once that is at most GONE_AT; until then it is
   not seen, and the chance is told. Quiet runs add up over nights.
3. Only runs that are valid or invalid count: one that hung, died or could not be carried out, in
   which nothing was exercised, or that could not be judged in time would not have shown a failure.
4. It is gone once, in the night that shows it; if it comes back it is known, and told as back.

Sources: the chance is the tail of Fisher's exact test for two proportions, where one is 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from harness.fingerprint import Fingerprint
from harness.nightly.records import Group, Night, RunRecord

GONE_AT = 0.05
JUDGED = frozenset({"valid", "invalid", "unknown", "idle"})
TELLING = frozenset({"valid", "invalid"})
Key = tuple[str, str]  # system, fingerprint


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """A failure of earlier nights that did not show. `failed` of `runs` in the last night that saw
    it; `quiet` runs of the same cells since. `chance`: of so many quiet runs if nothing changed.
    `why`: it is not gone, a sentence; empty if it is."""

    fingerprint: str
    system: str
    failed: int
    runs: int
    quiet: int
    chance: float
    why: str = ""


class Grouped(msgspec.Struct, frozen=True, kw_only=True):
    """`groups`: of all nights. The others are those of this night: `new` and `known` failed in it,
    `back` are the known that had gone. `gone` has the `Unseen` of each that goes with this night,
    `unseen` the others that failed before and may still be there."""

    groups: list[Group]
    new: list[Group] = []
    known: list[Group] = []
    back: list[Group] = []
    gone: list[Unseen] = []
    unseen: list[Unseen] = []


def group(
    records: Sequence[RunRecord],
    before: Sequence[Group],
    night: str,
    last: Night | None = None,
) -> Grouped:
    """The records of a night, grouped with what failed before. `night`: its name. It may be called
    any number of times for a night that goes on, always with the groups from before it.

    `last`: the night before; for groups that say nothing of their cells, all cells of it count in
    which something failed.
    """
    judged = Counter(record.cell for record in records if record.end in TELLING)
    failing = [record for record in records if record.end == "invalid"]
    return grouped(failing, judged, before, night, last)


def grouped(
    failing: Sequence[RunRecord],
    judged: Counter[str],
    before: Sequence[Group],
    night: str,
    last: Night | None = None,
) -> Grouped:
    """As `group`, for who counts as records come: the INVALID ones, and by cell how many were
    judged."""
    homes = {(g.system, name): _key(g) for g in before for name in (g.fingerprint, *g.aliases)}
    failed: dict[Key, list[RunRecord]] = {}
    for record in failing:
        if record.fingerprint:
            key = (record.system, record.fingerprint)
            failed.setdefault(homes.get(key, key), []).append(record)
    known = {_key(g): _of_old(g, last) for g in before}
    seen = {key: _failing(known.get(key), key, runs, judged, night) for key, runs in failed.items()}
    quiet = {key: _quiet(g, judged) for key, g in known.items() if key not in seen}
    unseen = {key: unseen_of(g, judged) for key, g in quiet.items() if not has_gone(g)}
    going = {key for key, told in unseen.items() if not told.why}
    groups = [
        seen.get(key) or msgspec.structs.replace(quiet[key], gone=night if key in going else g.gone)
        for key, g in known.items()
    ]
    return Grouped(
        groups=groups + [g for key, g in seen.items() if key not in known],
        new=[g for key, g in seen.items() if key not in known],
        known=[g for key, g in seen.items() if key in known],
        back=[g for g in seen.values() if came_back(g, night)],
        gone=[told for told in unseen.values() if not told.why],
        unseen=[told for told in unseen.values() if told.why],
    )


def has_gone(g: Group) -> bool:
    """Has it gone, and not come back since?"""
    return g.gone > max(g.nights, default="")


def came_back(g: Group, night: str) -> bool:
    """Did it fail in this night for the first time after it had gone?"""
    return bool(g.gone) and [name for name in g.nights if name > g.gone] == [night]


def chance(failed: int, runs: int, quiet: int) -> float:
    """Of `quiet` runs without a failure, after `failed` of `runs`, if nothing changed (rule 2)."""
    logarithm = sum(
        math.log1p(-quiet / (runs + quiet - at)) for at in range(min(failed, runs)) if quiet
    )
    return math.exp(logarithm)


def made_small(
    grouped: Grouped,
    of: Group,
    found: Fingerprint | None,
    *,
    folder: str,
    shrunk: tuple[int, int] | None = None,
    unshrunk: str = "",
    replay: str = "",
) -> Grouped:
    """One of the groups, once its first run is kept. `found`: the fingerprint of the small case's
    verdict, None where it was not made small. Where that is a group's already, the two become one:
    known, if that was."""
    name = of.fingerprint if found is None else found.name
    kept: dict[str, object] = {
        "folder": folder,
        "shrunk": shrunk,
        "unshrunk": unshrunk,
        "replay": replay,
    }
    twin = next((g for g in grouped.groups if _key(g) == (of.system, name) and g is not of), None)
    if twin is not None:
        result = _joined(twin, of)
        if not twin.folder:
            result = msgspec.structs.replace(result, **kept)
    else:
        if found is not None and name != of.fingerprint:
            kept |= {
                "fingerprint": name,
                "law": found.law,
                "shape": found.shape,
                "sentence": found.sentence,
                "aliases": (*of.aliases, of.fingerprint),
            }
        result = msgspec.structs.replace(of, **kept)
    return _replaced(grouped, of, twin, result)


def _replaced(grouped: Grouped, of: Group, twin: Group | None, result: Group) -> Grouped:
    night = max(result.nights)
    keys = {_key(of)} | ({_key(twin)} if twin is not None else set())

    def without(groups: Sequence[Group]) -> list[Group]:
        return [g for g in groups if _key(g) not in keys]

    was_new = {_key(g) for g in grouped.new}
    known = _key(of) not in was_new or (twin is not None and _key(twin) not in was_new)
    return Grouped(
        groups=[*without(grouped.groups), result],
        new=[*without(grouped.new), *([] if known else [result])],
        known=[*without(grouped.known), *([result] if known else [])],
        back=[*without(grouped.back), *([result] if came_back(result, night) else [])],
        gone=[told for told in grouped.gone if (told.system, told.fingerprint) not in keys],
        unseen=[told for told in grouped.unseen if (told.system, told.fingerprint) not in keys],
    )


def _joined(twin: Group, other: Group) -> Group:
    """Two groups of one system that are the same failure, under the name of the first."""
    nights = Counter(twin.nights) + Counter(other.nights)
    newest = max(nights, default="")
    parts = [g for g in (twin, other) if newest in g.nights]
    cells: dict[str, tuple[int, int]] = {}
    for part in parts:
        for cell, (failed, runs) in part.cells.items():
            cells[cell] = (cells.get(cell, (0, 0))[0] + failed, runs)
    aliases = dict.fromkeys((*twin.aliases, other.fingerprint, *other.aliases))
    return msgspec.structs.replace(
        twin,
        nights=dict(sorted(nights.items())),
        cells=cells,
        quiet={},
        gone=max(twin.gone, other.gone),
        aliases=tuple(name for name in aliases if name != twin.fingerprint),
    )


def _key(g: Group) -> Key:
    return g.system, g.fingerprint


def _of_old(g: Group, last: Night | None) -> Group:
    """A group that says nothing of its cells: those of the night before, if that saw it."""
    if g.cells or last is None or last.name not in g.nights:
        return g
    cells = [cell for cell in last.cells if cell.invalid and cell.name.startswith(f"{g.system} ")]
    if not cells:
        return g
    runs = sum(cell.runs for cell in cells)
    return msgspec.structs.replace(
        g, cells={cells[0].name: (g.nights[last.name], runs)} if len(cells) == 1 else {}
    )


def _failing(
    old: Group | None, key: Key, runs: Sequence[RunRecord], judged: Counter[str], night: str
) -> Group:
    by_cell = Counter(run.cell for run in runs)
    cells = {cell: (failed, judged[cell]) for cell, failed in sorted(by_cell.items())}
    if old is None:
        first = runs[0]
        return Group(
            fingerprint=key[1],
            system=key[0],
            law=first.law,
            shape=first.shape,
            sentence=first.sentence,
            nights={night: len(runs)},
            folder=next((run.folder for run in runs if run.folder), ""),
            cells=cells,
        )
    return msgspec.structs.replace(
        old, nights={**old.nights, night: len(runs)}, cells=cells, quiet={}
    )


def _quiet(g: Group, judged: Counter[str]) -> Group:
    counted = {cell: g.quiet.get(cell, 0) + judged[cell] for cell in g.cells}
    return msgspec.structs.replace(g, quiet={c: runs for c, runs in counted.items() if runs})


def unseen_of(g: Group, ran: Mapping[str, int]) -> Unseen:
    """What it says that a group did not show. `ran`: how many runs each cell had in the night."""
    failed, runs = sum(k for k, _ in g.cells.values()), sum(n for _, n in g.cells.values())
    quiet = sum(g.quiet.values())
    by_chance = math.prod(chance(k, n, g.quiet.get(cell, 0)) for cell, (k, n) in g.cells.items())
    why = ""
    if not g.cells:
        why = "it is not known which cells it failed in"
    elif not any(ran.get(cell) for cell in g.cells):
        why = "none of the cells that it failed in was run"
    elif by_chance > GONE_AT:
        why = (
            f"it failed in {failed} of {runs} runs, and that none of {quiet} since failed is "
            f"nothing much: the chance is {by_chance:.0%} if nothing changed"
        )
    return Unseen(
        fingerprint=g.fingerprint,
        system=g.system,
        failed=failed,
        runs=runs,
        quiet=quiet,
        chance=by_chance,
        why=why,
    )
