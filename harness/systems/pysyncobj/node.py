"""One node of a PySyncObj cluster: the library as it is, behind newline-delimited JSON over TCP.

Rules
1. The library decides everything: elections, replication, what is acknowledged, what is kept on
   disk. This file turns a request into one replicated command, and its outcome into one answer.
2. A command is a deterministic function of the replicated state and its arguments; it is carried
   out by every node, at the place that the log gives it.
3. An answer of the library other than SUCCESS is an error with the library's own name for it. There
   is no time limit here: a command that waits for a leader waits, and its client decides how long.
4. Nothing but the standard library and pysyncobj is imported: the program is handed as text to
   hosts that have no more than those.

What was applied where is told as `chosen` events of the trace (docs/trace-format.md): one line for
each entry of the log that may change something, with its index. Where nodes differ shows there.

Sources: PySyncObj 0.3.17, syncobj.py and config.py.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import logging
import signal
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

try:
    from pysyncobj import FAIL_REASON, SyncObj, SyncObjConf, SyncObjConsumer, replicated
except ImportError:
    sys.exit(
        f"PySyncObj cannot be imported by {sys.executable}. Install it there: "
        "pip install 'pysyncobj==0.3.17'"
    )

LINE_BYTES_MAX = 16 * 2**20
LEADER = 2  # of the library's states: follower, candidate, leader
REASONS = {v: name for name, v in vars(FAIL_REASON).items() if not name.startswith("_")}
READS = ("get", "members", "entries", "count")

log = logging.getLogger("node")
Applied = Callable[[str, str, Any], None]


class Store(SyncObjConsumer):  # type: ignore[misc]
    """The replicated state, and the commands on it. Everything in it is named by a key.

    A command answers `["ok", result]` or `[code, text]`: what it refused is a result like any
    other, for it was decided by the log.
    """

    def __init__(self, applied: Applied) -> None:
        super().__init__()
        _observers[id(self)] = applied
        self.registers: dict[str, Any] = {}
        self.sets: dict[str, list[Any]] = {}
        self.logs: dict[str, list[Any]] = {}
        self.queues: dict[str, list[Any]] = {}
        self.counters: dict[str, int] = {}
        self.locks: dict[str, str] = {}
        self.tokens: dict[str, int] = {}

    @replicated  # type: ignore[untyped-decorator]
    def carry_out(self, f: str, key: str, value: Any) -> list[Any]:
        if f not in READS:
            _observers[id(self)](f, key, value)
        try:
            return COMMANDS[f](self, key, value)
        except (TypeError, ValueError) as wrong:
            # The library would try the same entry again for ever, on every node.
            return ["malformed", f"{f} of {value!r}: {wrong}"]

    def look(self, f: str, key: str) -> Any:
        """What this node holds by itself, whatever the others have agreed on meanwhile."""
        if f == "get":
            return self.registers.get(key)
        if f == "count":
            return self.counters.get(key, 0)
        return list((self.sets if f == "members" else self.logs).get(key, ()))

    def put(self, key: str, value: Any) -> list[Any]:
        self.registers[key] = value
        return ["ok", None]

    def cas(self, key: str, value: Any) -> list[Any]:
        expected, new = value
        held = self.registers.get(key)
        if held != expected:
            return ["compare-failed", f"it was {held!r}"]
        return self.put(key, new)

    def add(self, key: str, value: Any) -> list[Any]:
        members = self.sets.setdefault(key, [])
        if value not in members:
            members.append(value)
        return ["ok", None]

    def append(self, key: str, value: Any) -> list[Any]:
        self.logs.setdefault(key, []).append(value)
        return ["ok", None]

    def increase(self, key: str, value: Any) -> list[Any]:
        self.counters[key] = self.counters.get(key, 0) + value
        return ["ok", self.counters[key]]

    def enqueue(self, key: str, value: Any) -> list[Any]:
        self.queues.setdefault(key, []).append(value)
        return ["ok", None]

    def dequeue(self, key: str, value: Any) -> list[Any]:  # noqa: ARG002
        waiting = self.queues.get(key)
        return ["ok", waiting.pop(0) if waiting else None]

    def acquire(self, key: str, value: Any) -> list[Any]:
        if key in self.locks:
            return ["held", f"by {self.locks[key]}"]
        self.locks[key] = value
        self.tokens[key] = self.tokens.get(key, 0) + 1
        return ["ok", {"token": self.tokens[key]}]

    def release(self, key: str, value: Any) -> list[Any]:
        if self.locks.get(key) != value:
            return ["not-held", f"it is held by {self.locks.get(key) or 'nobody'}"]
        del self.locks[key]
        return ["ok", None]

    def digest(self) -> str:
        state = [self.registers, self.sets, self.logs, self.queues, self.counters]
        state += [self.locks, self.tokens]
        return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()[:16]


# Beside the store, for the library serialises whatever a store holds.
_observers: dict[int, Applied] = {}

Command = Callable[[Store, str, Any], list[Any]]
COMMANDS: dict[str, Command] = {
    **{f: lambda store, key, _, f=f: ["ok", store.look(f, key)] for f in READS},  # type: ignore[misc]
    "put": Store.put,
    "cas": Store.cas,
    "add": Store.add,
    "append": Store.append,
    "increase": Store.increase,
    "enqueue": Store.enqueue,
    "dequeue": Store.dequeue,
    "acquire": Store.acquire,
    "release": Store.release,
}


class Raft:
    """The library's object, what it is asked, and what is seen of it from outside.

    Its thread ticks; `carry_out`, `status` and `digest` are called from the event loop.
    """

    def __init__(self, arguments: argparse.Namespace, loop: asyncio.AbstractEventLoop) -> None:
        self._name = arguments.name
        self._loop = loop
        self._trace: TextIO = Path(arguments.trace).open("a", encoding="utf-8")  # noqa: SIM115
        self._replaying = 0  # the highest index applied in this life
        self._seen: tuple[Any, ...] = ()
        self._asked: deque[Callable[[], None]] = deque()
        self.store = Store(self._applied)
        self._tell("restart")
        self._raft = SyncObj(
            arguments.listen_peer, arguments.peer, configuration(arguments), [self.store]
        )
        self._raft.addOnTickCallback(self._on_tick)

    def carry_out(self, f: str, key: str, value: Any, done: Callable[[Any, int], None]) -> None:
        """`done(result, reason)` is called in the event loop, unless that has ended."""

        def decided(result: Any, reason: int) -> None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(done, result, reason)

        self.store.carry_out(f, key, value, callback=decided)

    def status(self) -> dict[str, Any]:
        leader = self._raft._getLeader()
        return {
            "node": self._name,
            "ready": self._raft.isReady() and leader is not None,
            "leading": self._raft._isLeader(),
            "leader": None if leader is None else leader.id,
            "term": self._raft.raftCurrentTerm,
            "applied": self._raft.raftLastApplied,
        }

    async def digest(self) -> dict[str, Any]:
        """The state's hash and the index it belongs to, taken between two ticks."""
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()

        def take() -> None:
            found = {"position": self._raft.raftLastApplied, "value": self.store.digest()}
            self._loop.call_soon_threadsafe(answer.set_result, found)

        self._asked.append(take)
        return await answer

    def close(self) -> None:
        self._raft.destroy_synchronous()
        self._trace.close()

    # What follows runs on the library's thread.

    def _applied(self, f: str, key: str, value: Any) -> None:
        index = self._raft.raftLastApplied + 1
        what = f"{f} {key} {json.dumps(value)}"
        self._tell("chosen", instance=index, value=what)

    def _on_tick(self) -> None:
        while self._asked:
            self._asked.popleft()()
        raft = self._raft
        applied = raft.raftLastApplied
        if applied < self._replaying:
            log.warning(
                "applied index went back from %d to %d: a snapshot took the place of the state",
                self._replaying,
                applied,
            )
        self._replaying = applied
        leader = raft._getLeader()
        seen = (raft._isLeader(), None if leader is None else leader.id, raft.raftCurrentTerm)
        if seen != self._seen:
            self._seen = seen
            log.info("term %d, leader %s, applied %d", seen[2], seen[1] or "unknown", applied)
            if seen[0]:
                self._tell("leader", ballot=[seen[2], self._name])
            elif seen[1] is not None:
                self._tell("follower", leader=seen[1])
        self._trace.flush()

    def _tell(self, event: str, **fields: Any) -> None:
        now_ns = int(self._loop.time() * 1e9)  # asyncio's clock is CLOCK_MONOTONIC
        line = {"time": now_ns, "node": self._name, "event": event, **fields}
        self._trace.write(json.dumps(line) + "\n")


