"""Maelstrom's registry of error codes: what a node says when it says no.

A definite error means that what was asked has not happened and never will; an indefinite one, that
it may have. A code that is not registered is indefinite, whatever its node means by it.

Source: Maelstrom's resources/errors.edn and doc/protocol.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

NO_KEY, MISMATCH = 20, 22


class ErrorKind(msgspec.Struct, frozen=True):
    name: str
    definite: bool


REGISTRY: Mapping[int, ErrorKind] = MappingProxyType(
    {
        0: ErrorKind("timeout", definite=False),
        1: ErrorKind("node-not-found", definite=True),
        10: ErrorKind("not-supported", definite=True),
        11: ErrorKind("temporarily-unavailable", definite=True),
        12: ErrorKind("malformed-request", definite=True),
        13: ErrorKind("crash", definite=False),
        14: ErrorKind("abort", definite=True),
        20: ErrorKind("key-does-not-exist", definite=True),
        21: ErrorKind("key-already-exists", definite=True),
        22: ErrorKind("precondition-failed", definite=True),
        30: ErrorKind("txn-conflict", definite=True),
    }
)


def kind(code: int) -> ErrorKind:
    return REGISTRY.get(code) or ErrorKind(f"error-{code}", definite=False)
