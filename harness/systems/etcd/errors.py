"""What an error of etcd means for the operation that met it.

Rules
1. A change (put, txn) that met an error is a definite fail only where the error is in the table
   here: it was refused before it was proposed to Raft, or refused alike by every member when it was
   applied. Whatever is absent from it may have happened: time-outs, lost leaders, a server that
   stops, a connection that breaks.
2. 'database space exceeded' is absent on purpose: besides puts that were never proposed, it answers
   the one that was applied and found to have crossed the quota.
3. 'no leader' and 'leader changed' are absent: a proposal may have been forwarded before.
4. A read has no effect, so however it fails, it fails.

Sources: etcd's api/v3rpc/rpctypes/error.go (the texts), server/v3_server.go
(processInternalRaftRequestOnce: what is checked before a proposal), apply.go (quotaApplierV3.Put:
rule 2), raft.go (ErrProposalDropped: nothing was appended); 3.4 and 3.5 agree.
"""

from __future__ import annotations

import re

from harness.systems.etcd.wire import Refused

# The gRPC status codes that etcd uses.
_CODES = {
    1: "canceled",
    2: "unknown",
    3: "invalid-argument",
    4: "deadline-exceeded",
    5: "not-found",
    8: "resource-exhausted",
    9: "failed-precondition",
    11: "out-of-range",
    12: "unimplemented",
    13: "internal",
    14: "unavailable",
    15: "data-loss",
}

DEFINITE = frozenset(
    {
        "etcdserver: key is not provided",
        "etcdserver: duplicate key given in txn request",
        "etcdserver: too many operations in txn request",
        "etcdserver: request is too large",
        "etcdserver: too many requests",
        "etcdserver: requested lease not found",
        "etcdserver: mvcc: required revision has been compacted",
        "etcdserver: mvcc: required revision is a future revision",
        "raft proposal dropped",
    }
)


def is_definite(refused: Refused) -> bool:
    """Did a change that met this error certainly not happen?"""
    return refused.message in DEFINITE


def code_of(refused: Refused) -> str:
    """etcd's own words as a code: 'request-timed-out'; for others the name of the gRPC status."""
    words = refused.message.removeprefix("etcdserver: ").removeprefix("mvcc: ")
    if words != refused.message or refused.message in DEFINITE:
        return re.sub(r"[^a-z0-9]+", "-", words.partition(",")[0].lower()).strip("-")
    return _CODES.get(refused.code, f"grpc-{refused.code}")