def configuration(arguments: argparse.Namespace) -> SyncObjConf:
    """What is not asked for is left as the library has it."""
    settings: dict[str, Any] = {"bindAddress": arguments.listen_peer}
    if arguments.journal:
        # Without the dump a compaction would throw away what a restart needs.
        settings |= {"journalFile": "journal", "fullDumpFile": "dump"}
    if arguments.fast:
        settings |= {"appendEntriesUseBatch": False, "autoTickPeriod": 0.005}
    if arguments.compaction is not None:
        settings["logCompactionMinEntries"] = arguments.compaction
    return SyncObjConf(**settings)


class Front:
    """Answers clients."""

    def __init__(self, raft: Raft, reads_locally: bool) -> None:
        self._raft = raft
        self._reads_locally = reads_locally

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.LimitOverrunError, ValueError):
            while line := await reader.readline():
                await self._answer(line, writer)
        writer.close()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = json.loads(line)
            number, f = request["id"], request["f"]
        except (ValueError, KeyError, TypeError):
            send(writer, 0, {"error": {"code": "malformed", "text": f"{line[:80]!r}"}})
            return
        key = str(request.get("key"))
        if f == "status":
            send(writer, number, {"ok": self._raft.status()})
        elif f == "digest":
            send(writer, number, {"ok": await self._raft.digest()})
        elif f in READS and self._reads_locally:
            send(writer, number, {"ok": self._raft.store.look(f, key)})
        elif f in COMMANDS:
            self._raft.carry_out(
                f, key, request.get("value"), lambda *what: send(writer, number, outcome(*what))
            )
        else:
            text = f"{f!r} is none of {', '.join(COMMANDS)}"
            send(writer, number, {"error": {"code": "unsupported", "text": text}})


