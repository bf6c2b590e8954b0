"""The laws of the reference, gathered as parts that a machine is built from.

Rules
1. Each part embodies one law, and the machines ask it rather than decide themselves; so a mutant
   breaks a law by replacing one part, and nothing else differs from the reference.
2. The defaults are right. Nothing outside `mutants` builds other ones.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from harness.machine import Machine
from reference_impl.acceptor import Acceptor
from reference_impl.ballot import Ballots
from reference_impl.learner import Learner
from reference_impl.proposer import Proposer
from reference_impl.quorum import Tally, majority
from reference_impl.reads import ReadRule


def as_it_is(machine: Machine) -> Machine:
    """No wrapper: effects reach the host in the order in which the machine returned them."""
    return machine


class Rules(msgspec.Struct, frozen=True):
    """The parts of a node, each the home of a law."""

    acceptor: type[Acceptor] = Acceptor
    proposer: type[Proposer] = Proposer
    ballots: type[Ballots] = Ballots
    tally: type[Tally] = Tally
    quorum: Callable[[int], int] = majority
    read_rule: type[ReadRule] = ReadRule
    wrap: Callable[[Machine], Machine] = as_it_is

    def new_tally(self, acceptors: int) -> Tally:
        return self.tally(self.quorum(acceptors))

    def new_learner(self, acceptors: int) -> Learner:
        return Learner(lambda: self.new_tally(acceptors))
