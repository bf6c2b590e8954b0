"""The application: which address is answered by whom, and what a mistake looks like.

Rule: whatever goes wrong is a page (or JSON, below /api) with a sentence, never a traceback.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from harness.serve import comparing, listing, live, nights, run_page
from harness.serve.desk import REFRESH_MS, Desk, Refused, json
from harness.serve.guard import Guard
from harness.serve.opening import NotHere
from harness.store.index import Asked

Answer = Callable[[Desk, Request], Any]


def _about(desk: Desk, _request: Request) -> Response:
    """What programs need: where things are, and the secret that a POST brings."""
    return json(
        {
            "store": str(desk.store),
            "runs": desk.index.count(Asked()),
            "secret": desk.guarded.form_secret,
            "paths": [path for path in dict.fromkeys([*GETS, *POSTS]) if path.startswith("/api/")],
        }
    )


_MEDIA = {
    "serve.css": "text/css; charset=utf-8",
    "serve.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
RUN = "/runs/{label}/{name}"
GETS: dict[str, Answer] = {
    "/runs": listing.runs_page,
    RUN: run_page.run_page,
    f"{RUN}/report": run_page.report,
    f"{RUN}/files/{{path:path}}": run_page.file,
    f"{RUN}/events": live.run_events,
    "/latest": run_page.latest,
    "/latest/{label}": run_page.latest,
    "/compare": comparing.compare_page,
    "/nights": nights.nights_page,
    "/nights/{night}": nights.night_page,
    "/nights/{night}/files/{file:path}": nights.night_file,
    "/failures": nights.failures_page,
    "/live": live.launches_page,
    "/live/{number:int}": live.live_page,
    "/live/{number:int}/events": live.launch_events,
    "/api": _about,
    "/api/runs": listing.runs_json,
    f"/api{RUN}": run_page.run_json,
    "/api/compare": comparing.compare_json,
    "/api/nights": nights.nights_json,
    "/api/nights/{night}": nights.night_json,
    "/api/failures": nights.failures_json,
    "/api/live": live.launches_json,
}
POSTS: dict[str, Answer] = {
    "/live": live.start,
    "/live/{number:int}/cancel": live.cancel,
    "/api/live": live.start_json,
    "/api/live/{number:int}/cancel": live.cancel_json,
}


def application(desk: Desk) -> Guard:
    routes = [Route("/", _home), Route("/static/{name}", _static)]
    for path in dict.fromkeys([*GETS, *POSTS]):
        acts = {"GET": GETS.get(path), "POST": POSTS.get(path)}
        known = {method: act for method, act in acts.items() if act is not None}
        routes.append(Route(path, partial(_answered, desk, known), methods=list(known)))
    # Outside of all: what is answered to a bug of ours is guarded as everything else.
    app = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: partial(_http, desk),
            NotHere: partial(_not_here, desk),
            Refused: partial(_refused, desk),
            Exception: partial(_bug, desk),
        },
        lifespan=partial(_life, desk),
    )
    return Guard(app, desk.guarded)


async def _answered(desk: Desk, acts: Mapping[str, Answer], request: Request) -> Response:
    """In a thread, if it works with files; on the loop, if it works with children and streams."""
    act = acts["GET" if request.method == "HEAD" else request.method]
    if inspect.iscoroutinefunction(act):
        found: Response = await act(desk, request)
        return found
    return await run_in_threadpool(act, desk, request)


async def _home(_request: Request) -> Response:
    return RedirectResponse("/runs", 302)


async def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _MEDIA:
        raise NotHere
    content = (files("harness.serve") / "static" / name).read_bytes()
    return Response(content, media_type=_MEDIA[name], headers={"Cache-Control": "no-cache"})


@contextlib.asynccontextmanager
async def _life(desk: Desk, _app: Starlette) -> AsyncIterator[None]:
    reader = asyncio.create_task(_read_all(desk))
    try:
        yield
    finally:
        desk.closing.set()
        await reader
        await desk.launches.end()
        desk.index.close()


async def _read_all(desk: Desk) -> None:
    """The first scan of a large store, in pieces between which pages are answered."""
    while not desk.closing.is_set():
        if not await asyncio.to_thread(desk.index.refresh, REFRESH_MS):
            return


# --- mistakes ---


def _sentence(desk: Desk, request: Request, status: int, sentence: str) -> Response:
    if request.url.path.startswith("/api"):
        return json({"error": sentence}, status)
    return desk.page("sentence.html", status, title=f"{status}", sentence=sentence)


async def _http(desk: Desk, request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, HTTPException), "it is registered for those"
    words = {404: "There is nothing at this address.", 405: "This address is not asked so."}
    return _sentence(desk, request, wrong.status_code, words.get(wrong.status_code, wrong.detail))


async def _not_here(desk: Desk, request: Request, _wrong: Exception) -> Response:
    return _sentence(desk, request, 404, "There is nothing of this name in the store.")


async def _refused(desk: Desk, request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, Refused), "it is registered for those"
    return _sentence(desk, request, wrong.status, str(wrong))


async def _bug(desk: Desk, request: Request, _wrong: Exception) -> Response:
    told = "This is a bug of antipaxos: please report it with what the server printed."
    return _sentence(desk, request, 500, told)
