"""Two runs side by side: what differs in their settings, how they went, what was found, what was
broken when."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from checkers.formats import FormatError, read_history
from checkers.history import HistoryError
from checkers.statistics import Statistics, statistics
from checkers.verdict import Recording, Verdict
from harness.report import words
from harness.serve import opening
from harness.serve.desk import Desk, Refused, json
from harness.serve.reading import UNREADABLE, small, verdict_of
from harness.serve.run_page import parts_of, settings_shown
from harness.store.folder import RunFolder
from harness.store.index import Facts

HISTORY_BYTES = 64_000_000  # larger ones are not measured while somebody waits
STEPS_MAX = 200


class Row(msgspec.Struct, frozen=True):
    name: str
    one: str
    other: str

    @property
    def differs(self) -> bool:
        return self.one != self.other


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    runs: tuple[Facts, Facts]
    settings: list[Row]
    environment: list[Row]
    numbers: list[Row]
    parts: list[tuple[str, Verdict | None, Verdict | None]]
    faults: list[tuple[str, str]]


def compare_page(desk: Desk, request: Request) -> Response:
    named = request.query_params.getlist("run")
    if len(named) != 2:
        raise Refused(400, "Choose two runs in the list, and press Compare.")
    return desk.page("compare.html", title="Compare", compared=compared(desk, named))


def compare_json(desk: Desk, request: Request) -> Response:
    named = request.query_params.getlist("run")
    if len(named) != 2:
        raise Refused(400, "Give two runs: ?run=LABEL/NAME&run=LABEL/NAME.")
    return json(compared(desk, named))


def compared(desk: Desk, named: list[str]) -> Compared:
    """Raises NotHere and Refused."""
    found = []
    for text in named:
        label, _, name = text.partition("/")
        found.append(desk.run_named(label, name))
    (one, first), (other, second) = found
    settings = [settings_shown(folder) for folder in (first, second)]
    return Compared(
        runs=(one, other),
        settings=_rows(settings[0][0], settings[1][0]),
        environment=[r for r in _rows(settings[0][1], settings[1][1]) if r.differs],
        numbers=_rows(_numbers(one, first), _numbers(other, second)),
        parts=_parts(_verdict(first), _verdict(second)),
        faults=list(zip_longest(_faults(first), _faults(second), fillvalue="")),
    )


def _rows(one: dict[str, str], other: dict[str, str]) -> list[Row]:
    names = list(dict.fromkeys([*one, *other]))
    return [Row(name, one.get(name, ""), other.get(name, "")) for name in names]


def _verdict(folder: RunFolder) -> Verdict | None:
    with contextlib.suppress(*UNREADABLE):
        return verdict_of(folder)
    return None


def _parts(
    one: Verdict | None, other: Verdict | None
) -> list[tuple[str, Verdict | None, Verdict | None]]:
    found = [{part.checker: part for part in parts_of(v)} if v else {} for v in (one, other)]
    names = list(dict.fromkeys([*found[0], *found[1]]))
    return [(name, found[0].get(name), found[1].get(name)) for name in names]


_MEASURES: dict[str, Callable[[Statistics], Any]] = {
    "duration": lambda s: f"{s.duration_s:.1f} s",
    "operations": lambda s: f"{s.availability.invoked:,}",
    "ok": lambda s: f"{sum(c['ok'] for c in s.counts.values()):,}",
    "fail": lambda s: f"{sum(c['fail'] for c in s.counts.values()):,}",
    "info": lambda s: f"{sum(c['info'] for c in s.counts.values()):,}",
    "available": lambda s: "" if s.availability.share is None else f"{s.availability.share:.1%}",
    "latency, median": lambda s: _ms(s, "p50_ms"),
    "latency, 99th percentile": lambda s: _ms(s, "p99_ms"),
    "latency, longest": lambda s: _ms(s, "max_ms"),
    "outages over 1 s": lambda s: str(len(s.outages)),
    "longest outage": lambda s: f"{max((b - a for a, b in s.outages), default=0.0):.1f} s",
    "faults": lambda s: str(len(s.during_faults)),
    "faults seen in effect": lambda s: str(sum(f.in_effect for f in s.during_faults)),
}


def _ms(stats: Statistics, name: str) -> str:
    found = stats.latency.get("all")
    return "" if found is None else f"{getattr(found, name):,.1f} ms"


def _numbers(facts: Facts, folder: RunFolder) -> dict[str, str]:
    try:
        with opening.part(folder.history) as history:
            if os.fstat(history.fileno()).st_size > HISTORY_BYTES:
                return {"operations": f"{facts.operations or '?'}: too many to measure here"}
        stats = statistics(Recording(history=read_history(folder.history).history))
    except (*UNREADABLE, FormatError, HistoryError) as wrong:
        return {"operations": f"not readable: {wrong}"[:300]}
    return {name: measure(stats) for name, measure in _MEASURES.items()}


def _faults(folder: RunFolder) -> list[str]:
    for file in (folder.schedule, folder.plan):
        try:
            steps = msgspec.json.decode(small(file), type=dict[str, Any]).get("steps", [])
        except UNREADABLE:
            continue
        told = [_step(step) for step in steps[:STEPS_MAX] if isinstance(step, dict)]
        more = [f"and {len(steps) - STEPS_MAX} more"] if len(steps) > STEPS_MAX else []
        return [*told, *more]
    return []


def _step(step: dict[str, Any]) -> str:
    fault = step.get("fault") if isinstance(step.get("fault"), dict) else {}
    at = step.get("at_s")
    when = f"{at:7.2f} s" if isinstance(at, int | float) else "?"
    which = f"fault {step.get('id')}"
    if step.get("action") != "start":
        return f"{when}  {which} ends"
    assert isinstance(fault, dict), "as it was made"
    on = fault.get("nodes") or [
        f"{link[0]}>{link[1]}" for link in fault.get("links") or [] if len(link) == 2
    ]
    rest = f" and {len(on) - 6} more" if len(on) > 6 else ""
    named = " ".join(str(node) for node in on[:6])
    kind = words.clip(str(fault.get("fault", "fault")), 40)
    return words.clip(f"{when}  {which}: {kind} {named}{rest}", 200)
