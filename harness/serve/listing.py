"""The list of runs: what a query asks, the page and its JSON."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from harness.serve.desk import REFRESH_MS, Desk, Refused, json
from harness.serve.growth import driven_by
from harness.store.index import FACETS, SORTED_BY, Asked, Facts

PER_PAGE = 50
PER_PAGE_MAX = 1_000
STRIPS = 8
STRIP_RUNS = 40
OPTIONS_MAX = 200
FILTERS = (*FACETS, "law", "fingerprint")
NO_VERDICT = "none"  # in a query, where an empty value asks for nothing
TIME_CHARS = 19


def asked_of(request: Request) -> tuple[Asked, dict[str, str]]:
    """What the query asks, and the query as it is kept in links. Raises Refused."""
    query = {name: value for name, value in request.query_params.items() if value}
    known = {"q", "sort", "order", "page", "limit", "since", "until", *FILTERS}
    unknown = sorted(query.keys() - known)
    if unknown:
        raise Refused(400, f"{unknown[0]!r} is nothing to ask by: {', '.join(sorted(known))} are.")
    sort = query.get("sort", "started")
    if sort not in SORTED_BY:
        raise Refused(400, f"sort={sort!r}: give one of {', '.join(SORTED_BY)}.")
    order = query.get("order", "desc" if sort == "started" else "asc")
    if order not in ("asc", "desc"):
        raise Refused(400, f"order={order!r}: give asc or desc.")
    limit = _number(query, "limit", PER_PAGE, PER_PAGE_MAX)
    page = _number(query, "page", 1, 1_000_000)
    equal = {name: query[name] for name in FILTERS if name in query}
    if equal.get("verdict") == NO_VERDICT:
        equal["verdict"] = ""
    asked = Asked(
        words=query.get("q", "").split()[:20],
        equal=equal,
        since=_time(query.get("since", "")),
        until=_time(query.get("until", "")),
        sort=sort,
        descending=order == "desc",
        limit=limit,
        offset=(page - 1) * limit,
    )
    return asked, query


def _number(query: dict[str, str], name: str, usual: int, most: int) -> int:
    text = query.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= most):
        raise Refused(400, f"{name}={text[:40]!r}: give a number from 1 to {most:,}.")
    return int(text)


def _time(text: str) -> str:
    """As the index has it: a browser's '2026-01-31T23:59' with a space."""
    return text.replace("T", " ").removesuffix("Z")[:TIME_CHARS]


def runs_page(desk: Desk, request: Request) -> Response:
    asked, query = asked_of(request)
    left = desk.index.refresh(REFRESH_MS)
    counted = _counted(desk)
    total = desk.index.count(asked)
    rows = desk.index.runs(asked)
    page = asked.offset // asked.limit + 1
    return desk.page(
        "runs.html",
        title="Runs",
        rows=rows,
        going={(r.label, r.name) for r in rows if not r.verdict and _goes_on(desk, r)},
        total=total,
        stored=sum(counted["facets"]["verdict"].values()),
        left=left,
        query=query,
        asked=asked,
        page=page,
        pages=max(-(-total // asked.limit), 1),
        headings=HEADINGS,
        filtered=bool(query.keys() & {"q", "since", "until", *FILTERS}),
        **counted,
    )


HEADINGS = (
    ("verdict", "Verdict"),
    ("started", "Started (UTC)"),
    ("label", "Run"),
    ("system", "System"),
    ("workload", "Workload"),
    ("faults", "Faults"),
    ("cluster", "Cluster"),
    ("nodes", "Nodes"),
    ("operations", "Operations"),
)


def _counted(desk: Desk) -> dict[str, Any]:
    """What is counted over all runs, once for each state of the store."""
    generation = desk.index.generation
    if desk.counted[0] != generation:
        facets = {
            name: dict(list(counts.items())[:OPTIONS_MAX])
            for name, counts in desk.index.facets().items()
        }
        strips = desk.index.strips(STRIPS, STRIP_RUNS)
        desk.counted = (generation, {"facets": facets, "strips": strips})
    found: dict[str, Any] = desk.counted[1]
    return found


def _goes_on(desk: Desk, run: Facts) -> bool:
    return driven_by(desk.store / run.label / run.name) is not None


def runs_json(desk: Desk, request: Request) -> Response:
    asked, _ = asked_of(request)
    left = desk.index.refresh(REFRESH_MS)
    return json(
        {
            "total": desk.index.count(asked),
            "unread": left,
            "runs": [msgspec.to_builtins(facts) for facts in desk.index.runs(asked)],
        }
    )
