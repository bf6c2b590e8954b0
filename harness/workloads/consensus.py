"""Workload consensus: propose and read on single-decree instances, one instance a key.

Rules
1. Every proposed value names its instance and is proposed once, so a decision names its proposer
   and a value that strays into another instance shows.
2. A process proposes at most once in an instance, as an agreement algorithm has it; otherwise it
   reads. Successors of processes lost to info propose anew: retries under another name are where
   two values get chosen.
3. Quick instances come one after the other, so that all processes propose in the same one at the
   same time: ballots that outbid each other are where a proposer meets two reports. The slow ones
   stay undecided, or decided by a bare majority, while nodes are killed and cut off, and are
   proposed to again afterwards.
4. After healing the older instances get one more proposal each instead of a read: it must be
   answered by what was chosen, out of the memory of the acceptors and not of one learner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from checkers.budget import Budget
from checkers.consensus import Agreement, Integrity, Termination, Validity
from checkers.coverage import Coverage
from checkers.history import Operation
from checkers.laws import Laws
from checkers.linearizability import Linearizable
from checkers.models import Consensus as ConsensusModel
from checkers.verdict import Checker
from harness.generators import PENDING, Answer, Context, Generator, Invocation, Request, generate
from harness.workloads.keys import KeyOptions, UsedKeys, rotating, visits
from harness.workloads.options import Count, Seconds, Share, convert


class Options(KeyOptions, frozen=True, kw_only=True):
    """`propose_share`: how often a process that may propose does, rather than read."""

    keys_quick: Count = 1
    keys_slow: Count = 20
    slow_gap_s: Seconds = 0.4
    operations_per_key: Count = 15
    propose_share: Share = 0.5


class _OfInstance(msgspec.Struct, frozen=True):
    key: str
    propose_share: float
    proposers: frozenset[int] = frozenset()

    def op(self, context: Context) -> tuple[Answer, Generator]:
        if not context.free:
            return PENDING, self
        worker = context.any_free()
        process = context.processes[worker]
        wants = not self.proposers or context.random.random() < self.propose_share
        if process in self.proposers or not wants:
            return Invocation(worker, "read"), self
        after = _OfInstance(self.key, self.propose_share, self.proposers | {process})
        value = f"{self.key}.{process}"
        return Invocation(worker, "propose", value), after

    def update(self, context: Context, event: Operation) -> Generator:  # noqa: ARG002
        return self


class Consensus:
    """See the head of this module. One object serves one run."""

    name = "consensus"
    operations = ("propose", "read")

    def __init__(self, options: Mapping[str, Any], check_time_limit_s: float) -> None:
        self._options = convert(options, Options)
        self._check_time_limit_s = check_time_limit_s
        self._used = UsedKeys()

    def generator(self) -> Generator:
        share = self._options.propose_share
        return rotating(lambda key: _OfInstance(key, share), self._options, self._used)

    def final_generator(self) -> Generator:
        return visits(self._used, self._options, _last_proposal)

    def checkers(self) -> Sequence[Checker]:
        budget = Budget(time_s=self._check_time_limit_s)
        return (
            Agreement(),
            Validity(),
            Integrity(),
            Linearizable(ConsensusModel(), budget),
            Laws(),
            Termination(),
            Coverage(operations=self.operations),
        )


def _last_proposal(key: str, worker: int) -> Generator:
    return generate(lambda n, _context: Request("propose", f"{key}.last.{worker}.{n}", key))
