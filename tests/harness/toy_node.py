"""One node of the toy system: it keeps what it is sent. Standard library only, so it starts fast.

Its client port takes a command a line and answers a line of JSON: `ping`, `send PEER TEXT`,
`inbox` (texts received from peers), `echoes` (what peers answered on our connections), `fork` (pid
of a child that sleeps), `exit CODE`. Its peer port takes frames of a 4-byte length and a text, and
echoes each on the connection it came by.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class ToyNode:
    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.inbox: list[str] = []
        self.echoes: list[str] = []
        self.writers: dict[str, asyncio.StreamWriter] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        await asyncio.start_server(self.serve_peer, *self.config["listen"]["peer"])
        await asyncio.start_server(self.serve_client, *self.config["listen"]["client"])
        await asyncio.Event().wait()

    async def serve_client(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(await self.answer(*line.decode().split())).encode() + b"\n")
        writer.close()

    async def serve_peer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.collect(reader, self.inbox, writer)

    async def answer(self, command: str, *words: str) -> Any:
        if command == "send":
            return await self.send(*words)
        if command == "fork":
            return (await asyncio.create_subprocess_exec("sleep", "600")).pid
        if command == "exit":
            print("leaving, as asked", flush=True)
            os._exit(int(words[0]))
        return {"ping": self.config["name"], "inbox": self.inbox, "echoes": self.echoes}[command]

    async def send(self, peer: str, text: str) -> bool:
        try:
            if peer not in self.writers:
                reader, self.writers[peer] = await asyncio.open_connection(
                    *self.config["peers"][peer]
                )
                self.tasks.add(asyncio.create_task(self.collect(reader, self.echoes, None, peer)))
            self.writers[peer].write(frame(text.encode()))
        except OSError:
            self.writers.pop(peer, None)
            return False
        return True

    async def collect(
        self,
        reader: asyncio.StreamReader,
        texts: list[str],
        echo: asyncio.StreamWriter | None,
        peer: str = "",
    ) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                texts.append((await reader.readexactly(size)).decode())
                if echo is not None:
                    echo.write(frame(texts[-1].encode()))
        except (OSError, EOFError):
            self.writers.pop(peer, None)


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


def main() -> None:
    config = json.loads(sys.argv[1])
    if config["die"]:
        sys.exit("cannot go on: the toy was told to die")
    with Path(config["trace"]).open("a") as trace:
        trace.write("restart\n")
    asyncio.run(ToyNode(config).run())


if __name__ == "__main__":
    main()
