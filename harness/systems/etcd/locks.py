"""Locks: a key that is put if it is absent; with a lease, for as long as the lease lasts.

Rules
1. The token of an acquire is the revision that made the key: each is greater than every one before,
   so what the lock protects can refuse a holder that lost it without knowing (a fencing token).
2. Without `lease_ttl_s` a lock is held until it is released, by whoever crashed too. With it every
   acquire takes a lease of so many seconds, which nobody renews.
3. A lock that is held is a definite fail: nobody waits for it, as waiting is the caller's affair.

Sources: etcd's client/v3/concurrency/mutex.go; Kleppmann, How to do distributed locking, 2016.
"""

from __future__ import annotations

from checkers.history import Operation
from harness.contracts import Completion
from harness.systems.etcd import wire
from harness.systems.etcd.names import encode, key_of
from harness.systems.etcd.session import Fails, Session
from harness.systems.etcd.wire import LeaseAnswer


class Holdings:
    """What one client holds: the token of each key."""

    def __init__(self) -> None:
        self._tokens: dict[bytes, int] = {}

    async def acquire(self, session: Session, prefix: bytes, operation: Operation) -> Completion:
        key = key_of(prefix, operation.key)
        lease = 0
        if session.settings.lease_ttl_s:
            if (await session.range(key)).kvs:  # for nothing, a lease would cost a write
                raise _held()
            request = {"TTL": session.settings.lease_ttl_s}
            lease = (await session.call("/v3/lease/grant", request, LeaseAnswer)).id
        put = {"request_put": wire.put(key, encode(operation.process), lease)}
        answer = await session.change((wire.equal_creation(key, 0),), (put,))
        if not answer.succeeded:
            raise _held()
        self._tokens[key] = answer.header.revision
        return Completion("ok", {"token": answer.header.revision})

    async def release(self, session: Session, prefix: bytes, operation: Operation) -> Completion:
        """Of what this client holds; a lock that its lease took away is not released."""
        key = key_of(prefix, operation.key)
        token = self._tokens.pop(key, None)
        if token is None:
            raise Fails("not-held", "this client does not hold it")
        delete = {"request_delete_range": {"key": key}}
        try:
            answer = await session.change((wire.equal_creation(key, token),), (delete,))
        except BaseException:
            self._tokens[key] = token  # if it certainly did not happen, it is held still
            raise
        if not answer.succeeded:
            raise Fails("not-held", f"the lease ran out: {token} is no longer the token")
        return Completion("ok")


def _held() -> Fails:
    return Fails("held", "another holds it")
