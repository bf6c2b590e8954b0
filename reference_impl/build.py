"""From names to a machine: the one place where a node's protocol and its mutant are looked up."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from random import Random

from harness.machine import Machine
from reference_impl.multipaxos import MultiPaxos
from reference_impl.mutants import CATALOGUE
from reference_impl.rules import Rules
from reference_impl.synod import Synod


def build_machine(
    protocol: str,
    *,
    name: str,
    peers: Sequence[str],
    rng: Random,
    learning: str,
    refusals: bool,
    reads: str,
    mutant: str | None,
) -> Machine:
    """The machine of node `name`.

    `peers`: the other nodes. `learning`: all or distinguished. `reads`: log or quorum (the synod
    has neither and ignores it). `mutant`: None for the reference. Raises ValueError for a name
    that does not exist, with the nearest that does.
    """
    _known("protocol", protocol, ("multipaxos", "synod"))
    _known("way of learning", learning, ("all", "distinguished"))
    _known("way of reading", reads, ("log", "quorum"))
    rules = _rules(mutant)
    machine: Machine
    if protocol == "synod":
        machine = Synod(
            name=name, peers=peers, rng=rng, learning=learning, refusals=refusals, rules=rules
        )
    else:
        machine = MultiPaxos(
            name=name,
            peers=peers,
            rng=rng,
            learning=learning,
            refusals=refusals,
            reads=reads,
            rules=rules,
        )
    return rules.wrap(machine)


def _rules(mutant: str | None) -> Rules:
    if mutant is None:
        return Rules()
    by_name = {m.name: m for m in CATALOGUE}
    _known("mutant", mutant, tuple(by_name))
    return by_name[mutant].rules


def _known(kind: str, name: str, valid: Sequence[str]) -> None:
    if name not in valid:
        near = difflib.get_close_matches(name, valid, n=3, cutoff=0.4) or valid
        raise ValueError(f"unknown {kind} {name!r}; did you mean {' or '.join(near)}?")
