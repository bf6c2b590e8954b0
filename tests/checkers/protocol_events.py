"""Protocol events for the tests of the laws, in few words, and what the laws say of them."""

from __future__ import annotations

from checkers.laws import breaches
from checkers.trace import TraceEvent

NODES = ("n1", "n2", "n3")
B1, B2, B3 = (1, "n1"), (2, "n2"), (3, "n3")


def ev(node: str, event: str, **fields: object) -> TraceEvent:
    return TraceEvent(0, node, event, **fields)  # type: ignore[arg-type]


def prepare(node, ballot, instance="r1", first=None):
    return ev(node, "prepare", ballot=ballot, instance=instance, first=first)


def promise(node, ballot, *reports, instance="r1", first=None):
    return ev(node, "promise", ballot=ballot, instance=instance, first=first, accepted=reports)


def accept(node, ballot, value, instance="r1"):
    return ev(node, "accept", ballot=ballot, instance=instance, value=value)


def accepted(node, ballot, value, instance="r1"):
    return ev(node, "accepted", ballot=ballot, instance=instance, value=value)


def refuse(node, ballot, promised=None, instance="r1"):
    return ev(node, "refuse", ballot=ballot, instance=instance, promised=promised)


def state(node, index, digest):
    return ev(node, "state", index=index, digest=digest)


def chosen(node, value, ballot=None, instance="r1"):
    return ev(node, "chosen", instance=instance, value=value, ballot=ballot)


def broken(*events: TraceEvent, nodes: tuple[str, ...] = NODES) -> dict[str, tuple[int, ...]]:
    """The broken laws, each with the position that breaks it and those it contradicts."""
    found, _ = breaches(events, nodes)
    return {law: (breach.position, *breach.against) for law, breach in found.items()}


ALIVE = tuple(ev(node, "restart") for node in NODES)


def promised(ballot, *nodes, first=None, instance="r1"):
    return [promise(node, ballot, instance=instance, first=first) for node in nodes]
