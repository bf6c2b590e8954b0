"""The laws of the reference, gathered as parts that a machine is built from.

Rules
1. Each part embodies one law, and the machines ask it rather than decide themselves; so a mutant
   breaks a law by replacing one part, and nothing else differs from the reference.
2. The defaults are right. Nothing outside `mutants` builds other ones.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec

from harness.machine import Machine
from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballots
from reference_impl.hearsay import Hearsay
from reference_impl.leadership import Recovery, Retry, Suspicion, Tenure
from reference_impl.learner import Learner
from reference_impl.log import Log
from reference_impl.once import Numbers
from reference_impl.proposer import Proposer, back_off_s
from reference_impl.quorum import Tally, majority
from reference_impl.reads import QuorumReads, ReadRule
from reference_impl.snapshot import Snapshots
from reference_impl.statemachine import KeyValue


def as_it_is(machine: Machine) -> Machine:
    """No wrapper: effects reach the host in the order in which the machine returned them."""
    return machine


class Rules(msgspec.Struct, frozen=True):
    """The parts of a node, each the home of a law."""

    acceptor: type[Acceptor] = Acceptor
    proposer: type[Proposer] = Proposer
    back_off_s: Callable[[Random, int], float] = back_off_s
    learner: type[Learner] = Learner
    ballots: type[Ballots] = Ballots
    tally: type[Tally] = Tally
    quorum: Callable[[int], int] = majority
    recovery: type[Recovery] = Recovery
    retry: type[Retry] = Retry
    tenure: type[Tenure] = Tenure
    suspicion: type[Suspicion] = Suspicion
    hearsay: type[Hearsay] = Hearsay
    log: type[Log] = Log
    once: type[Numbers] = Numbers
    read_rule: type[ReadRule] = ReadRule
    quorum_reads: type[QuorumReads] = QuorumReads
    state: type[KeyValue] = KeyValue
    snapshots: type[Snapshots] = Snapshots
    wrap: Callable[[Machine], Machine] = as_it_is

    def new_tally(self, acceptors: int) -> Tally:
        return self.tally(self.quorum(acceptors))

    def new_learner(self, acceptors: int) -> Learner:
        return self.learner(lambda: self.new_tally(acceptors))
