"""One node of the reference that speaks Maelstrom's protocol on standard input and output.

    python -m reference_impl.maelstrom --data DIR [--trace FILE] [--seed N] [--mutant NAME] ...

Rules
1. The node is that of `reference_impl.node`: the same machine, host, log and trace. Only its name
   and peers come by `init`, and its messages go as lines.
2. What machines send one another is a body of type `paxos` whose `frame` is the MessagePack of any
   other link, in base 64.
3. A client's name and msg_id are the session and seq of its command: a request that the network
   doubled is applied once.
4. It ends when its standard input does, and dies of what `reference_impl.node` dies of.

Sources: Maelstrom's doc/protocol.md and doc/workloads.md (lin-kv).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from reference_impl.build import build_machine
from reference_impl.clientport import ClientConnection
from reference_impl.limits import Limits
from reference_impl.node import say
from reference_impl.runtime import Host
from reference_impl.storage import Log, StorageError
from reference_impl.tracefile import NoTrace, TraceFile
from reference_impl.transport import Link

READ_BYTES = 1024 * 1024
LENGTH_BYTES = 4  # of a frame, which a line does not need

# Maelstrom's codes for those of the reference; both tables say which are definite, and agree.
CODES = {
    "compare-failed": 22,
    "no-leader": 11,
    "overloaded": 11,
    "malformed": 12,
    "unsupported": 10,
    "leadership-lost": 13,
    "timeout": 0,
}
NO_KEY = 20

_encode = msgspec.json.Encoder().encode


class _Message(msgspec.Struct):
    src: str
    body: dict[str, Any]


_decode = msgspec.json.Decoder(_Message).decode


class Lines:
    """Messages on their way to standard output."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: list[bytes] = []

    def add(self, dest: str, body: Mapping[str, Any]) -> None:
        self._waiting.append(_encode({"src": self._name, "dest": dest, "body": body}))

    def flush(self) -> None:
        if not self._waiting:
            return
        self._waiting.append(b"")
        rest = memoryview(b"\n".join(self._waiting))
        self._waiting.clear()
        while rest:
            rest = rest[os.write(1, rest) :]


class LineLink(Link):
    """The way to one peer, which needs no connection."""

    def __init__(self, peer: str, lines: Lines) -> None:
        super().__init__(peer, ("", 0), Random(0), say)
        self._dest, self._lines = peer, lines

    def send(self, content: bytes) -> None:
        frame = base64.b64encode(memoryview(content)[LENGTH_BYTES:]).decode()
        self._lines.add(self._dest, {"type": "paxos", "frame": frame})

    def flush(self) -> None:
        self._lines.flush()


class LineClients(ClientConnection):
    """All clients: their requests become those of the reference, its answers Maelstrom's."""

    def __init__(self, host: Host, lines: Lines) -> None:
        super().__init__(host.clients)
        self._host, self._lines = host, lines

    def ask(self, src: str, body: Mapping[str, Any]) -> None:
        try:
            request = _request(body)
        except KeyError as missing:
            text = f"a {body.get('type')} must have {missing}"
            self._refuse_request(src, body, CODES["malformed"], text)
            return
        if request is None:
            text = f"this node does read, write and cas, not {body.get('type')!r}"
            self._refuse_request(src, body, CODES["unsupported"], text)
            return
        number = body.get("msg_id")
        if type(number) is int:
            request |= {"session": src, "seq": number}
        its_id = (src, number, str(body["type"]))
        self.open_requests.add(self._host.clients.submit(self, its_id, request))

    def answer(self, response: Mapping[str, Any]) -> None:
        src, number, kind = response["id"]
        self._lines.add(src, {**_answer(kind, response), "in_reply_to": number})

    def flush(self) -> None:
        self._lines.flush()

    def _refuse_request(self, src: str, body: Mapping[str, Any], code: int, text: str) -> None:
        self._lines.add(src, {**_error(code, text), "in_reply_to": body.get("msg_id")})
        self._lines.flush()


def _frames(messages: Any) -> msgspec.msgpack.Decoder[tuple[str, Any]]:
    return msgspec.msgpack.Decoder(tuple[str, messages])


