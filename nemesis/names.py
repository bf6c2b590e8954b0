"""The names a message offers to someone who mistyped one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN_MAX = 3


def unknown(what: str, name: str, valid: Iterable[str]) -> str:
    """A sentence about an unknown name: what was got, the nearest valid ones, or all of them.

    >>> unknown("topology", "halfs", ["bridge", "halves"])
    "unknown topology 'halfs': did you mean 'halves'?"
    """
    known = list(valid)
    near = get_close_matches(name, known, n=SHOWN_MAX, cutoff=0.55)
    if near:
        offer = " or ".join(repr(n) for n in near)
        return f"unknown {what} {name!r}: did you mean {offer}?"
    return f"unknown {what} {name!r}: the valid ones are {', '.join(known)}"
