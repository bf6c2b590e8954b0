"""What a mutant is: the reference with one law broken."""

from __future__ import annotations

import msgspec

from reference_impl.rules import Rules


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """`law`: what is broken, numbered as in docs/theory.md. `story`: a schedule by which it goes
    wrong. `caught_by`: the checkers that should see it, the surest first. `workload`: where it
    shows best. `rules`: the parts to build nodes from, all but one those of the reference."""

    name: str
    law: str
    story: str
    caught_by: tuple[str, ...]
    workload: str
    rules: Rules