def _request(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """None if there is no such request. Raises KeyError for what it lacks."""
    kind = body.get("type")
    if kind == "read":
        return {"f": "get", "key": _key(body)}
    if kind == "write":
        return {"f": "put", "key": _key(body), "value": body["value"]}
    if kind == "cas":
        return {"f": "cas", "key": _key(body), "value": [body["from"], body["to"]]}
    return None


def _key(body: Mapping[str, Any]) -> str:
    """Keys of the reference are texts; those of clients any JSON."""
    return _encode(body["key"]).decode()


def _answer(kind: str, response: Mapping[str, Any]) -> dict[str, Any]:
    error = response.get("error")
    if error is not None:
        return _error(CODES[error["code"]], error["text"])
    if kind == "read" and response["ok"] is None:
        return _error(NO_KEY, "no such key")
    return {"type": f"{kind}_ok", **({"value": response["ok"]} if kind == "read" else {})}


def _error(code: int, text: str) -> dict[str, Any]:
    return {"type": "error", "code": code, "text": text}


class Node:
    """Waits for its init, then is a host. Must be made in a running loop."""

    def __init__(self, given: argparse.Namespace, stack: contextlib.ExitStack) -> None:
        self._given, self._stack = given, stack
        self._loop = asyncio.get_running_loop()
        self._tail = b""
        self._name = ""
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def readable(self) -> None:
        data = os.read(0, READ_BYTES)
        if not data:
            self._loop.remove_reader(0)
            self.end(None)
            return
        *lines, self._tail = (self._tail + data).split(b"\n")
        try:
            for line in lines:
                message = _decode(line)
                self._handle(message.src, message.body)
        except Exception as trouble:  # noqa: BLE001 - handed on: the node dies of it
            self.end(trouble)

    def end(self, trouble: BaseException | None) -> None:
        if self.ended.done():
            return
        if trouble is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(trouble)

    def _handle(self, src: str, body: dict[str, Any]) -> None:
        if body.get("type") == "init":
            self._begin(str(body["node_id"]), [str(name) for name in body["node_ids"]])
            self._lines.add(src, {"type": "init_ok", "in_reply_to": body["msg_id"]})
            self._lines.flush()
        elif not self._name:
            say(f"a message of {src} before init is dropped")
        elif body.get("type") == "paxos" and src in self._peers:
            self._receive(src, body["frame"])
        elif "in_reply_to" not in body:
            self._clients.ask(src, body)

    def _begin(self, name: str, names: Sequence[str]) -> None:
        given, stack = self._given, self._stack
        self._name, self._peers = name, frozenset(names) - {name}
        log = Log(given.data)
        stack.callback(log.close)
        say(f"{name} starts, process {os.getpid()}, {len(log.recovered)} records recovered")
        machine = build_machine(
            "multipaxos",
            name=name,
            peers=sorted(self._peers),
            rng=Random(f"{given.seed} {name} machine"),
            learning=given.learning,
            refusals=given.refusals == "on",
            reads=given.reads,
            mutant=given.mutant,
            snapshot_slots=given.snapshot_slots,
        )
        trace = TraceFile(given.trace, name, self._now_ns) if given.trace else NoTrace()
        stack.callback(trace.close)
        self._lines = Lines(name)
        links = {peer: LineLink(peer, self._lines) for peer in self._peers}
        self._host = Host(machine, name=name, log=log, trace=trace, links=links)
        stack.callback(self._host.stop)
        self._clients = LineClients(self._host, self._lines)
        self._frames = _frames(getattr(machine, "messages", Any))
        self._host.start()

    def _receive(self, src: str, frame: str) -> None:
        try:
            _, message = self._frames.decode(base64.b64decode(frame, validate=True))
        except (ValueError, RecursionError) as trouble:
            say(f"dropped what {src} sent: no message: {trouble}")
            return
        self._host.deliver(src, message)

    def _now_ns(self) -> int:
        """The loop's clock is CLOCK_MONOTONIC, in seconds."""
        return round(self._loop.time() * 1e9)


async def serve(given: argparse.Namespace) -> None:
    """Run until standard input ends. Raises what a node dies of."""
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        node = Node(given, stack)
        loop.set_exception_handler(
            lambda _, context: node.end(context.get("exception") or RuntimeError(str(context)))
        )
        loop.add_reader(0, node.readable)
        stack.callback(loop.remove_reader, 0)
        await node.ended


def main() -> int:
    given = _parser().parse_args()
    try:
        asyncio.run(serve(given))
    except (StorageError, OSError) as trouble:
        say(f"the node cannot go on: {trouble}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reference_impl.maelstrom", allow_abbrev=False)
    add = parser.add_argument
    add("--data", required=True, type=Path, help="its directory, created if missing")
    add("--trace", type=Path, metavar="FILE", help="protocol events go here, as JSON lines")
    add("--seed", type=int, default=0)
    add("--learning", choices=["all", "distinguished"], default="distinguished")
    add("--refusals", choices=["on", "off"], default="on")
    add("--reads", choices=["log", "quorum"], default="log")
    add("--snapshot-slots", type=int, default=Limits().snapshot_every_slots, metavar="N")
    add("--mutant", metavar="NAME", help="break one law on purpose: antipaxos mutants --list")
    return parser


if __name__ == "__main__":
    sys.exit(main())
