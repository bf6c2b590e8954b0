"""Workloads: what clients do, and who judges it, by name.

A workload of your own implements harness.contracts.Workload; register, consensus and log are the
examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from harness.contracts import Workload
from harness.trial import nearest
from harness.workloads import (
    answers,
    broadcast,
    consensus,
    counter,
    gset,
    kafka,
    locks,
    log,
    queues,
    register,
    sets,
    transactions,
    watch,
)
from harness.workloads.options import mistakes

__all__ = ["WORKLOADS", "Kind", "option_mistakes", "workload"]


class Kind(msgspec.Struct, frozen=True):
    """`options`: the Struct of its options, with defaults. `make(options, check_time_limit_s)`.
    `contradictions`: sentences about options that are right alone and wrong together."""

    options: type[msgspec.Struct]
    make: Callable[[Mapping[str, Any], float], Workload]
    contradictions: Callable[[Mapping[str, Any]], list[str]] = lambda _options: []


WORKLOADS: Mapping[str, Kind] = MappingProxyType(
    {
        "register": Kind(register.Options, register.Register, register.contradictions),
        "consensus": Kind(consensus.Options, consensus.Consensus),
        "log": Kind(log.Options, log.Log),
        "set": Kind(sets.Options, sets.Set),
        "queue": Kind(queues.Options, queues.Queue),
        "lock": Kind(locks.Options, locks.Lock, locks.contradictions),
        "counter": Kind(counter.Options, counter.Counter),
        "watch": Kind(watch.Options, watch.Watch, watch.contradictions),
        "echo": Kind(answers.Options, answers.echo),
        "unique-ids": Kind(answers.Options, answers.unique_ids),
        "broadcast": Kind(broadcast.Options, broadcast.broadcast),
        "g-set": Kind(gset.Options, gset.g_set),
        "kafka": Kind(kafka.Options, kafka.Kafka),
        "txn-list-append": Kind(
            transactions.Options, transactions.TxnListAppend, transactions.contradictions
        ),
    }
)


def option_mistakes(name: str, options: Mapping[str, Any]) -> list[str]:
    """A sentence for every mistake in the options of workload `name`; empty if there is none.

    Raises ValueError, naming the nearest, where there is no such workload.
    """
    kind = _kind(name)
    return mistakes(options, kind.options) or kind.contradictions(options)


def workload(
    name: str, options: Mapping[str, Any] | None = None, *, check_time_limit_s: float = 60.0
) -> Workload:
    """A new workload, for one run. `check_time_limit_s` bounds its search, from `checkers()` on.

    Raises ValueError: no such workload, or every mistake in its options.
    """
    kind = _kind(name)
    options = options or {}
    found = option_mistakes(name, options)
    if found:
        raise ValueError("\n".join(found))
    return kind.make(options, check_time_limit_s)


def _kind(name: str) -> Kind:
    if name not in WORKLOADS:
        raise ValueError(f"no workload is called {name!r}. {nearest(name, WORKLOADS)}")
    return WORKLOADS[name]
