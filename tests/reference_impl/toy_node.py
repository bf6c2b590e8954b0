"""A node with a toy machine, run as a program by the tests of the runtime: a durable counter that
tells its peers what it hears."""

import asyncio
import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.machine import (
    ClientRequest,
    Deliver,
    Effect,
    Event,
    Persist,
    Recover,
    Reply,
    Send,
    SetTimer,
    Timeout,
    Trace,
)
from reference_impl.node import Node, say, serve
from reference_impl.storage import StorageError


class Counter:
    """`add` persists before it answers; `tell` sends to the peers; `heard` lists what came."""

    def __init__(self, peers: Sequence[str]) -> None:
        self.total, self.heard, self.peers = 0, [], peers

    def handle(self, event: Event, now: float) -> Sequence[Effect]:  # noqa: ARG002
        match event:
            case Recover(stored):
                self.total = sum(stored)
                return [Trace("restart", {})]
            case ClientRequest(id, request):
                return self.answer(id, request)
            case Deliver(src, message):
                self.heard.append([src, message])
            case Timeout(name):
                return [Reply(int(name), {"ok": "late"})]
        return []

    def answer(self, id: int, request: dict) -> Sequence[Effect]:  # noqa: A002
        value = request.get("value")
        match request["f"]:
            case "add":
                self.total += value
                added = Trace("added", {"value": value})
                return [Persist(value), added, Reply(id, {"ok": self.total})]
            case "tell":
                return [*(Send(peer, value) for peer in self.peers), Reply(id, {"ok": None})]
            case "heard":
                return [Reply(id, {"ok": self.heard})]
            case "wait":
                return [SetTimer(str(id), value)]
            case "status":
                return [Reply(id, {"ok": {"ready": True, "leading": False}})]
        return [Reply(id, {"error": {"code": "unsupported", "text": request["f"]}})]


def main() -> int:
    options = json.loads(sys.argv[1])
    if "file_bytes_max" in options:
        resource.setrlimit(resource.RLIMIT_FSIZE, (options["file_bytes_max"],) * 2)
    node = Node(
        name=options["name"],
        data=Path(options["data"]),
        peer_listen=("127.0.0.1", options["peer_port"]),
        client_listen=("127.0.0.1", options["client_port"]),
        peers={name: ("127.0.0.1", port) for name, port in options.get("peers", {}).items()},
        trace=Path(options["trace"]) if "trace" in options else None,
    )
    try:
        asyncio.run(serve(Counter(tuple(node.peers)), node))
    except StorageError as trouble:
        say(str(trouble))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
