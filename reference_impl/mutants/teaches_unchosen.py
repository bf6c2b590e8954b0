"""Mutant teaches-unchosen: asked for chosen values, a node adds those that it accepted."""

from __future__ import annotations

from collections.abc import Iterator

from reference_impl.acceptor import Acceptor
from reference_impl.hearsay import Hearsay
from reference_impl.log import Log
from reference_impl.logmessages import Batch
from reference_impl.mutants.mutant import Mutant
from reference_impl.rules import Rules


class TellsWhatItHas(Hearsay):
    def tells(self, log: Log, acceptor: Acceptor, first: int) -> Iterator[Batch]:
        slot = max(first, log.last + 1)
        yield from super().tells(log, acceptor, first)
        while slot in acceptor.accepted:
            yield acceptor.accepted[slot].value
            slot += 1


MUTANT = Mutant(
    name="teaches-unchosen",
    area="catch-up",
    law="T2: a process learns a value only if it was chosen",
    story=(
        "Leader A and follower B are cut off with A's v in slot 8 under way; B also misses slot "
        "7, and asks A for it. A sends 7 and 8, and B applies both. The others have not heard "
        "of v and choose w in 8."
    ),
    caught_by=(
        "quorum",
        "chosen-once",
        "log-agreement",
    ),
    workload="register",
    rules=Rules(hearsay=TellsWhatItHas),
)
