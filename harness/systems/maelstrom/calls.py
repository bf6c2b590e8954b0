"""How the operations of workloads are asked in Maelstrom's protocol, and what its answers mean.

Rules
1. An operation of workload `w` is one RPC: its request's body from the operation, the operation's
   value from the answer's body.
2. A request that changes nothing fails definitely, however it fails.
3. Keys and values go as they are: JSON both ways.

Sources: Maelstrom's doc/workloads.md. Its lin-kv is the workload `register` here, its g-counter and
pn-counter are `counter`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from checkers.history import Operation

Body = dict[str, Any]


class BadAnswer(Exception):
    """The answer lacks what the protocol asks for: the system under test is at fault."""


class NotAskable(Exception):
    """The protocol has no request for this operation: the trial is at fault."""


class Rpc(msgspec.Struct, frozen=True):
    """`request(operation)`: the body without msg_id; raises NotAskable. `value(operation, answer)`:
    of the completion; raises BadAnswer. `changes(operation)`: may it?"""

    request: Callable[[Operation], Body]
    value: Callable[[Operation, Body], Any]
    changes: Callable[[Operation], bool] = lambda _operation: True


def _never(operation: Operation) -> bool:  # noqa: ARG001
    return False


def _given(operation: Operation, answer: Body) -> Any:  # noqa: ARG001
    """What was asked is what happened."""
    return operation.value


def _field(name: str, kind: type | None = None) -> Callable[[Operation, Body], Any]:
    def value(_: Operation, answer: Body) -> Any:
        if name not in answer:
            raise BadAnswer(f"it lacks {name!r}")
        found = answer[name]
        if kind is not None and type(found) is not kind:
            raise BadAnswer(f"its {name!r} is {found!r:.80}, no {_KINDS[kind]}")
        return found

    return value


_KINDS = {list: "list", int: "integer", dict: "object"}


def _sent(operation: Operation, answer: Body) -> Any:
    key, message = operation.value
    return [key, [_field("offset", int)(operation, answer), message]]


def _writes(operation: Operation) -> bool:
    return any(step[0] != "r" for step in operation.value)


def _transacted(operation: Operation, answer: Body) -> Any:
    """The same steps, reads filled in; a key that is not there reads as the empty list."""
    steps = _field("txn", list)(operation, answer)
    asked = operation.value
    if len(steps) != len(asked):
        raise BadAnswer(f"its 'txn' has {len(steps)} steps, {len(asked)} were asked for")
    done = []
    for step, wanted in zip(steps, asked, strict=True):
        known = type(step) is list and len(step) == 3 and step[:2] == list(wanted[:2])
        if not known or (wanted[0] == "r" and not isinstance(step[2], list | None)):
            raise BadAnswer(f"its 'txn' has {step!r:.80} where {wanted!r:.80} was asked")
        done.append([*wanted[:2], (step[2] or []) if wanted[0] == "r" else wanted[2]])
    return done


def _poll(operation: Operation) -> Body:
    return {"type": "poll", "offsets": operation.value}


def _plain(kind: str) -> Callable[[Operation], Body]:
    return lambda _operation: {"type": kind}


def _with_value(kind: str, field: str) -> Callable[[Operation], Body]:
    return lambda operation: {"type": kind, field: operation.value}


def _cas(operation: Operation) -> Body:
    expected, new = operation.value
    return {"type": "cas", "key": operation.key, "from": expected, "to": new}


def _send(operation: Operation) -> Body:
    key, message = operation.value
    return {"type": "send", "key": key, "msg": message}


def _without_key(kind: str, *fields: str) -> Callable[[Operation], Body]:
    def request(operation: Operation) -> Body:
        if operation.key is not None:
            raise NotAskable(
                "Maelstrom's counter is one, without keys: give the workload's option "
                "consistency=eventual"
            )
        return {"type": kind, **dict.fromkeys(fields, operation.value)}

    return request


CALLS: Mapping[str, Mapping[str, Rpc]] = {
    "echo": {"echo": Rpc(_with_value("echo", "echo"), _field("echo"), _never)},
    "unique-ids": {"generate": Rpc(_plain("generate"), _field("id"), _never)},
    "broadcast": {
        "broadcast": Rpc(_with_value("broadcast", "message"), _given),
        "read": Rpc(_plain("read"), _field("messages", list), _never),
    },
    "g-set": {
        "add": Rpc(_with_value("add", "element"), _given),
        "read": Rpc(_plain("read"), _field("value", list), _never),
    },
    "counter": {
        "add": Rpc(_without_key("add", "delta"), _given),
        "read": Rpc(_without_key("read"), _field("value", int), _never),
    },
    "register": {
        "read": Rpc(lambda o: {"type": "read", "key": o.key}, _field("value"), _never),
        "write": Rpc(lambda o: {"type": "write", "key": o.key, "value": o.value}, _given),
        "cas": Rpc(_cas, _given),
    },
    "kafka": {
        "send": Rpc(_send, _sent),
        "poll": Rpc(_poll, _field("msgs", dict), _never),
        "commit_offsets": Rpc(_with_value("commit_offsets", "offsets"), _given),
        "list_committed_offsets": Rpc(
            _with_value("list_committed_offsets", "keys"), _field("offsets", dict), _never
        ),
    },
    "txn-list-append": {"txn": Rpc(_with_value("txn", "txn"), _transacted, _writes)},
}

WORKLOADS = tuple(CALLS)