def outcome(result: Any, reason: int) -> dict[str, Any]:
    """Rule 3."""
    if reason != FAIL_REASON.SUCCESS:
        code = REASONS.get(reason, str(reason)).lower().replace("_", "-")
        return {"error": {"code": code, "text": "the library's reason"}}
    if result is None:
        # It raised while it was carried out: the library logs that, and answers with nothing.
        return {"error": {"code": "unknown-outcome", "text": "the command had no result"}}
    word, rest = result
    return {"ok": rest} if word == "ok" else {"error": {"code": word, "text": rest}}


def send(writer: asyncio.StreamWriter, number: int, answer: dict[str, Any]) -> None:
    if not writer.is_closing():
        writer.write(json.dumps({"id": number, **answer}).encode() + b"\n")


async def run(arguments: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    raft = Raft(arguments, loop)
    host, port = arguments.listen_client.rsplit(":", 1)
    front = Front(raft, arguments.reads == "local")
    server = await asyncio.start_server(front.serve, host, int(port), limit=LINE_BYTES_MAX)
    log.info("%s serves clients at %s", arguments.name, arguments.listen_client)
    await ended.wait()
    server.close()
    raft.close()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="node", description="A node of PySyncObj.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--listen-client", required=True, metavar="HOST:PORT")
    parser.add_argument("--listen-peer", required=True, metavar="HOST:PORT")
    parser.add_argument("--peer", action="append", default=[], metavar="HOST:PORT")
    parser.add_argument("--trace", required=True, metavar="FILE")
    parser.add_argument("--reads", choices=("replicated", "local"), default="replicated")
    parser.add_argument("--journal", action="store_true")
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--compaction", type=int, metavar="ENTRIES")
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s"
    )
    asyncio.run(run(arguments()))
