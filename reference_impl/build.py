"""From names to a machine: the one place where a node's protocol and its mutant are looked up."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from random import Random

from harness.machine import Machine
from reference_impl.limits import Limits
from reference_impl.multipaxos import MultiPaxos
from reference_impl.mutants import CATALOGUE
from reference_impl.rules import Rules
from reference_impl.synod import Synod

# Those of system.yaml: a machine in the simulator is the one that a process would run.
DEFAULTS = {"learning": "distinguished", "refusals": "on", "reads": "log", "snapshot_slots": "2000"}
PROTOCOLS = {"consensus": "synod", "register": "multipaxos", "log": "multipaxos"}  # by workload


def simulated(
    name: str, peers: Sequence[str], rng: Random, workload: str, options: Mapping[str, str]
) -> Machine:
    """The machine of node `name` as a trial describes it: where the simulator gets its nodes.

    `options`: those of system.yaml, each with its default; `mutant` is None without one. Raises
    ValueError for a workload, an option or a value that does not exist, with the nearest that does.
    """
    _known("workload", workload, tuple(PROTOCOLS))
    for option in options:
        _known("option", option, (*DEFAULTS, "mutant"))
    chosen = {**DEFAULTS, **options}
    _known("value of refusals", chosen["refusals"], ("on", "off"))
    return build_machine(
        PROTOCOLS[workload],
        name=name,
        peers=peers,
        rng=rng,
        learning=chosen["learning"],
        refusals=chosen["refusals"] == "on",
        reads=chosen["reads"],
        mutant=chosen.get("mutant"),
        snapshot_slots=_number("snapshot_slots", chosen["snapshot_slots"]),
    )


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
    snapshot_slots: int = Limits().snapshot_every_slots,
) -> Machine:
    """The machine of node `name`.

    `peers`: the other nodes. `learning`: all or distinguished. `reads`: log or quorum (the synod
    has neither and ignores it). `mutant`: None for the reference. `snapshot_slots`: from one
    snapshot to the next. Raises ValueError for a name that does not exist, with the nearest that
    does, and for a number that is too small.
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
            limits=Limits.with_snapshots(snapshot_slots),
        )
    return rules.wrap(machine)


def _rules(mutant: str | None) -> Rules:
    if mutant is None:
        return Rules()
    by_name = {m.name: m for m in CATALOGUE}
    _known("mutant", mutant, tuple(by_name))
    return by_name[mutant].rules


def _number(option: str, value: str) -> int:
    if not value.isdecimal():
        raise ValueError(f"{option} must be a number, got {value!r}")
    return int(value)


def _known(kind: str, name: str, valid: Sequence[str]) -> None:
    if name not in valid:
        near = difflib.get_close_matches(name, valid, n=3, cutoff=0.4) or valid
        raise ValueError(f"unknown {kind} {name!r}; did you mean {' or '.join(near)}?")
