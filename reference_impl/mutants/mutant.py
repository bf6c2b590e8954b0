"""What a mutant is: the reference with one law broken."""

from __future__ import annotations

from typing import Literal

import msgspec

from reference_impl.rules import Rules


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """`law`: what is broken, numbered as in docs/theory.md. `story`: a schedule by which it goes
    wrong. `caught_by`: the checkers that should see it, the surest first. `workload`: where it
    shows best. `kind`: what it endangers. `area`: the part of the protocol that is wrong.
    `rules`: the parts to build nodes from, all but one those of the reference. `options`: those of
    the system without which it hardly shows."""

    name: str
    kind: Literal["safety", "liveness"] = "safety"
    area: str
    law: str
    story: str
    caught_by: tuple[str, ...]
    workload: str
    rules: Rules
    options: dict[str, str] = {}
