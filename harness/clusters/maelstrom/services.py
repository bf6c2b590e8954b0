"""The services that Maelstrom offers to nodes: key-value stores of three strengths, and a clock.

Rules
1. `lin-kv` is one map, each operation at once. `lin-tso` hands out 0, 1, 2, ...
2. `seq-kv` keeps its last HISTORY states. An operation that changes nothing (a read, a
   compare-and-set that does not match, a write of what is there) may be answered by any of them
   that is no older than what this client saw last; one that changes something is done on the
   newest. So all operations have one order, in which each client only goes forward: sequentially
   consistent, and stale.
3. `lww-kv` is REPLICAS maps. A request goes to any of them, and before each, one of them takes over
   what another has: per key the higher stamp wins, and of equal ones that which is there. Stamps
   are Lamport clocks, so two replicas give the same ones, and acknowledged writes are lost.
4. Keys and values are equal if their JSON is: 1 is neither true nor 1.0 nor "1".
5. A service never fails on a request; one that it does not understand is answered 10 or 12.

Sources: Maelstrom's doc/services.md and the behaviour of its service.clj. `create_if_not_exists`
is taken by all three stores here, there by lin-kv and seq-kv only.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Protocol

import msgspec

HISTORY = 32
REPLICAS = 2

NOT_SUPPORTED, MALFORMED, NO_KEY, MISMATCH = 10, 12, 20, 22

Body = Mapping[str, Any]
Answer = dict[str, Any]

_json = msgspec.json.Encoder(order="sorted").encode


class Service(Protocol):
    def answer(self, src: str, body: Body) -> Answer:
        """The body of the answer, without `in_reply_to`."""
        ...


class Change(msgspec.Struct, frozen=True):
    """What a request does to the entry of its key: nothing if `value` is None (JSON bytes)."""

    answer: Answer
    value: bytes | None = None


def services(seed: int) -> dict[str, Service]:
    """New ones, by the names under which nodes reach them."""
    return {
        "lin-kv": LinearizableStore(),
        "seq-kv": SequentialStore(Random(f"{seed}-seq-kv")),
        "lww-kv": LastWriteWins(Random(f"{seed}-lww-kv")),
        "lin-tso": TimestampOracle(),
    }


class LinearizableStore:
    def __init__(self) -> None:
        self._entries: dict[bytes, bytes] = {}

    def answer(self, src: str, body: Body) -> Answer:  # noqa: ARG002
        return _kept(body, self._entries.get, self._entries.__setitem__)


class SequentialStore:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._now = 0  # the number of the newest state
        self._seen: dict[str, int] = {}  # by client: the state that it saw last
        self._versions: dict[bytes, list[tuple[int, bytes]]] = {}  # by key: (since state, value)

    def answer(self, src: str, body: Body) -> Answer:
        oldest = max(self._seen.get(src, 0), self._now - HISTORY + 1, 0)
        state = self._random.randint(oldest, self._now)
        past = _asked(body, lambda key: self._value_at(key, state))
        if past.value is None or past.value == self._value_at(_json(body["key"]), state):
            self._seen[src] = state
            return past.answer
        answer = _kept(body, lambda key: self._value_at(key, self._now), self._set)
        self._seen[src] = self._now
        return answer

    def _value_at(self, key: bytes, state: int) -> bytes | None:
        versions = self._versions.get(key, [])
        place = bisect_right(versions, state, key=lambda version: version[0])
        return versions[place - 1][1] if place else None

    def _set(self, key: bytes, value: bytes) -> None:
        self._now += 1
        versions = self._versions.setdefault(key, [])
        versions.append((self._now, value))
        needed = bisect_right(versions, self._now - HISTORY, key=lambda version: version[0])
        del versions[: max(0, needed - 1)]  # but the one that the oldest state still shows


class LastWriteWins:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._replicas = [_Replica() for _ in range(REPLICAS)]

    def answer(self, src: str, body: Body) -> Answer:  # noqa: ARG002
        pick = self._random.choice
        pick(self._replicas).merge(pick(self._replicas))
        replica = pick(self._replicas)
        return _kept(body, replica.get, replica.set)


class _Replica:
    def __init__(self) -> None:
        self.clock = 0
        self.entries: dict[bytes, tuple[int, bytes]] = {}

    def get(self, key: bytes) -> bytes | None:
        entry = self.entries.get(key)
        return None if entry is None else entry[1]

    def set(self, key: bytes, value: bytes) -> None:
        self.entries[key] = (self.clock, value)
        self.clock += 1

    def merge(self, other: _Replica) -> None:
        if other is self:
            return
        self.clock = max(self.clock, other.clock)
        for key, entry in other.entries.items():
            mine = self.entries.get(key)
            if mine is None or mine[0] < entry[0]:
                self.entries[key] = entry


class TimestampOracle:
    def __init__(self) -> None:
        self._next = 0

    def answer(self, src: str, body: Body) -> Answer:  # noqa: ARG002
        if body.get("type") != "ts":
            return _error(NOT_SUPPORTED, f"lin-tso does 'ts', not {body.get('type')!r}")
        self._next += 1
        return {"type": "ts_ok", "ts": self._next - 1}


def _kept(
    body: Body, get: Callable[[bytes], bytes | None], put: Callable[[bytes, bytes], None]
) -> Answer:
    """Answers the request and keeps what it changes."""
    change = _asked(body, get)
    if change.value is not None:
        put(_json(body["key"]), change.value)
    return change.answer


def _asked(body: Body, get: Callable[[bytes], bytes | None]) -> Change:
    """What the request does to a store in which `get` finds its entry."""
    kind = body.get("type")
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        known = ", ".join(_FIELDS)
        return Change(_error(NOT_SUPPORTED, f"this store does {known}, not {kind!r}"))
    missing = [field for field in fields if field not in body]
    if missing:
        return Change(_error(MALFORMED, f"a {kind} must have {' and '.join(missing)}"))
    entry = get(_json(body["key"]))
    if kind == "read":
        if entry is None:
            return Change(_error(NO_KEY, "key does not exist"))
        return Change({"type": "read_ok", "value": msgspec.json.decode(entry)})
    if kind == "cas":
        if entry is None and not body.get("create_if_not_exists"):
            return Change(_error(NO_KEY, "key does not exist"))
        if entry is not None and entry != _json(body["from"]):
            text = f"current value {entry.decode()} is not {_json(body['from']).decode()}"
            return Change(_error(MISMATCH, text))
    new = _json(body["value" if kind == "write" else "to"])
    return Change({"type": f"{kind}_ok"}, new)


_FIELDS: Mapping[str, tuple[str, ...]] = {
    "read": ("key",),
    "write": ("key", "value"),
    "cas": ("key", "from", "to"),
}


def _error(code: int, text: str) -> Answer:
    return {"type": "error", "code": code, "text": text}
