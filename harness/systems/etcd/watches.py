"""Watches: what is written to a key, as etcd tells it, and how far that can be relied on.

Rules
1. A watch covers the revisions behind `from`, up to `to`: of these it tells every event. `to` is
   the revision of the last event that was received, or of a progress mark: etcd sends the events
   of a revision in one answer, and promises with a mark that it has sent all up to it.
2. Answers are taken whole: where the stream is cut within one, the watch ends before it. A watch
   that was cut is a shorter watch, not a failed one.
3. From null is from the revision that etcd names when it creates the watch, exclusive.
4. A watch too old to begin fails with `compacted`, and the first revision that is left.
5. With watch_until=progress the client asks for a mark at once and stops at it, as those do that
   want to know when they have caught up. Otherwise, and at the latest, its time ends it.

Sources: etcd's api guarantees of watches (docs, 'API guarantees': ordered, unique, reliable,
atomic, resumable, bookmarkable); api/v3rpc/watch.go.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from checkers.history import Operation
from harness.contracts import Completion
from harness.systems.etcd import wire
from harness.systems.etcd.http import Connection, ProtocolError
from harness.systems.etcd.names import encode, key_of, value_of
from harness.systems.etcd.session import Fails, Session, connected
from harness.systems.etcd.wire import Event, WatchAnswer


class _Seen(msgspec.Struct):
    """`behind` is None until the watch is created."""

    behind: int | None
    to: int = 0
    marked: bool = False
    events: list[dict[str, Any]] = []


async def write(session: Session, prefix: bytes, operation: Operation) -> Completion:
    revision = await session.put(key_of(prefix, operation.key), encode(operation.value))
    return Completion("ok", {"revision": revision})


async def read(session: Session, prefix: bytes, operation: Operation) -> Completion:
    """The revision is that of the write that made the value, null where there is none."""
    answer = await session.range(key_of(prefix, operation.key))
    if not answer.kvs:
        return Completion("ok", {"value": None, "revision": None})
    found = answer.kvs[0]
    return Completion("ok", {"value": value_of(found.value), "revision": found.mod_revision})


async def watch(session: Session, prefix: bytes, operation: Operation) -> Completion:
    """Of one key, or of all of them where the operation has none."""
    asked = operation.value or {}
    seen = _Seen(behind=asked.get("from"))
    try:
        connection = await connected(session.address, session.deadline)
    except OSError as wrong:
        raise session.unreachable(wrong) from wrong
    try:
        until_mark = session.settings.watch_until == "progress"
        body = _request(prefix, operation.key, seen.behind, mark=until_mark)
        await _follow(connection, body, session, seen, prefix, float(asked.get("for_s", 1.0)))
    finally:
        connection.close()
    assert seen.behind is not None, "a watch that was not created raises"
    covered = {"from": seen.behind, "to": max(seen.to, seen.behind)}
    return Completion("ok", {**covered, "events": seen.events})


def _request(prefix: bytes, key: Any, behind: int | None, *, mark: bool) -> bytes:
    first = 0 if behind is None else behind + 1  # 0: from now on
    create = {"key": key_of(prefix, key), "start_revision": first, "progress_notify": True}
    if key is None:
        create["range_end"] = wire.key_after(prefix)
    body = encode({"create_request": create})
    return body + encode({"progress_request": {}}) if mark else body


async def _follow(
    connection: Connection,
    body: bytes,
    session: Session,
    seen: _Seen,
    prefix: bytes,
    for_s: float,
) -> None:
    """Fill `seen` until its time is over, its mark is there, or the stream ends."""
    loop = asyncio.get_running_loop()
    end = loop.time() + for_s
    response = connection.send(b"POST", b"/v3/watch", body)
    created = False
    while not (seen.marked and session.settings.watch_until == "progress"):
        try:
            await connection.more(end if created else max(end, session.deadline))
        except OSError:
            if created:
                break  # its time is over, or it was cut: what came whole stands (rule 2)
            raise
        if response.status not in (0, 200):
            if response.complete:
                raise wire.refused(response.status, bytes(response.body))
            continue
        for answer in _answers(response.body):
            created = created or answer.created
            _take(answer, seen, prefix)
        if response.complete:
            break
    if not created:
        raise ProtocolError("the watch ended before it was created")


def _answers(body: bytearray) -> list[WatchAnswer]:
    """Those that are there as a whole, which are taken from the body."""
    end = body.rfind(b"\n") + 1
    lines = bytes(body[:end]).split(b"\n")
    del body[:end]
    return [wire.decoded_watch(line) for line in lines if line]


def _take(answer: WatchAnswer, seen: _Seen, prefix: bytes) -> None:
    if answer.canceled:
        if answer.compact_revision:
            raise Fails(
                "compacted", f"the first revision that is left is {answer.compact_revision}"
            )
        raise Fails("canceled", answer.cancel_reason or "etcd ended the watch and gave no reason")
    revision = answer.header.revision
    if answer.created:
        seen.behind = revision if seen.behind is None else seen.behind
    elif answer.events:
        seen.events += [_told(event, prefix) for event in answer.events]
        seen.to = max(seen.to, answer.events[-1].kv.mod_revision)
    else:
        seen.to = max(seen.to, revision)
        seen.marked = True


def _told(event: Event, prefix: bytes) -> dict[str, Any]:
    deleted = event.type == "DELETE"
    return {
        "revision": event.kv.mod_revision,
        "key": event.kv.key.removeprefix(prefix).decode(),
        "value": None if deleted else value_of(event.kv.value),
        "type": "delete" if deleted else "put",
    }
