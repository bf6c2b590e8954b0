"""What every page needs: the store, its index, what was started here, and how a page is drawn."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jinja2
import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from harness.contracts import EnvironmentTrouble
from harness.nightly.archive import Archive
from harness.serve import opening, wording
from harness.serve.guard import Guarded, from_elsewhere, same
from harness.serve.launches import Launches
from harness.serve.reading import facts_of
from harness.store.folder import RunFolder
from harness.store.index import Facts, Index
from harness.trial import TrialError

REFRESH_MS = 100  # what a page waits for folders that have changed; the rest is read behind it
BODY_BYTES = 1 << 16


class Refused(Exception):
    """A request that is answered with a sentence. `status`: of HTTP."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Desk:
    """`archive`: where nights are, None where their address cannot be used."""

    def __init__(self, store: Path, guarded: Guarded, archive: str | None = None) -> None:
        self.store = store.absolute()
        self.guarded = guarded
        self.index = Index(self.store, partial(facts_of, self.store))
        self.launches = Launches()
        self.closing = asyncio.Event()
        self.streams: set[object] = set()  # of events, that are open
        self.counted: tuple[int, Any] = (-1, None)  # facets, as of a generation of the index
        self._archive = archive or str(self.store)
        self._pages = jinja2.Environment(
            loader=jinja2.PackageLoader("harness.serve"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._pages.filters.update(wording.FILTERS)
        self._pages.globals.update(run_path=wording.run_path, with_query=wording.with_query)

    def archive(self) -> Archive:
        return Archive(self._archive)

    def page(self, name: str, status: int = 200, **shown: Any) -> Response:
        text = self._pages.get_template(name).render(
            **shown, secret=self.guarded.form_secret, store=str(self.store)
        )
        return HTMLResponse(text, status)

    def run(self, request: Request) -> tuple[Facts, RunFolder]:
        """The stored run that the address names. Raises NotHere."""
        label, name = request.path_params["label"], request.path_params["name"]
        return self.run_named(label, name)

    def run_named(self, label: str, name: str) -> tuple[Facts, RunFolder]:
        folder = opening.run_folder(self.store, label, name)
        facts = facts_of(self.store, label, name)
        if facts is None or not (label + name).isprintable():
            raise opening.NotHere
        return facts, folder


async def form(request: Request) -> dict[str, str]:
    """The fields of a POST, of a form or as JSON. Raises Refused where it is too long."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise Refused(413, f"The request has more than {BODY_BYTES:,} bytes.")
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            return msgspec.json.decode(body or b"{}", type=dict[str, str])
        except msgspec.MsgspecError as wrong:
            raise Refused(400, f"The request is not a JSON object of texts: {wrong}.") from wrong
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError as wrong:
        raise Refused(400, "The form cannot be read.") from wrong


async def changing(desk: Desk, request: Request) -> dict[str, str]:
    """The fields of a POST that may change something. Raises Refused where it may come from
    another site."""
    headers: Headers = request.headers
    fields = await form(request)
    if request.state.by_header:
        return fields
    given = fields.get("secret") or headers.get("x-antipaxos-secret", "")
    if from_elsewhere(headers) or not same(given, desk.guarded.form_secret):
        raise Refused(
            403,
            "This was not asked by a page of this server. Reload the page (the server may have "
            "been started again since) and press the button once more.",
        )
    return fields


def json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


TROUBLES = (EnvironmentTrouble, TrialError, OSError)
