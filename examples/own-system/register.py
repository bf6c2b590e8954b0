"""One node of a replicated register: every write and read goes to a majority of the nodes.

Standard library only, and nothing of the harness. Each value carries a stamp, (counter, node). A
write asks a majority for its highest stamp and stores the value under a higher one; a read takes
the value with the highest stamp of a majority and stores it there, before it answers. With
`--reads local` a read trusts this node's own copy, which saves two round trips and is wrong.

Source: Attiya, Bar-Noy, Dolev, Sharing memory robustly in message-passing systems, JACM 1995.
"""

import argparse
import asyncio
import json
import os
from contextlib import suppress
from pathlib import Path

RETRY_S = 0.05


class Copy:
    """This node's copy: [counter, node, value] by key. A new one is on disk before it is kept."""

    def __init__(self, file):
        file.touch()
        self.cells = {}
        with file.open() as lines:
            for line in lines:
                with suppress(ValueError):  # torn by a crash, so it was never acknowledged
                    key, cell = json.loads(line)
                    self.cells[key] = cell
        self.file = file.open("a")
        self.file.write("\n")  # ends a torn line

    def get(self, key):
        return self.cells.get(key, [0, "", None])

    def store(self, key, cell):
        if cell[:2] > self.get(key)[:2]:
            self.file.write(json.dumps([key, cell]) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())
            self.cells[key] = cell


class Peer:
    """Another node, asked over one connection that is made again when it breaks."""

    def __init__(self, address):
        self.host, self.port = address.rsplit(":", 1)
        self.writer = None
        self.waiting = {}

    async def keep_connected(self):
        while True:
            with suppress(OSError):
                reader, self.writer = await asyncio.open_connection(self.host, self.port)
                async for line in reader:
                    number, cell = json.loads(line)
                    answer = self.waiting.pop(number, None)
                    if answer is not None and not answer.done():
                        answer.set_result(cell)
            await asyncio.sleep(RETRY_S)

    async def ask(self, number, key, cell):
        """Never returns if the answer is lost: whoever asks needs only a majority."""
        answer = self.waiting[number] = asyncio.get_running_loop().create_future()
        if self.writer is not None:
            self.writer.write(json.dumps([number, key, cell]).encode() + b"\n")
        try:
            return await answer
        finally:
            self.waiting.pop(number, None)


class Register:
    def __init__(self, name, copy, peers, reads):
        self.name, self.copy, self.peers, self.reads = name, copy, peers, reads
        self.asked = 0
        self.counter = max((cell[0] for cell in copy.cells.values()), default=0)

    async def majority(self, key, cell=None):
        """Stores the cell, if one is given, with a majority; returns the newest of a majority."""
        self.asked += 1
        if cell is not None:
            self.copy.store(key, cell)
        newest, missing = self.copy.get(key), (len(self.peers) + 1) // 2
        asking = {asyncio.create_task(peer.ask(self.asked, key, cell)) for peer in self.peers}
        while missing > 0:
            answered, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            newest = max([newest, *(task.result() for task in answered)], key=lambda c: c[:2])
            missing -= len(answered)
        for task in asking:
            task.cancel()
        return newest

    async def read(self, key):
        if self.reads == "local":
            return self.copy.get(key)[2]
        newest = await self.majority(key)
        await self.majority(key, newest)  # or a later read might still find an older one
        return newest[2]

    async def write(self, key, value):
        newest = await self.majority(key)
        self.counter = max(self.counter, newest[0]) + 1
        await self.majority(key, [self.counter, self.name, value])

    async def serve_client(self, reader, writer):
        async for line in reader:
            request = json.loads(line)
            answer = await self.perform(request["f"], request.get("key"), request.get("value"))
            writer.write(json.dumps({"id": request["id"], **answer}).encode() + b"\n")

    async def perform(self, f, key, value):
        if f == "status":
            return {"ok": {"ready": True}}
        if f == "get":
            return {"ok": await self.read(key)}
        if f == "put":
            return {"ok": await self.write(key, value)}
        return {"error": {"code": "unsupported", "text": f"there is no {f}"}}

    async def serve_peer(self, reader, writer):
        async for line in reader:
            number, key, cell = json.loads(line)
            if cell is not None:
                self.copy.store(key, cell)
            writer.write(json.dumps([number, self.copy.get(key)]).encode() + b"\n")


def guarded(serve):
    async def serving(reader, writer):
        with suppress(ConnectionError):
            await serve(reader, writer)
        writer.close()

    return serving


async def main():
    options = argparse.ArgumentParser()
    for name in ("--name", "--data", "--client-listen", "--peer-listen", "--reads"):
        options.add_argument(name, required=True)
    options.add_argument("--peer", action="append", default=[])
    given = options.parse_args()
    peers = [Peer(address) for address in given.peer]
    register = Register(given.name, Copy(Path(given.data, "cells")), peers, given.reads)
    for address, serve in (
        (given.peer_listen, register.serve_peer),
        (given.client_listen, register.serve_client),
    ):
        await asyncio.start_server(guarded(serve), *address.rsplit(":", 1))
    await asyncio.gather(*(peer.keep_connected() for peer in peers), asyncio.Event().wait())


asyncio.run(main())
