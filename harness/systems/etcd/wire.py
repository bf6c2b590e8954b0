"""The part of etcd's API v3 that is used here, as its JSON gateway speaks it.

Rules
1. The gateway is gRPC's JSON: bytes are base64, 64-bit integers are texts, and what has its default
   value is absent. All of these are read without guessing: an answer of another shape is a
   ProtocolError.
2. An answer that is an error raises Refused, with the server's own words; what they mean for the
   operation is the table's affair (errors.py).

Sources: etcd's rpc.proto and kv.proto, 3.4 and 3.5, and their google.api.http paths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import msgspec

from harness.systems.etcd.http import Connection, ProtocolError


class Header(msgspec.Struct, frozen=True):
    """`revision` is that of the store when the answer was made."""

    cluster_id: int = 0
    member_id: int = 0
    revision: int = 0
    raft_term: int = 0


class KeyValue(msgspec.Struct, frozen=True):
    """`version` counts the writes since the key was created, and is never 0 here."""

    key: bytes = b""
    create_revision: int = 0
    mod_revision: int = 0
    version: int = 0
    value: bytes = b""
    lease: int = 0


class RangeAnswer(msgspec.Struct, frozen=True):
    header: Header = Header()
    kvs: tuple[KeyValue, ...] = ()
    more: bool = False
    count: int = 0


class PutAnswer(msgspec.Struct, frozen=True):
    header: Header = Header()


class OneAnswer(msgspec.Struct, frozen=True):
    """Of one operation of a transaction."""

    response_range: RangeAnswer | None = None


class TxnAnswer(msgspec.Struct, frozen=True):
    """`succeeded`: did all compares hold? `responses`: of the operations of that branch."""

    header: Header = Header()
    succeeded: bool = False
    responses: tuple[OneAnswer, ...] = ()


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """`leader` is 0 where the member knows none."""

    header: Header = Header()
    version: str = ""
    leader: int = 0
    raft_index: int = 0
    raft_term: int = 0
    raft_applied_index: int = 0


class Member(msgspec.Struct, frozen=True):
    """`name` is empty until it was started for the first time."""

    id: int = msgspec.field(name="ID", default=0)
    name: str = ""
    peer_urls: tuple[str, ...] = msgspec.field(name="peerURLs", default=())


class MembersAnswer(msgspec.Struct, frozen=True):
    header: Header = Header()
    members: tuple[Member, ...] = ()


class LeaseAnswer(msgspec.Struct, frozen=True):
    """`ttl_s` is 0 where the lease is gone."""

    id: int = msgspec.field(name="ID", default=0)
    ttl_s: int = msgspec.field(name="TTL", default=0)


class KeepAlive(msgspec.Struct, frozen=True):
    result: LeaseAnswer = LeaseAnswer()


class Event(msgspec.Struct, frozen=True):
    kv: KeyValue = KeyValue()
    type: Literal["PUT", "DELETE"] = "PUT"


class WatchAnswer(msgspec.Struct, frozen=True):
    """`compact_revision`: the first that still can be watched from, where it was too old."""

    header: Header = Header()
    watch_id: int = 0
    created: bool = False
    canceled: bool = False
    compact_revision: int = 0
    cancel_reason: str = ""
    events: tuple[Event, ...] = ()


class _Trouble(msgspec.Struct):
    code: int = 0
    message: str = ""
    error: str = ""


class _Streamed(msgspec.Struct):
    result: WatchAnswer | None = None
    error: Any = None


class Refused(Exception):
    """etcd answered with an error: the number of the gRPC status, and etcd's words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


AnyAnswer = TypeVar("AnyAnswer")
_encode = msgspec.json.Encoder().encode
_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
_trouble = msgspec.json.Decoder(_Trouble, strict=False).decode
_streamed = msgspec.json.Decoder(_Streamed, strict=False).decode


async def call(
    connection: Connection, path: str, request: Any, answer: type[AnyAnswer], deadline: float
) -> AnyAnswer:
    """One call. Raises Refused, and what Connection.request raises."""
    status, body = await connection.request(b"POST", path.encode(), _encode(request), deadline)
    if status != 200:
        raise refused(status, body)
    return decoded(body, answer)


def refused(status: int, body: bytes) -> Refused | ProtocolError:
    """The error that an answer with this status is."""
    try:
        trouble = _trouble(body)
    except msgspec.DecodeError:
        return ProtocolError(f"status {status} with {body[:80]!r}, which is no error of etcd's")
    return Refused(trouble.code, trouble.message or trouble.error)


def decoded(body: bytes, answer: type[AnyAnswer]) -> AnyAnswer:
    """Raises ProtocolError where the body is none of this kind."""
    decoder = _decoders.get(answer)
    if decoder is None:
        decoder = _decoders[answer] = msgspec.json.Decoder(answer, strict=False)
    try:
        result: AnyAnswer = decoder.decode(body)
    except msgspec.DecodeError as wrong:
        raise ProtocolError(f"{body[:80]!r} is no {answer.__name__}: {wrong}") from wrong
    return result


def decoded_watch(line: bytes) -> WatchAnswer:
    """One line of a watch. Raises Refused, ProtocolError."""
    try:
        streamed = _streamed(line)
    except msgspec.DecodeError as wrong:
        raise ProtocolError(f"{line[:80]!r} is no answer of a watch: {wrong}") from wrong
    if streamed.result is None:
        error = streamed.error if isinstance(streamed.error, dict) else {}
        code = error.get("grpc_code", error.get("code", 0))
        raise Refused(code if isinstance(code, int) else 0, str(error.get("message", "no result")))
    return streamed.result


def key_after(prefix: bytes) -> bytes:
    """The end of the range of all keys with a prefix. The prefixes here end with '/'."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


def put(key: bytes, value: bytes, lease: int = 0) -> dict[str, Any]:
    request: dict[str, Any] = {"key": key, "value": value}
    return {**request, "lease": lease} if lease else request


def equal_value(key: bytes, value: bytes) -> dict[str, Any]:
    """A compare: the key has this value."""
    return {"key": key, "target": "VALUE", "result": "EQUAL", "value": value}


def equal_revision(key: bytes, mod_revision: int) -> dict[str, Any]:
    """A compare: the last write of the key has this revision; 0: there is no such key."""
    return {"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": mod_revision}


def equal_creation(key: bytes, create_revision: int) -> dict[str, Any]:
    """A compare: the key exists since this revision; 0: there is no such key."""
    return {"key": key, "target": "CREATE", "result": "EQUAL", "create_revision": create_revision}


def txn(
    compare: Sequence[dict[str, Any]],
    success: Sequence[dict[str, Any]],
    failure: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    return {"compare": compare, "success": success, "failure": failure}
