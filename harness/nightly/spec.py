"""The plan of a night: SPEC.yaml, from its text to cells, each of which is a trial run by run.

Rules
1. A night runs cells. The product of `systems`, `workloads`, `faults`, `clusters` and `nodes` gives
   some, `cells` gives others one by one; `settings` are common to all.
2. Every mistake is told at once with its line. A combination of the product that cannot be (a
   system that has no machine, on the simulated cluster) is left out and told; a value that fits
   into no combination is a mistake, and so is anything wrong with a cell given by hand.
3. What is left open of a simulated cell is drawn for each run from its seed, so that seeds mean
   variety; a cell on real machines has the defaults of a trial.
4. A cell has the same name every night, from whatever directory the night is started: it is what
   its seeds go on by.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from harness.nightly.cells import Cell, planned
from harness.settle import CHECKS, paths_beside
from harness.systems import system
from harness.systems.marked import Page
from harness.trial import Trial, TrialError, constructed, problems_of

Retention = Literal["failures", "all"]

AXES = {
    "systems": "system",
    "workloads": "workload",
    "faults": "faults",
    "clusters": "cluster",
    "nodes": "nodes",
}
_OWN = (
    "budget",
    "stop",
    "store",
    "retention",
    "keep_nights",
    "shrink_s",
    "shrink_real_s",
    "run_time_limit_s",
    "workers",
    "real_at_once",
    "first_seed",
)
_STOPS = ("runs", "new_groups", "failures_per_cell")
# Settings of a trial that a night decides itself, and what to use in their place.
_TAKEN = {
    "seed": "the night counts its seeds: give first_seed",
    "live_check": "nobody watches at night: leave it out",
}
CELLS_MAX = 1000
_DURATION = re.compile(
    r"(?:(\d+(?:\.\d+)?)h)?\s*(?:(\d+(?:\.\d+)?)m)?\s*(?:(\d+(?:\.\d+)?)s)?", re.ASCII
)


class Stop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When a night ends before its budget, or a cell before its night; 0 is never. `runs`: after so
    many, all cells together. `new_groups`: after so many groups of failures that no night before
    had seen. `failures_per_cell`: a cell rests after so many failing runs of its own."""

    runs: int = 0
    new_groups: int = 0
    failures_per_cell: int = 0


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as it was read. `source`: the file it was read from, as it was named. `cells`: what
    is run, each a trial; in the file `systems`, `workloads`, `faults`, `clusters`, `nodes` and
    `settings` give some, and `cells` more. `left_out`: sentences about combinations that cannot
    be.

    `budget_s`: seconds of real time after which no run begins; in the file `budget`, as in 8h.
    `stop`: what ends it, or a cell, before that. `store`: the archive, an fsspec address or a
    path; in the file relative to it. `retention`: `failures` keeps the folders of runs that
    failed, `all` those of all runs. `keep_nights`: of older ones the folders of passing runs go;
    None keeps all.

    `shrink_s`: seconds for making each new failure small, 0 not to; `shrink_real_s`: the same on
    real machines. `run_time_limit_s`: seconds after which a run counts as hung, None to follow
    from the times of its trial. `workers`: runs at the same time, None for all cores.
    `real_at_once`: how many of them on real machines, over all workers. `first_seed`: of a cell
    that no night has run yet; the others go on."""

    source: str
    cells: tuple[Cell, ...]
    left_out: tuple[str, ...] = ()
    budget_s: float = 8 * 3600.0
    stop: Stop = Stop()
    store: str = "antipaxos-runs"
    retention: Retention = "failures"
    keep_nights: int | None = None
    shrink_s: float = 30.0
    shrink_real_s: float = 300.0
    run_time_limit_s: float | None = None
    workers: int | None = None
    real_at_once: int = 1
    first_seed: int = 1


def duration_s(text: str) -> float | None:
    """The seconds of '8h', '1h30m', '90s'; None for what is no duration above 0."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds or None


def duration_text(seconds: float) -> str:
    """As `duration_s` reads it."""
    whole, part = divmod(seconds, 1)
    hours, rest = divmod(int(whole), 3600)
    minutes, left = divmod(rest, 60)
    told = f"{hours}h" * bool(hours) + f"{minutes}m" * bool(minutes)
    return told + (f"{left + part:g}s" if left or part or not told else "")


