"""One node of the reference as a process: its command line, its sockets, its end.

Rules
1. The log is locked and recovered before the node listens, and the machine has handled Recover
   before the first message or request arrives.
2. A node that cannot go on (disk full, log damaged, port in use, a bug) says so in one sentence on
   standard error and ends with exit code 1, having answered nothing that is not durable.
3. SIGTERM and SIGINT end it cleanly, with exit code 0.

An example: python -m reference_impl.node --name n1 --protocol multipaxos --data /tmp/n1
  --peer-listen 127.0.0.1:7001 --client-listen 127.0.0.1:8001
  --peer n2=127.0.0.1:7002 --peer n3=127.0.0.1:7003
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from harness.machine import Machine
from reference_impl.build import build_machine
from reference_impl.limits import Limits
from reference_impl.records import RecordError
from reference_impl.runtime import Host
from reference_impl.storage import Log, StorageError
from reference_impl.tracefile import NoTrace, TraceFile
from reference_impl.transport import Inbox, Link

Address = tuple[str, int]


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """Where a node lives. `peers`: the other nodes. `trace`: None for no trace. `seed`: what is
    random in this node (time-outs, back-off) follows from it and the node's name."""

    name: str
    data: Path
    peer_listen: Address
    client_listen: Address
    peers: Mapping[str, Address]
    trace: Path | None = None
    seed: int = 0

    def rng(self, purpose: str) -> Random:
        """Nodes given one seed must not draw the same time-outs: the name goes in."""
        return Random(f"{self.seed} {self.name} {purpose}")


class ListenError(Exception):
    """The message is a sentence."""


def say(text: str) -> None:
    """A line of the node's log."""
    # A full disk under the log file must not be what ends the node.
    with contextlib.suppress(OSError):
        os.write(2, f"{time.strftime('%H:%M:%S')} {text}\n".encode(errors="replace"))


async def serve(machine: Machine, node: Node) -> None:
    """Run until SIGTERM or SIGINT. Raises StorageError, ListenError, and OSError of the trace."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.set_exception_handler(lambda _, context: _on_trouble(context, ended))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _finish, ended)
    async with contextlib.AsyncExitStack() as stack:
        log = Log(node.data)
        stack.callback(log.close)
        say(f"{node.name} starts, process {os.getpid()}, {len(log.recovered)} records recovered")
        if log.notice:
            say(log.notice)
        trace = TraceFile(node.trace, node.name, time.monotonic_ns) if node.trace else NoTrace()
        stack.callback(trace.close)
        links = {
            peer: Link(peer, address, node.rng(peer), say) for peer, address in node.peers.items()
        }
        host = Host(machine, name=node.name, log=log, trace=trace, links=links)
        stack.callback(host.stop)
        host.start()
        await _open_ports(node, host, getattr(machine, "messages", Any), stack)
        _dial(links, ended, stack)
        say(f"{node.name} listens, peers on {node.peer_listen}, clients on {node.client_listen}")
        await ended
    say(f"{node.name} ends")


async def _open_ports(
    node: Node, host: Host, messages: Any, stack: contextlib.AsyncExitStack
) -> None:
    inbox = Inbox(frozenset(node.peers), host.deliver, say, messages)
    stack.callback(host.clients.close)
    stack.callback(inbox.close)
    stack.callback((await _listen(inbox.accept, node.peer_listen)).close)
    stack.callback((await _listen(host.clients.accept, node.client_listen)).close)


def _dial(
    links: Mapping[str, Link], ended: asyncio.Future[None], stack: contextlib.AsyncExitStack
) -> None:
    def on_end(task: asyncio.Task[None]) -> None:
        # A link runs until it is cancelled: anything else is a bug, and the node dies of it.
        if not task.cancelled() and not ended.done():
            ended.set_exception(task.exception() or RuntimeError("a link ended by itself"))

    tasks = [asyncio.create_task(link.run()) for link in links.values()]
    for task in tasks:
        task.add_done_callback(on_end)
    stack.push_async_callback(_end, tasks)


async def _listen(
    accept: Callable[[], asyncio.Protocol], address: Address
) -> asyncio.AbstractServer:
    try:
        return await asyncio.get_running_loop().create_server(accept, *address, backlog=512)
    except OSError as trouble:
        reason = "the port is in use" if trouble.errno == errno.EADDRINUSE else trouble.strerror
        raise ListenError(
            f"cannot listen on {address[0]}:{address[1]}: {reason}. Give the node another address."
        ) from trouble


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _finish(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


def _on_trouble(context: Mapping[str, Any], ended: asyncio.Future[None]) -> None:
    """Whatever escapes a callback ends the node, but for what asyncio itself lives with."""
    trouble = context.get("exception")
    if "socket" in context and isinstance(trouble, OSError):  # accept() ran out of descriptors
        say(f"{context['message']}: {trouble}")
    elif not ended.done():
        ended.set_exception(trouble or RuntimeError(context["message"]))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    node = Node(
        name=options.name,
        data=options.data,
        peer_listen=options.peer_listen,
        client_listen=options.client_listen,
        peers=dict(options.peer),
        trace=options.trace,
        seed=options.seed,
    )
    try:
        machine = _machine(options, node)
    except ValueError as unknown:
        parser.error(str(unknown))
    try:
        asyncio.run(serve(machine, node))
    except (StorageError, ListenError, RecordError) as trouble:
        say(f"{node.name} cannot go on: {trouble}")
        return 1
    except OSError as trouble:
        say(f"{node.name} cannot go on: {trouble}. Free or repair what it names, start it again.")
        return 1
    return 0


def _machine(options: argparse.Namespace, node: Node) -> Machine:
    return build_machine(
        options.protocol,
        name=node.name,
        peers=tuple(node.peers),
        rng=node.rng("machine"),
        learning=options.learning,
        refusals=options.refusals == "on",
        reads=options.reads,
        mutant=options.mutant,
        snapshot_slots=options.snapshot_slots,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reference_impl.node", allow_abbrev=False)
    add = parser.add_argument
    add("--name", required=True, help="of this node, as its peers call it")
    add("--protocol", required=True, choices=["multipaxos", "synod"])
    add("--data", required=True, type=Path, help="its directory, created if missing")
    add("--peer-listen", required=True, type=_address, metavar="HOST:PORT")
    add("--client-listen", required=True, type=_address, metavar="HOST:PORT")
    add("--peer", action="append", default=[], type=_peer, metavar="NAME=HOST:PORT")
    add("--trace", type=Path, metavar="FILE", help="protocol events go here, as JSON lines")
    add("--seed", type=int, default=0)
    add("--learning", choices=["all", "distinguished"], default="all")
    add("--refusals", choices=["on", "off"], default="on")
    add("--reads", choices=["log", "quorum"], default="log")
    every = Limits().snapshot_every_slots
    add("--snapshot-slots", type=int, default=every, metavar="N", help="from one to the next")
    add("--mutant", metavar="NAME", help="break one law on purpose: antipaxos mutants --list")
    return parser


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 2**16):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; give HOST:PORT")
    return host.strip("[]"), int(port)


def _peer(text: str) -> tuple[str, Address]:
    name, equals, address = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is no peer; give NAME=HOST:PORT")
    return name, _address(address)


if __name__ == "__main__":
    sys.exit(main())
