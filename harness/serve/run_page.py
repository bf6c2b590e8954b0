"""One run: what it was, what was found, its files, and how to have it once more."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from checkers.verdict import Kind, Verdict
from harness import drawing
from harness.serve import guard, opening, wording
from harness.serve.desk import REFRESH_MS, Desk, json
from harness.serve.growth import Growth, driven_by
from harness.serve.reading import UNREADABLE, notices_of, settings_of, verdict_of
from harness.store.folder import RunFolder
from harness.store.index import Asked, Facts
from harness.trial import Trial

PARTS_MAX = 200
TEXT_MAX = 1_000  # characters of a sentence on a page
SHOWN_BYTES = 2_000_000  # of a file that a browser shows; larger ones it keeps
ALIKE_MAX = 10
_TEXTS = {".json", ".jsonl", ".log", ".md", ".txt", ".yaml", ".yml", ".xml", ".csv", ".html", ""}
HOLDS = {
    "trial.yaml": "the settings, and where it ran",
    "plan.json": "the faults as drawn",
    "schedule.json": "the faults as carried out",
    "history.jsonl": "every operation",
    "trace.jsonl": "protocol events of the nodes",
    "verdict.json": "what was found, with its evidence",
    "report.html": "the report",
    "notices.json": "what else there is to say",
    "ledger.jsonl": "what must be undone",
    "run.log": "the log of the harness",
    "world.jsonl": "all that the simulated world did",
    "choices.json": "what chance decided",
    "case.json": "all that the run follows from",
    "scenario.yaml": "its scenario",
    "played.json": "what came of the scenario's steps",
    "digests.json": "the states of the replicas",
    "origin_ns": "when it began, on the clock of the nodes",
}


def run_page(desk: Desk, request: Request) -> Response:
    desk.index.refresh(REFRESH_MS)
    facts, folder = desk.run(request)
    settings, environment = settings_shown(folder)
    verdict = _verdict(folder)
    going = driven_by(folder.path)
    growth = None
    if verdict is None:
        growth = Growth(folder.path)
        growth.read()
    files, cut = opening.listed(folder.path)
    before, after = desk.index.neighbours(facts)
    return desk.page(
        "run.html",
        title=f"{facts.label} {facts.name}",
        run=facts,
        going=going,
        growth=growth.told() if growth else None,
        settings=settings,
        environment=environment,
        parts=parts_of(verdict)[:PARTS_MAX] if verdict else [],
        parts_left_out=max(len(parts_of(verdict)) - PARTS_MAX, 0) if verdict else 0,
        notices=[notice[:TEXT_MAX] for notice in notices_of(folder)[:20]],
        files=files,
        files_cut=cut,
        shown_bytes=SHOWN_BYTES,
        holds=HOLDS,
        commands=commands(folder),
        before=before,
        after=after,
        alike=_alike(desk, facts),
    )


def run_json(desk: Desk, request: Request) -> Response:
    facts, folder = desk.run(request)
    settings, environment = settings_shown(folder)
    return json(
        {
            "run": facts,
            "goes_on": driven_by(folder.path) is not None,
            "settings": settings,
            "environment": environment,
            "verdict": _verdict(folder),
            "notices": notices_of(folder),
            "files": opening.listed(folder.path)[0],
        }
    )


def settings_shown(folder: RunFolder) -> tuple[dict[str, str], dict[str, str]]:
    """The trial and its environment by name, as texts; empty where they cannot be read."""
    with contextlib.suppress(*UNREADABLE):
        settings = dict(settings_of(folder))
        environment = settings.pop("environment", {})
        settings = {k: v for k, v in settings.items() if v not in ("", None, {})}
        told = dict(_flat(settings))
        return told, dict(_flat(environment)) if isinstance(environment, dict) else {}
    return {}, {}


def _flat(settings: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            for inner, one in value.items():
                yield f"{name}: {inner}"[:TEXT_MAX], str(one)[:TEXT_MAX]
        else:
            yield str(name)[:TEXT_MAX], str(value)[:TEXT_MAX]


def parts_of(verdict: Verdict) -> list[Verdict]:
    """What was merged, the worst first; a verdict of one part is itself."""
    rank = {Kind.INVALID: 0, Kind.UNKNOWN: 1, Kind.VALID: 2}
    return sorted(verdict.parts or (verdict,), key=lambda part: rank[part.kind])


def _verdict(folder: RunFolder) -> Verdict | None:
    try:
        return verdict_of(folder)
    except UNREADABLE:
        return None  # the facts have a sentence about it


def _alike(desk: Desk, facts: Facts) -> list[Facts]:
    if not facts.fingerprint:
        return []
    alike = Asked(equal={"fingerprint": facts.fingerprint}, limit=ALIKE_MAX + 1)
    found = desk.index.runs(alike)
    return [f for f in found if (f.label, f.name) != (facts.label, facts.name)][:ALIKE_MAX]


def trial_of(folder: RunFolder) -> Trial | None:
    """None where trial.yaml is not what a run writes."""
    with contextlib.suppress(*UNREADABLE):
        settings = dict(settings_of(folder))
        settings.pop("environment", None)
        trial = msgspec.convert(settings, Trial)
        return trial if trial.seed is not None else None
    return None


def commands(folder: RunFolder) -> dict[str, list[str]]:
    """How to have the run again, by the kind of a launch, without the program's name. What the
    trial names is not opened: its scenario could name a system, which would be imported."""
    trial = trial_of(folder)
    if trial is None:
        return {"replay": ["replay", str(folder.path)]} if folder.case.exists() else {}
    replay = ["replay", str(folder.path)]
    plain = msgspec.structs.replace(trial, scenario="", faults=Trial().faults)
    told = drawing.rerun_command(plain if trial.scenario else trial)
    scenario = ["--scenario", trial.scenario] if trial.scenario else []
    return {"replay": replay, "run": [*shlex.split(told)[1:], *scenario]}


# --- files ---


def report(desk: Desk, request: Request) -> Response:
    _, folder = desk.run(request)
    size, chunks = opening.content(desk.store, [*_names(folder), "report.html"])
    policy = {"Content-Security-Policy": guard.REPORT_POLICY, "Content-Length": str(size)}
    return StreamingResponse(chunks, headers=policy, media_type="text/html")


def file(desk: Desk, request: Request) -> Response:
    _, folder = desk.run(request)
    names = request.path_params["path"].split("/")
    size, chunks = opening.content(desk.store, [*_names(folder), *names])
    return sent(names[-1], size, chunks, keep="download" in request.query_params)


def sent(name: str, size: int, chunks: Iterator[bytes], *, keep: bool) -> Response:
    """A file as plain text, or to be kept: never as anything that a browser would run."""
    suffix = PurePosixPath(name).suffix.lower()
    shown = suffix in _TEXTS and size <= SHOWN_BYTES and not keep
    media = "text/plain" if suffix in _TEXTS else "application/octet-stream"
    headers = {"Content-Security-Policy": guard.FILE_POLICY, "Content-Length": str(size)}
    if not shown:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return StreamingResponse(chunks, headers=headers, media_type=media)


def _names(folder: RunFolder) -> list[str]:
    return [folder.path.parent.name, folder.path.name]


def latest(desk: Desk, request: Request) -> Response:
    """Where the link `latest` of the store, or of a label, leads."""
    label = request.path_params.get("label")
    found = opening.linked_run(desk.store, [*([label] if label else []), "latest"])
    return RedirectResponse(wording.run_path(*found), 302)
