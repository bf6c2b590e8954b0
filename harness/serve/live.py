"""Runs that go on, as they go on: started here, or elsewhere. Server-sent events.

Rules
1. A stream ends when its run does, when the reader leaves, or when the server stops; STREAMS_MAX
   are open at once at most.
2. A reader that comes back (Last-Event-ID) gets the lines that it missed, as far as they are kept.
3. Data is JSON on one line: nothing that a run prints can look like an event of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from harness.serve import wording
from harness.serve.desk import Desk, Refused, changing, json
from harness.serve.growth import Growth, driven_by
from harness.serve.launches import Launch, TooMany, told
from harness.serve.opening import NotHere
from harness.serve.run_page import commands

TICK_S = 0.5
STREAMS_MAX = 32
NEWEST = 20  # folders of a label that are looked at for the run that a launch drives


def event(name: str, data: Any, number: int | None = None) -> bytes:
    numbered = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (numbered, name.encode(), msgspec.json.encode(data))


def stream(desk: Desk, events: AsyncIterator[bytes]) -> Response:
    if len(desk.streams) >= STREAMS_MAX:
        raise Refused(503, f"{STREAMS_MAX} streams are open, which is as many as may be.")
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(
        _counted(desk, events), media_type="text/event-stream", headers=headers
    )


async def _counted(desk: Desk, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    here = object()
    desk.streams.add(here)
    try:
        async for one in events:
            yield one
    finally:
        desk.streams.discard(here)


async def start(desk: Desk, request: Request) -> Response:
    """A POST of a form: to the page of what it started."""
    launch = await _started(desk, request)
    return RedirectResponse(f"/live/{launch.number}", 303)


async def start_json(desk: Desk, request: Request) -> Response:
    return json(told(await _started(desk, request)), 201)


async def _started(desk: Desk, request: Request) -> Launch:
    fields = await changing(desk, request)
    label, _, name = fields.get("run", "").partition("/")
    kind = fields.get("kind", "replay")
    facts, folder = desk.run_named(label, name)
    possible = commands(folder)
    if kind not in possible:
        known = " or ".join(possible) or "nothing: its trial.yaml is gone"
        raise Refused(400, f"kind={kind[:40]!r}: of this run there is {known}.")
    argv = [*possible[kind], "--store", str(desk.store)]
    try:
        return desk.launches.start(kind, facts.label, facts.name, argv)
    except TooMany as wrong:
        raise Refused(429, str(wrong)) from wrong


async def cancel(desk: Desk, request: Request) -> Response:
    launch = _launch(desk, request)
    await changing(desk, request)
    desk.launches.cancel(launch)
    return RedirectResponse(f"/live/{launch.number}", 303)


async def cancel_json(desk: Desk, request: Request) -> Response:
    launch = _launch(desk, request)
    await changing(desk, request)
    desk.launches.cancel(launch)
    return json(told(launch))


def _launch(desk: Desk, request: Request) -> Launch:
    launch = desk.launches.all.get(request.path_params["number"])
    if launch is None:
        raise NotHere
    return launch


async def live_page(desk: Desk, request: Request) -> Response:
    launch = _launch(desk, request)
    lines = launch.since(0)
    return desk.page(
        "live.html",
        title=f"{launch.kind} of {launch.label} {launch.name}",
        launch=launch,
        lines=lines,
        runs=links(launch),
        next=lines[-1][0] + 1 if lines else 0,
    )


async def launches_page(desk: Desk, _request: Request) -> Response:
    newest = list(desk.launches.all.values())[::-1]
    return desk.page("launches.html", title="Live", launches=newest, at_once=desk.launches.at_once)


async def launches_json(desk: Desk, _request: Request) -> Response:
    return json([told(launch) for launch in desk.launches.all.values()])


async def launch_events(desk: Desk, request: Request) -> Response:
    launch = _launch(desk, request)
    asked = request.headers.get("last-event-id") or request.query_params.get("from", "0")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
    return stream(desk, _launch_events(desk, launch, number))


async def _launch_events(desk: Desk, launch: Launch, number: int) -> AsyncIterator[bytes]:
    growth: Growth | None = None
    while True:
        for at, line in launch.since(number):
            number = at + 1
            yield event("line", line, number)
        growth = await asyncio.to_thread(_grown, desk, launch, growth)
        shown: dict[str, Any] = {"seconds": round(launch.seconds, 1)}
        if growth is not None:
            await asyncio.to_thread(growth.read)
            shown |= growth.told() | {"runs": links(launch)}
        yield event("progress", shown)
        if not launch.goes_on and not launch.since(number):
            yield event("end", {"outcome": launch.outcome, "exit_code": launch.exit_code})
            return
        if desk.closing.is_set():
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_S), launch.changed:
                await launch.changed.wait()


def links(launch: Launch) -> list[tuple[str, str]]:
    """The runs of a launch, each with the address of its page."""
    return [(run, wording.run_path(*run.split("/", 1))) for run in launch.runs]


def _grown(desk: Desk, launch: Launch, growth: Growth | None) -> Growth | None:
    """What grows now: a replay on real machines is several runs, one after the other."""
    if not launch.goes_on or launch.process is None:
        return growth
    if growth is not None and driven_by(growth.folder.path) is not None:
        return growth
    path = _driven(desk, launch)
    if path is None:
        return growth
    run = f"{path.parent.name}/{path.name}"
    if run not in launch.runs:  # each of several readers finds it
        launch.runs.append(run)
    return Growth(path)


def _driven(desk: Desk, launch: Launch) -> Path | None:
    """The folder of the run that a launch's process drives now, if it drives one."""
    assert launch.process is not None, "it was started"
    labels = [path for path in desk.store.glob("*/") if not path.is_symlink()]
    for label in labels:
        newest = sorted(label.glob("2*Z-*"), key=lambda path: path.name, reverse=True)[:NEWEST]
        for path in newest:
            if path.name >= launch.started and driven_by(path) == launch.process.pid:
                return path
    return None


async def run_events(desk: Desk, request: Request) -> Response:
    """A run that goes on, whoever started it."""
    _, folder = desk.run(request)
    return stream(desk, _run_events(desk, folder.path))


async def _run_events(desk: Desk, path: Path) -> AsyncIterator[bytes]:
    growth = Growth(path)
    while not desk.closing.is_set():
        more = await asyncio.to_thread(growth.read)
        going = await asyncio.to_thread(driven_by, path)
        yield event("progress", growth.told())
        if more:
            continue  # a piece at a time: a history may be long, and the server may end
        if going is None:
            yield event("end", {"verdict": growth.folder.verdict.is_file()})
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(desk.closing.wait(), TICK_S)
