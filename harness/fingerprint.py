"""Fingerprints: which failures are the same failure.

Rules
1. A fingerprint is the law that is broken, and the shape in which that shows: what the law says,
   with names, numbers and values taken out. Two runs that break the same promise by different keys,
   nodes and ballots have one fingerprint.
2. Laws of the protocol name the cause and come first; what clients saw is the consequence. A run
   that breaks several is filed under the first in the order of the checkers' laws.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import msgspec

from checkers.laws import LAWS
from checkers.verdict import Kind, Verdict

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_NAME = re.compile(r"\b[a-z]\d+\b")
_NUMBER = re.compile(r"-?\d+(\.\d+)*")


class Fingerprint(msgspec.Struct, frozen=True, order=True):
    """`law`: the first that is broken, or the checker; `sentence`: what it says. `shape`: the
    sentence without its particulars. `seen_by`: all that say INVALID, sorted."""

    law: str
    shape: str
    seen_by: tuple[str, ...]
    sentence: str = ""

    @property
    def name(self) -> str:
        """Short, for tables and folders: the law and six digits of what makes it this one."""
        told = f"{self.law}\n{self.shape}".encode()
        return f"{self.law}-{hashlib.sha256(told).hexdigest()[:6]}"


def fingerprint(verdict: Verdict) -> Fingerprint | None:
    """Of an INVALID verdict; None for any other."""
    if verdict.kind is not Kind.INVALID:
        return None
    found = {leaf.checker: leaf for leaf in _invalid_leaves(verdict)}
    laws = [law.name for law in LAWS if law.name in found]
    law = laws[0] if laws else next(iter(found))
    sentence = found[law].summary
    return Fingerprint(law, shape_of(sentence), tuple(sorted(found)), sentence)


def shape_of(sentence: str) -> str:
    """A sentence with its particulars taken out."""
    return _NUMBER.sub("#", _NAME.sub("node", _QUOTED.sub("'...'", sentence)))


def _invalid_leaves(verdict: Verdict) -> Iterator[Verdict]:
    parts = [part for part in verdict.parts if part.kind is Kind.INVALID]
    if not parts:
        yield verdict
    for part in parts:
        yield from _invalid_leaves(part)
