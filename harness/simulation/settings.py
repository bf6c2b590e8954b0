"""What kind of world a simulated cluster is: the assumptions that a system is tested under.

Rules
1. Failure. fail-crash (the default): a process stops, and nobody can tell it from a slow one; it
   may come back with what it had stored. fail-stop: the others are told, reliably and soon.
   byzantine: nodes may also lie, where a fault makes them.
2. Time. asynchronous (the default): nothing is bounded. synchronous: every frame arrives within the
   bound of the latencies, and what would break that is refused: cuts, holds, losses, long delays,
   pauses, slow disks, wrong clocks.
3. A stronger assumption is only ever chosen; the defaults are those of Paxos, which assumes least.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, get_args

import msgspec

from harness.simulation.links import Latency
from harness.trial import nearest

Microseconds = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`failure`: how processes fail (rule 1). `time`: is anything bounded (rule 2)? `order`: `fifo`
    keeps the order of frames on a link, as one TCP connection would. `scheduler`: `uniform` delays
    every frame alike, `depth` ranks the nodes and lets the last ones wait. `changes`: how often
    `depth` changes the ranks. `frames`: within the first how many. `least_us`, `spread_us`: what a
    frame takes, in microseconds. `tail`: is that exponential beyond the least? `detect_us`: how
    soon a fail-stop is told.
    """

    failure: Literal["fail-crash", "fail-stop", "byzantine"] = "fail-crash"
    time: Literal["asynchronous", "synchronous"] = "asynchronous"
    order: Literal["any", "fifo"] = "any"
    scheduler: Literal["uniform", "depth"] = "uniform"
    changes: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 2
    frames: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)] = 4_000
    least_us: Microseconds = 200
    spread_us: Microseconds = 800
    tail: bool = False
    detect_us: Microseconds = 5_000

    @property
    def latency(self) -> Latency:
        return Latency(least_us=self.least_us, spread_us=self.spread_us, tail=self.tail)


def settings(given: Mapping[str, str]) -> Settings:
    """From the cluster options of a trial. Raises ValueError with sentences, one a line."""
    mistakes = mistakes_of(given)
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return msgspec.convert(dict(given), Settings, strict=False)


def mistakes_of(given: Mapping[str, str]) -> list[str]:
    """What is wrong with cluster options, as sentences; empty if nothing is."""
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    found = []
    for name, value in given.items():
        if name not in fields:
            found.append(f"the simulated cluster has no option {name!r}. {nearest(name, fields)}")
            continue
        try:
            msgspec.convert(value, fields[name].type, strict=False)
        except msgspec.ValidationError as wrong:
            words = get_args(fields[name].type)
            valid = nearest(value, words) if words and isinstance(words[0], str) else str(wrong)
            default = fields[name].default
            found.append(f"cluster option {name} is {value!r}. {valid} The default is {default!r}.")
    if not found:
        chosen = msgspec.convert(dict(given), Settings, strict=False)
        if chosen.time == "synchronous" and chosen.tail:
            found.append("cluster option tail bounds nothing: leave it out where time=synchronous")
        if chosen.time == "synchronous" and chosen.scheduler == "depth":
            found.append(
                "cluster option scheduler=depth lets frames wait beyond every bound: leave it out "
                "where time=synchronous"
            )
    return found
