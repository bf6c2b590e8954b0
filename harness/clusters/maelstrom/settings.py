"""The options of a maelstrom cluster: the weather between its nodes, and who is whose neighbour.

Rules
1. The weather is what messages always meet, before any fault: each takes its own time, so that
   later ones may pass it, and may be lost. It lies between nodes and on their way to services, and
   never between nodes and clients: a slow client hides what it could have seen.
2. Without options nothing is slow and nothing is lost.

Sources: Maelstrom's options --latency, --latency-dist and --topology; its client links take no time
either.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Annotated, Literal, get_args

import msgspec

from harness.trial import nearest
from nemesis.faults import Slow

NORMAL_SPREAD = 0.25  # the standard deviation of normal latencies, as a share of their mean

Distribution = Literal["constant", "uniform", "normal", "exponential"]
Topology = Literal["grid", "line", "total", "tree"]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`latency_ms`: the mean. `latency_distribution`: `uniform` draws from 0 to twice that. `loss`:
    the share of messages that vanish. `topology`: what broadcast nodes are told of their
    neighbours."""

    latency_ms: Annotated[float, msgspec.Meta(ge=0, le=60_000)] = 0.0
    latency_distribution: Distribution = "constant"
    loss: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    topology: Topology = "grid"

    @property
    def calm(self) -> bool:
        return self.latency_ms == 0 and self.loss == 0

    @property
    def latency(self) -> Slow:
        """As a fault describes it, which knows how to draw one."""
        spread = NORMAL_SPREAD if self.latency_distribution == "normal" else 1.0
        return Slow(
            mean_ms=self.latency_ms,
            jitter_ms=spread * self.latency_ms,
            distribution=self.latency_distribution,
        )


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
            found.append(f"the maelstrom cluster has no option {name!r}. {nearest(name, fields)}")
            continue
        kind = fields[name].type
        try:
            taken = msgspec.convert(value, kind, strict=False)
        except msgspec.ValidationError as wrong:
            words = get_args(kind)
            valid = nearest(value, words) if isinstance(words[0], str) else f"{wrong}."
        else:
            if not (isinstance(taken, float) and isnan(taken)):
                continue
            valid = "Give a number."
        found.append(
            f"cluster option {name} is {value!r}. {valid} The default is {fields[name].default!r}."
        )
    return found
