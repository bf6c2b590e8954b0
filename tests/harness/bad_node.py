"""A node that does what its first argument says, most of it wrong. Standard library only."""

from __future__ import annotations

import json
import signal
import socketserver
import sys
import threading
from collections.abc import Callable
from typing import Any

MODE, IP, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
ANSWERS: dict[str, Callable[[int], Any]] = {
    "garbage": lambda _: b"HTTP/1.1 400 Bad Request\r\n",
    "unready": lambda id_: {"id": id_, "ok": {"ready": False}},
    "lying": lambda id_: {"id": id_, "ok": {"ready": True, "lie": 7}},
    "refuses": lambda id_: {"id": id_, "error": {"code": "unsupported"}},
}


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            id_ = json.loads(line)["id"]
            answer = ANSWERS.get(MODE, lambda i: {"id": i, "ok": {"ready": True}})(id_)
            self.wfile.write(answer if MODE == "garbage" else json.dumps(answer).encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


print(f"this node is {MODE}", flush=True)
match MODE:
    case "dying":
        sys.exit("there is no such thing")
    case "long-winded":
        sys.exit("x" * 100_000)
    case "mute":
        threading.Event().wait()
    case "elsewhere":
        PORT = 0
    case "chatty":
        print("x" * 100_000, flush=True)
    case "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
Server((IP, PORT), Handler).serve_forever()
