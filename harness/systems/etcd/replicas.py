"""The state of each member, to be compared: at equal applied indexes all must be equal.

Rules
1. A position is an applied index of Raft: every member has applied the same log up to it. (A
   revision would not do: a member that skipped an entry is at the same index with a lower one.)
2. The value is revision and HashKV at that index. HashKV covers every revision of every key that is
   not compacted. It is read between two readings of the index; where they differ, it says nothing
   and is read again.
3. It is asked at the port for peers. The path that the gateway has for it, /v3/maintenance/hash,
   answers another question in 3.4 and 3.5: the hash of the whole backend, where members may differ
   and be right.

Sources: etcd's server/etcdserver/corrupt.go (how members compare themselves), api/etcdhttp/peer.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from harness.contracts import Address, Digest
from harness.systems.etcd import wire
from harness.systems.etcd.asking import statuses
from harness.systems.etcd.http import Connection, ProtocolError
from harness.systems.etcd.wire import Header

TIMEOUT_S = 2.0
AGREE_LIMIT_S = 5.0  # for the members to reach one index, and stay at it
_POLL_S = 0.1


class _HashKV(msgspec.Struct, frozen=True):
    hash: int
    header: Header = Header()
    compact_revision: int = 0


async def digests(clients: Mapping[str, Address], peers: Mapping[str, Address]) -> Sequence[Digest]:
    """Of each member that answers, at one index if they come to one in time. `clients`, `peers`:
    the addresses of each, by name."""
    loop = asyncio.get_running_loop()
    end = loop.time() + AGREE_LIMIT_S
    while True:
        before = await statuses(clients, TIMEOUT_S)
        hashes = await asyncio.gather(*(_hash_of(peers[node]) for node in before))
        after = await statuses(clients, TIMEOUT_S)
        found = [
            Digest(node, status.raft_applied_index, value)
            for (node, status), value in zip(before.items(), hashes, strict=True)
            if value is not None and node in after
            if after[node].raft_applied_index == status.raft_applied_index
        ]
        agreed = len({digest.position for digest in found}) == 1 and len(found) == len(before)
        if agreed or loop.time() > end:
            return found
        await asyncio.sleep(_POLL_S)


async def _hash_of(peer: Address) -> str | None:
    """At the current revision, whichever it is; None where there is no answer."""
    deadline = asyncio.get_running_loop().time() + TIMEOUT_S
    try:
        connection = await Connection.open(peer, deadline)
        try:
            status, body = await connection.request(b"GET", b"/members/hashkv", b"{}", deadline)
        finally:
            connection.close()
        if status != 200:
            return None
        found = wire.decoded(body, _HashKV)
    except (OSError, ProtocolError):
        return None
    compacted = max(found.compact_revision, 0)  # -1 before the first compaction
    return f"revision {found.header.revision}, compacted {compacted}, hash {found.hash:08x}"
