"""Replicas in one state: the digests that nodes gave of themselves agree.

Rules
1. A digest stands for the whole state at a position of the replicated log (a revision, an applied
   index). Two nodes at one position with different values have applied different commands; which
   of them is right cannot be told from here.
2. Nodes at different positions say nothing about one another: one may only be slower. Without two
   nodes at one position nothing was compared.

Sources: state-machine replication (Schneider 1990); the hash check of etcd's robustness tests.
"""

from __future__ import annotations

import msgspec

from checkers.finding import Found, counted, found, invalid, shown, untold, valid
from checkers.verdict import Recording, StateDigest, Verdict


class ReplicasEqual:
    """Judges `Recording.digests`.

    Evidence of INVALID: `kind` (diverged), `position`, `values` (by value, the nodes that have it);
    of all others `digests`, as recorded.
    """

    name = "replicas-equal"

    def check(self, recording: Recording) -> Verdict:
        told = [msgspec.to_builtins(digest) for digest in recording.digests]
        by_position: dict[int, list[StateDigest]] = {}
        for digest in recording.digests:
            by_position.setdefault(digest.position, []).append(digest)
        for position, digests in sorted(by_position.items()):
            wrong = _diverged(position, digests)
            if wrong is not None:
                return invalid(self.name, wrong)
        shared = [p for p, ds in by_position.items() if len({d.node for d in ds}) > 1]
        if not shared:
            asked = counted(len({digest.node for digest in recording.digests}), "node")
            sentence = f"No two replicas were seen at one position: {asked} gave a digest."
            return untold(self.name, sentence, digests=told)
        nodes = len({d.node for position in shared for d in by_position[position]})
        sentence = f"{nodes} replicas agree at {counted(len(shared), 'position')}."
        return valid(self.name, sentence, digests=told)


def _diverged(position: int, digests: list[StateDigest]) -> Found | None:
    values: dict[str, list[str]] = {}
    for digest in digests:
        nodes = values.setdefault(digest.value, [])
        if digest.node not in nodes:
            nodes.append(digest.node)
    if len(values) < 2:
        return None
    sides = " and ".join(f"{', '.join(nodes)} {shown(value)}" for value, nodes in values.items())
    sentence = f"Replicas differ at position {position}: {sides}."
    return found("diverged", sentence, (), position=position, values=values)
