"""The replicated state machine: a map from keys to JSON values.

Rules
1. Applying is a function of the state and the command, nothing else: replicas that applied the same
   slots are equal.
2. Values are never changed in place: a response may still wait for the disk while later commands
   are applied, and must not change under it.
3. Equality is that of JSON: 1 equals 1.0, and neither equals true.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from reference_impl.digest import Digest
from reference_impl.logmessages import Command
from reference_impl.requests import Response, error, key_of, malformed, ok
from reference_impl.sessions import Sessions

FUNCTIONS = ("get", "put", "cas", "append")
# Not among the limits that a node may be given: replicas that differed in them would diverge.
VALUE_BYTES_MAX = 2**20
SESSIONS_MAX = 10_000


class _Dump(msgspec.Struct, array_like=True):
    values: dict[str, Any]
    sessions: list[tuple[str, int, dict[str, Any]]]


def command_of(request: Mapping[str, Any], f: str, command_id: str, bytes_max: int) -> Command:
    """The request as a command. Raises RequestError where it is none."""
    key, value = key_of(request), request.get("value")
    if f == "cas" and not (isinstance(value, list | tuple) and len(value) == 2):
        raise malformed(f"the value of cas must be [expected, new], got {value!r}")
    session, seq = request.get("session"), request.get("seq")
    if (session is None) != (seq is None):
        raise malformed("'session' and 'seq' go together: give both or neither")
    if session is not None and not isinstance(session, str):
        raise malformed(f"'session' must be a string, got {session!r}")
    if seq is not None and (isinstance(seq, bool) or not isinstance(seq, int)):
        raise malformed(f"'seq' must be an integer that grows by command, got {seq!r}")
    command = Command(command_id, f, key, value, session, seq)
    if size_of(command) > bytes_max:
        raise malformed(f"the request is {size_of(command)} bytes, the limit is {bytes_max}")
    return command


def size_of(command: Command) -> int:
    """In bytes, as messages and records carry it."""
    return len(msgspec.msgpack.encode(command))


class KeyValue:
    """The state after some prefix of the log."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._digest = Digest()
        self._sessions = Sessions(SESSIONS_MAX)

    def apply(self, command: Command) -> Response:
        """Apply the next command of the log, unless its session shows that it has been."""
        if command.session is None or command.seq is None or command.f == "get":
            return self._change(command)
        response = self._sessions.earlier(command.session, command.seq)
        if response is None:
            response = self._change(command)
            self._sessions.applied(command.session, command.seq, response)
        return response

    def get(self, key: str) -> Response:
        """The value of `key`, null if it was never written."""
        return ok(self._values.get(key))

    def _change(self, command: Command) -> Response:
        key, value = command.key, command.value
        if command.f == "get":
            return self.get(key)
        if command.f == "put":
            return self._set(key, value)
        found = self._values.get(key)
        if command.f == "cas":
            expected, new = value
            if not same(found, expected):
                return error("compare-failed", f"{key!r} was {found!r}, expected {expected!r}")
            return self._set(key, new)
        if found is not None and not isinstance(found, list | tuple):
            return error("malformed", f"{key!r} holds {found!r}: only to a list can be appended")
        longer = [*(found or ()), value]
        if len(msgspec.msgpack.encode(longer)) > VALUE_BYTES_MAX:
            return error("malformed", f"{key!r} would grow beyond {VALUE_BYTES_MAX} bytes")
        return self._set(key, longer)

    def _set(self, key: str, value: Any) -> Response:
        self._values[key] = value
        self._digest.changed(key)
        return ok(None)

    def digest(self) -> str:
        """Names the whole state, sessions included: see `digest`."""
        return self._digest.of(self._values) + self._sessions.digest()

    def dump(self) -> bytes:
        """The whole state."""
        return msgspec.msgpack.encode(_Dump(self._values, list(self._sessions.dump())))

    def load(self, dumped: bytes) -> None:
        """Become the dumped state. Raises msgspec.DecodeError, having changed nothing."""
        dump = msgspec.msgpack.decode(dumped, type=_Dump)
        self._values = dump.values
        self._digest.replaced(dump.values)
        self._sessions.load(dump.sessions)


def same(a: Any, b: Any) -> bool:
    """JSON equality. Python's takes True for 1."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return bool(a == b)