def read(path: Path) -> Spec:
    """Raises TrialError with every mistake."""
    page = Page(path)
    known = (*AXES, "cells", "settings", *_OWN)
    top = page.fields(page.root, "the plan of a night", (), known)
    settings = _own_settings(page, top)
    cells, left_out = _Cells(page, top).read()
    if page.problems:
        raise TrialError(page.problems)
    return Spec(source=str(path), cells=tuple(cells), left_out=tuple(left_out), **settings)


def as_settled(spec: Spec) -> str:
    """The plan as YAML that says everything, cell by cell; a plan of a night itself."""
    own = {
        "budget": duration_text(spec.budget_s),
        "stop": msgspec.to_builtins(spec.stop),
        "store": spec.store,
        "retention": spec.retention,
        "keep_nights": spec.keep_nights,
        "shrink_s": spec.shrink_s,
        "shrink_real_s": spec.shrink_real_s,
        "run_time_limit_s": spec.run_time_limit_s,
        "workers": spec.workers,
        "real_at_once": spec.real_at_once,
        "first_seed": spec.first_seed,
        "cells": [dict(cell.settings) for cell in spec.cells],
    }
    return yaml.safe_dump(
        {name: value for name, value in own.items() if value not in (None, {})}, sort_keys=False
    )


def _own_settings(page: Page, top: Mapping[str, yaml.Node]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "budget" in top:
        text = page.text(top["budget"], "budget")
        seconds = duration_s(text)
        if text and seconds is None:
            page.wrong(top["budget"], f"budget is {text!r}. Give a duration such as 8h or 1h30m.")
        found["budget_s"] = seconds or 1.0
    if "stop" in top:
        rules = page.fields(top["stop"], "stop", (), _STOPS)
        numbers = {n: page.number(v, n, 0, 10**9) for n, v in rules.items()}
        found["stop"] = Stop(**numbers)
    if "store" in top:
        text = page.text(top["store"], "store")
        found["store"] = text if "://" in text else str(page.path.parent / text)
    if "retention" in top:
        found["retention"] = page.choice(top["retention"], "retention", ("failures", "all"))
    for name, low, high in (
        ("workers", 1, 10_000),
        ("keep_nights", 1, 10_000),
        ("real_at_once", 1, 1000),
        ("first_seed", 0, 2**62),
    ):
        if name in top:
            found[name] = page.number(top[name], name, low, high)
    for name, least in (
        ("shrink_s", 0.0),
        ("shrink_real_s", 0.0),
        ("run_time_limit_s", 1.0),
    ):
        if name in top:
            found[name] = _seconds(page, top[name], name, least)
    return found


def _seconds(page: Page, node: yaml.Node, name: str, least: float) -> float:
    text = page.text(node, name)
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if text and not least <= seconds <= 1e6:
        page.wrong(node, f"{name} is {text!r}. Give seconds from {least:g} to 1e6.")
    return seconds


class _Placed(msgspec.Struct, frozen=True):
    """A setting of a trial, and where it stands."""

    setting: str
    value: Any
    node: yaml.Node


class _Cells:
    def __init__(self, page: Page, top: Mapping[str, yaml.Node]) -> None:
        self._page, self._top = page, top
        self._read_as = paths_beside(page.path)
        self._told: set[tuple[int, str]] = set()

    def read(self) -> tuple[list[Cell], list[str]]:
        shared = self._settings(self._top.get("settings"), "settings")
        axes = {AXES[name]: self._axis(name) for name in AXES if name in self._top}
        for placed in shared:
            if placed.setting in axes:
                self._wrong(placed, f"{placed.setting} is given beside settings, too. Keep one.")
        cells: list[Cell] = []
        left_out: list[str] = []
        by_hand = "cells" in self._top
        if axes or not by_hand:
            combined = [[*shared, *chosen] for chosen in itertools.product(*axes.values())]
            if len(combined) > CELLS_MAX:
                self._page.wrong(
                    self._page.root,
                    f"the product has {len(combined)} combinations. Give at most {CELLS_MAX}, or "
                    "a night for each part.",
                )
                return [], []
            cells, left_out = self._combined(combined)
        if by_hand:
            for node in self._page.items(self._top["cells"], "cells"):
                own = self._settings(node, "a cell")
                over = {placed.setting for placed in own}
                cells += self._one([p for p in shared if p.setting not in over] + own, node)
        self._named_once(cells)
        return cells, left_out

    def _axis(self, name: str) -> list[_Placed]:
        node = self._top[name]
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not items:
            self._page.wrong(node, f"{name} is empty. Name one, or leave it out.")
        return [p for item in items for p in self._placed(AXES[name], item)]

    def _settings(self, node: yaml.Node | None, what: str) -> list[_Placed]:
        if node is None:
            return []
        entries = self._page.mapping(node, what)
        return [p for name, value in entries.items() for p in self._placed(name, value)]

    def _placed(self, setting: str, node: yaml.Node) -> list[_Placed]:
        if setting in _TAKEN:
            self._page.wrong(node, f"{setting}: {_TAKEN[setting]}.")
            return []
        try:
            value = constructed(setting, node)
        except yaml.constructor.ConstructorError as wrong:
            self._page.wrong(node, f"{setting}: {wrong.problem}.")
            return []
        return [_Placed(setting, self._read_as(setting, value), node)]

    def _one(self, placed: Sequence[_Placed], node: yaml.Node) -> list[Cell]:
        """A cell given by hand: whatever is wrong with it is a mistake."""
        found, cell = _judged(placed)
        for setting, sentences in found.items():
            at = next((p for p in placed if p.setting == setting), None)
            for sentence in sentences:
                self._wrong(at or _Placed("", None, node), sentence)
        return [] if cell is None else [cell]

    def _combined(self, combined: Sequence[Sequence[_Placed]]) -> tuple[list[Cell], list[str]]:
        judged = [(placed, *_judged(placed)) for placed in combined]
        everywhere = {p.node.start_mark.index: p for placed in combined for p in placed}
        before = len(self._told)
        for at, placed in everywhere.items():
            with_it = [found for chosen, found, _ in judged if _has(chosen, at)]
            if all(placed.setting in found for found in with_it):
                for sentence in with_it[0][placed.setting]:
                    self._wrong(placed, sentence)
        if len(self._told) == before:
            for at, placed in everywhere.items():
                with_it = [found for chosen, found, _ in judged if _has(chosen, at)]
                if all(with_it):
                    first = next(iter(with_it[0].values()))[0]
                    said = f"{placed.setting} {placed.value!r} fits into no combination: {first}"
                    self._wrong(placed, said)
        left_out = [
            f"left out: {_told(placed)}: {next(iter(found.values()))[0]}"
            for placed, found, _ in judged
            if found
        ]
        return [cell for _, _, cell in judged if cell is not None], left_out

    def _named_once(self, cells: Sequence[Cell]) -> None:
        seen: set[str] = set()
        for cell in cells:
            if cell.name in seen:
                self._page.wrong(
                    self._top.get("cells", self._page.root),
                    f"two cells are called {cell.name!r}. Give one of them a name: of its own.",
                )
            seen.add(cell.name)

    def _wrong(self, placed: _Placed, sentence: str) -> None:
        key = (placed.node.start_mark.index, sentence)
        if key not in self._told:
            self._told.add(key)
            self._page.wrong(placed.node, sentence)


def _has(chosen: Sequence[_Placed], at: int) -> bool:
    return any(placed.node.start_mark.index == at for placed in chosen)


def _judged(placed: Sequence[_Placed]) -> tuple[dict[str, list[str]], Cell | None]:
    """What is wrong with a cell, by setting; the cell, where nothing is."""
    settings = {p.setting: p.value for p in placed}
    if "cluster" not in settings and _simulable(settings.get("system", Trial().system)):
        settings["cluster"] = "simulated"
    found = problems_of(settings, CHECKS)
    if found:
        return found, None
    try:
        return {}, planned(settings)
    except TrialError as wrong:
        return {"": list(wrong.problems)}, None


def _simulable(name: Any) -> bool:
    try:
        return isinstance(name, str) and "simulated" in system(name).clusters
    except TrialError:
        return False  # told where the system is judged


def _told(placed: Sequence[_Placed]) -> str:
    return " ".join(str(p.value) for p in placed if p.setting in AXES.values())
