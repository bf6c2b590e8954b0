"""Mutant forwards-twice: a forwarded command that the network brings twice is proposed twice."""

from __future__ import annotations

from reference_impl.mutants.mutant import Mutant
from reference_impl.once import Numbers
from reference_impl.rules import Rules


class NeverSeen(Numbers):
    def add(self, number: int) -> bool:  # noqa: ARG002
        return True


MUTANT = Mutant(
    name="forwards-twice",
    area="sessions",
    law="T8: the network duplicates messages, and a command must not take effect once a copy",
    story=(
        "A follower forwards a client's write to the leader. The network delivers it, and a "
        "second time a while later, when the client has been answered and another has "
        "overwritten the value: the first write happens again."
    ),
    caught_by=("linearizable",),
    workload="register",
    rules=Rules(once=NeverSeen),
)
