"""Whole trials for the simulated cluster: a system, its clients, what they do and what is broken.

Rules
1. A case that is drawn is complete: operations are written down one by one, with their clients and
   moments, and faults as a schedule. Only the chance of the world itself (delays, elections) is
   left to the seed, which is drawn too. So the same example is the same run, and can be kept.
2. Operations and faults are elements of lists, and there are as many clients as do anything: a
   failing case shrinks to few of each, early, on few nodes and in a short run.
3. After all is healed every client reads every key once: what was lost for good shows.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.cases import Case
from harness.generators import Request
from harness.generators.script import Line, Script
from harness.strategies.disrupting import TICK_S, schedules
from harness.strategies.drawing import numbered, request_drawn, sized
from harness.strategies.vocabulary import vocabulary_of
from harness.trial import Trial, TrialError, nearest, problems_of
from nemesis.schedule import Schedule

# What clients may ask for in a workload: the operations of a model.
MODELS: Mapping[str, str] = MappingProxyType(
    {"register": "cas-register", "consensus": "consensus", "log": "log"}
)
_MOMENTS = 100  # at which operations may begin, over the whole run
_NS_PER_S = 1_000_000_000
_SEED_MAX = 9_999

_Asked = tuple[int, int, Request]  # moment, client, what


def trials(
    *,
    system: str,
    workload: str = "register",
    nodes: tuple[int, int] = (3, 5),
    clients: tuple[int, int] = (1, 5),
    time_limit_s: tuple[float, float] = (1.0, 3.0),
    max_operations: int = 40,
    keys: Sequence[str] = ("k0", "k1"),
    kinds: Collection[str] | None = None,
    max_faults: int = 5,
    **settings: Any,
) -> SearchStrategy[Case]:
    """Cases for `harness.simulate.simulate`. `nodes`, `clients` and `time_limit_s` are the least
    and the most; `kinds` and `max_faults` those of `schedules`; `settings` further ones of a Trial,
    as in `options={"reads": "log"}`.

    Raises TrialError for a setting that no trial has or a value that it cannot take; ValueError
    where a range is empty, or no fault, or no workload with known operations, is called so.
    """
    for name, span in (("nodes", nodes), ("clients", clients), ("time_limit_s", time_limit_s)):
        if not 0 < span[0] <= span[1]:
            raise ValueError(f"{name} is {span}: expected the least, more than 0, and the most")
    fixed: dict[str, Any] = {
        "system": system,
        "workload": workload,
        "cluster": "simulated",
        "faults": "none",
    }
    fixed |= settings
    wrong = problems_of({**fixed, "nodes": nodes[1], "clients": clients[1]}, {})
    if wrong:
        raise TrialError([sentence for sentences in wrong.values() for sentence in sentences])
    asked = sized(_asked(workload, clients[1], keys), 0, max_operations)
    sizes, seeds = st.integers(*nodes), st.integers(0, _SEED_MAX)
    limits = st.integers(*(round(limit_s / TICK_S) for limit_s in time_limit_s))

    @functools.cache
    def faults(size: int, limit_s: float) -> SearchStrategy[Schedule]:
        names = Trial(nodes=size).node_names
        return schedules(names, kinds=kinds, duration_s=limit_s, max_faults=max_faults)

    faults(nodes[0], time_limit_s[1])  # what is wrong with the kinds shows here, not in a draw

    @st.composite
    def case(draw: st.DrawFn) -> Case:
        size, limit_s = draw(sizes), round(draw(limits) * TICK_S, 3)
        broken, done = draw(faults(size, limit_s)), draw(asked)
        busy = max([clients[0], *(client + 1 for _, client, _ in done)])
        own: dict[str, Any] = {
            "nodes": size,
            "clients": busy,
            "time_limit_s": limit_s,
            "seed": draw(seeds),
        }
        script = _script(done, keys, busy, limit_s)
        return Case(trial=Trial(**{**own, **fixed}), faults=broken, script=script)

    return case()


def _asked(workload: str, clients: int, keys: Sequence[str]) -> SearchStrategy[_Asked]:
    if workload not in MODELS:
        raise ValueError(
            f"no operations are known for the workload {workload!r}. {nearest(workload, MODELS)}"
        )
    request = request_drawn(vocabulary_of(MODELS[workload])[1], keys)
    moment, client = st.integers(0, _MOMENTS - 1), st.integers(0, clients - 1)

    @st.composite
    def asked(draw: st.DrawFn) -> _Asked:
        return draw(moment), draw(client), request(draw)

    return asked()


def _script(done: Sequence[_Asked], keys: Sequence[str], clients: int, limit_s: float) -> Script:
    moment_ns = round(limit_s * _NS_PER_S) // _MOMENTS
    in_order = sorted(done, key=lambda asked: asked[0])
    requests = numbered([request for _, _, request in in_order])
    load = (
        Line(moment * moment_ns, client, request.f, request.value, request.key)
        for (moment, client, _), request in zip(in_order, requests, strict=True)
    )
    final = (Line(0, client, "read", None, key) for client in range(clients) for key in keys)
    return Script(tuple(load), tuple(final))
