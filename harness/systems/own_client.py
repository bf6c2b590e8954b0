"""A client that is a Python class of the user's own.

A system's file says `client: {python: module:Class}`. The module is imported as Python does, with
the directory of the file searched first. The class is called with `node`, `address` (host, port),
`workload` and `timeout_s` by name, and its objects are Clients (harness.contracts): `open`,
`invoke(operation)` that gives a Completion, `close`; coroutines or plain functions.

Rule: what can be told before anything starts is told then, when the class is loaded. A class whose
objects cannot be made would otherwise look like a system that nobody can reach.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from harness.contracts import Address, BrokenClient, Client
from harness.systems.machines import load
from harness.trial import TrialError

MakeClient = Callable[..., Client]
_METHODS = ("open", "invoke", "close")
_CALL = "(node=..., address=..., workload=..., timeout_s=...)"


def load_client(named: str, here: str, system: str) -> MakeClient:
    """Raises TrialError, naming what cannot be found and where it was looked for."""
    what = f"system {system}: the class of its clients"
    found: MakeClient = load(named, here, what)
    missing = _missing(found) if isinstance(found, type) else []
    if missing:
        raise TrialError([f"{what}: {named!r} has no method {', '.join(missing)}. Add it."])
    try:
        inspect.signature(found).bind(node="", address=("", 0), workload="", timeout_s=0.0)
    except TypeError as wrong:
        raise TrialError(
            [f"{what}: {named!r} cannot be called as {named.partition(':')[2]}{_CALL}: {wrong}."]
        ) from wrong
    return found


def make_client(
    make: MakeClient, node: str, address: Address, workload: str, timeout_s: float
) -> Client:
    """Raises BrokenClient where the class raises, or gives what is no client."""
    try:
        client = make(node=node, address=address, workload=workload, timeout_s=timeout_s)
    except Exception as wrong:
        raise BrokenClient(
            f"The client for node {node} could not be made: {type(wrong).__name__}: {wrong}. What "
            "can fail belongs into its method open. This says nothing about the system under test."
        ) from wrong
    missing = _missing(client)
    if missing:
        raise BrokenClient(
            f"The client for node {node}, {client!r:.200}, has no method {', '.join(missing)}."
        )
    return client


def _missing(thing: object) -> list[str]:
    return [name for name in _METHODS if not callable(getattr(thing, name, None))]
