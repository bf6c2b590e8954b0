"""Nights, what failed in them, and how that went over time.

Rule: a page is drawn from what can be read; what cannot is a sentence on it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from harness.nightly.archive import Archive
from harness.nightly.records import Group, Night, RunRecord
from harness.nightly.trends import Trends, trends
from harness.serve import charts
from harness.serve.desk import REFRESH_MS, TROUBLES, Desk, json
from harness.serve.opening import NotHere
from harness.serve.run_page import sent
from harness.trial import TrialError

NIGHTS_DRAWN = 60
GROUPS_DRAWN = 6
FAILURES_MAX = 200
MINUTE_S = 60.0
FILES = ("summary.md", "junit.xml", "spec.yaml", "night.json", "runs.jsonl")


class Failure(msgspec.Struct, kw_only=True):
    """A group over the nights and the stored runs. `kept`, `first`, `last`: of stored runs, how
    many, and the first and last start. `run`: 'label/name' of one. `nights`: as in Group."""

    fingerprint: str
    law: str
    system: str
    sentence: str
    kept: int = 0
    first: str = ""
    last: str = ""
    run: str = ""
    nights: dict[str, int] = {}
    gone: str = ""

    @property
    def in_nights(self) -> int:
        return sum(self.nights.values())


def _read(desk: Desk) -> tuple[Archive | None, list[Night], list[Group], list[str]]:
    """What the archive has, and sentences about what it has not."""
    told: list[str] = []
    nights: list[Night] = []
    groups: list[Group] = []
    try:
        archive = desk.archive()
    except TROUBLES as wrong:
        return None, [], [], [str(wrong)]
    try:
        nights = archive.nights()
        groups = archive.groups()
    except TROUBLES as wrong:
        told.append(str(wrong))
    return archive, nights, groups, told + archive.notices


def nights_page(desk: Desk, _request: Request) -> Response:
    nights, found, told = _nights(desk)
    return desk.page(
        "nights.html", title="Nights", nights=nights[::-1], told=told, charts=drawn(found)
    )


def _nights(desk: Desk) -> tuple[list[Night], Trends, list[str]]:
    """The oldest night first, how they compare, and what cannot be read."""
    archive, nights, groups, told = _read(desk)
    found = Trends(nights=[], groups=[])
    if archive is None:
        return nights, found, told
    try:
        found = trends(nights, archive.records, groups, NIGHTS_DRAWN, archive.digest)
    except TROUBLES as wrong:
        told.append(str(wrong))
    return nights, found, list(dict.fromkeys([*told, *archive.notices]))


def drawn(found: Trends) -> list[charts.Chart]:
    """One night is no trend."""
    nights = found.nights
    if len(nights) < 2:
        return []
    at = [night.night for night in nights]
    to_failure = [night.to_failure_s for night in nights]
    until = [
        None if night.first_failure_s is None else night.first_failure_s / MINUTE_S
        for night in nights
    ]
    return [
        charts.bars("Runs", "a night", at, [night.runs for night in nights]),
        charts.bars("Invalid runs", "a night", at, [night.failed for night in nights], bad=True),
        charts.line(
            "Time to failure",
            "seconds in a failing run, median; bars from the tenth to the ninetieth percentile",
            at,
            [None if q is None else q.median for q in to_failure],
            [None if q is None else (q.low, q.high) for q in to_failure],
        ),
        charts.line("First failure", "minutes into the night", at, until),
        charts.line(
            "Throughput",
            "operations a second, over all workers",
            at,
            [night.operations_per_s for night in nights],
        ),
        charts.line("Runs an hour", "over all workers", at, [n.runs_per_hour for n in nights]),
        charts.line(
            "Coverage", "kinds of faults that took effect", at, [len(n.in_effect) for n in nights]
        ),
        charts.line(
            "Operations that succeeded",
            "percent",
            at,
            [None if n.ok_share is None else 100 * n.ok_share for n in nights],
        ),
        *(
            charts.bars(
                group.fingerprint,
                f"failures a night, of {group.system}",
                at,
                [n if of else None for n, of in zip(group.failed, group.judged, strict=True)],
                bad=True,
            )
            for group in found.groups[:GROUPS_DRAWN]
        ),
    ]


def night_page(desk: Desk, request: Request) -> Response:
    night, records, groups, told = _night(desk, request.path_params["night"])
    by_name = {group.fingerprint: group for group in groups}
    failures = [record for record in records if record.end != "valid" and record.end != "idle"]
    return desk.page(
        "night.html",
        title=f"Night {night.name}",
        night=night,
        told=told,
        by_name=by_name,
        kinds=(("new", night.new), ("known", night.known), ("gone", night.gone)),
        failures=failures[:FAILURES_MAX],
        failures_left_out=max(len(failures) - FAILURES_MAX, 0),
        files=FILES,
    )


def _night(desk: Desk, name: str) -> tuple[Night, list[RunRecord], list[Group], list[str]]:
    """Raises NotHere where there is no such night."""
    archive, _, groups, told = _read(desk)
    if archive is None:
        raise NotHere
    try:
        night = archive.night(name)
        records = archive.records(name) if night is not None else []
    except TrialError:
        raise NotHere from None
    if night is None:
        raise NotHere
    return night, records, groups, told


def night_file(desk: Desk, request: Request) -> Response:
    name, file = request.path_params["night"], request.path_params["file"]
    try:
        content = desk.archive().read(name, file)
    except TROUBLES:
        raise NotHere from None
    if content is None:
        raise NotHere
    return sent(
        file.rpartition("/")[2],
        len(content),
        iter([content]),
        keep="download" in request.query_params,
    )


def nights_json(desk: Desk, _request: Request) -> Response:
    nights, found, told = _nights(desk)
    return json({"nights": nights, "trends": found, "notices": told})


def night_json(desk: Desk, request: Request) -> Response:
    night, records, _, told = _night(desk, request.path_params["night"])
    return json({"night": night, "runs": records, "notices": told})


def failures(desk: Desk) -> tuple[list[Failure], list[str]]:
    """Groups over all nights and stored runs, those with most failures first."""
    desk.index.refresh(REFRESH_MS)
    _, _, groups, told = _read(desk)
    found = {
        (group.fingerprint, group.system): Failure(
            fingerprint=group.fingerprint,
            law=group.law,
            system=group.system,
            sentence=group.sentence,
            nights=group.nights,
            run=group.folder,
            gone=group.gone,
        )
        for group in groups
    }
    of_nights = set(found)
    for name, law, system, kept, first, last, summary, run in desk.index.failures():
        # Stored runs tell a mutant from its system; the groups of nights do not.
        plain = system.partition(":")[0]
        key = (name, plain) if (name, plain) in of_nights else (name, system)
        new = Failure(fingerprint=name, law=law, system=system, sentence=summary)
        failure = found.setdefault(key, new)
        failure.first = min(filter(None, (failure.first, first)), default="")
        failure.kept += kept
        if last >= failure.last:
            failure.last, failure.run = last, run
    ordered = sorted(found.values(), key=lambda f: (-(f.in_nights + f.kept), f.fingerprint))
    return ordered, told


def failures_page(desk: Desk, _request: Request) -> Response:
    found, told = failures(desk)
    return desk.page("failures.html", title="Failures", failures=found, told=told)


def failures_json(desk: Desk, _request: Request) -> Response:
    found, told = failures(desk)
    shown: list[Any] = [msgspec.to_builtins(failure) for failure in found]
    return json({"failures": shown, "notices": told})
