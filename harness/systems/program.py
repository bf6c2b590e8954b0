"""A client that is a program: it reads operations and writes completions, a JSON object a line.

Read: `{"id": 7, "process": 3, "f": "cas", "key": "q1", "value": [1, 2]}`. Written, one for each:
`{"id": 7, "type": "ok", "value": ...}`, `{"id": 7, "type": "fail", "error": {"code":
"compare-failed"}}` or `{"id": 7, "type": "info", "error": {"code": "timeout", "text": "..."}}`;
value and error may be left out. The id says which operation is answered: without it, a second
answer to one would be taken for the answer to the next, and the system be blamed for it.

Rules
1. One process a client, for one node: it is told which by the placeholders of its command and by
   the environment (ANTIPAXOS_NODE, _ADDRESS, _WORKLOAD, _TIMEOUT_S). What it writes to standard
   error is kept for messages. Its input ends when the client is closed; then it should end.
2. It answers every operation within its time, if only by info: it alone knows whether anything was
   sent. One that is silent for twice as long, writes what is no completion, or answers what was not
   asked is broken, and no outcome of the system: the run ends, naming it (BrokenClient).
3. One that ends in the middle of an operation leaves it open (info), like any client that crashes,
   and a new one is started. Where no client of the run has ever answered anything, it is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from checkers.history import Error, Operation
from harness.contracts import Address, BrokenClient, Completion
from harness.lifeline import dies_with_us
from harness.systems.templates import fill_all

GRACE_SHARE = 1.0  # of its time, beyond it, before a program counts as hanging
CLOSING_LIMIT_S = 0.5
READ_BYTES = 65536
LINE_BYTES_MAX = 64 * 2**20
LINE_SHOWN = 200
LINE_BYTES_HEARD = 4 * LINE_SHOWN  # as many characters, whatever they are
COMPLAINTS_MAX = 8


class _Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    id: int
    process: Any
    f: str
    key: Any = None
    value: Any = None


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: int
    type: Literal["ok", "fail", "info"]
    value: Any = None
    error: Error | None = None


_decode = msgspec.json.Decoder(_Answer).decode


class Speakers:
    """What the clients of one run know of each other: has any of them ever answered?"""

    def __init__(self) -> None:
        self.answered = False


class ProgramClient:
    """Implements harness.contracts.Client. `command`: templates of the argument vector."""

    def __init__(
        self,
        command: Sequence[str],
        node: str,
        address: Address,
        workload: str,
        timeout_s: float,
        texts: Mapping[str, str],
        speakers: Speakers,
    ) -> None:
        ip, port = address
        values = {
            **texts,
            "node": node,
            "address": f"{ip}:{port}",
            "ip": ip,
            "port": str(port),
            "workload": workload,
            "timeout_s": f"{timeout_s:g}",
        }
        self._argv = fill_all(command, values, {})
        self._env = {
            f"ANTIPAXOS_{name.upper()}": values[name]
            for name in ("node", "address", "workload", "timeout_s")
        }
        self._node = node
        self._timeout_s = timeout_s
        self._process: asyncio.subprocess.Process | None = None
        self._complaints: deque[str] = deque(maxlen=COMPLAINTS_MAX)
        self._hearing: asyncio.Task[None] | None = None
        self._asked = 0
        self._speakers = speakers
        self._read = bytearray()  # beyond the last whole line

    async def open(self) -> None:
        """Raises BrokenClient if there is no such program."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, **self._env},
                start_new_session=True,
                preexec_fn=dies_with_us(),
            )
        except OSError as wrong:
            raise BrokenClient(
                f"The client program for node {self._node} cannot be started: {wrong}. Correct the "
                "command of its client: the program must be on the PATH, or given by its whole "
                "path (beside the system's file: {here}/...)."
            ) from wrong
        self._hearing = asyncio.create_task(self._hear(self._process))

    async def invoke(self, operation: Operation) -> Completion:
        process = self._process
        assert process is not None, "opened first"
        assert process.stdin is not None, "opened with a pipe"
        self._asked += 1
        asked = _Asked(self._asked, operation.process, operation.f, operation.key, operation.value)
        try:
            async with asyncio.timeout(self._timeout_s * (1 + GRACE_SHARE)):
                process.stdin.write(msgspec.json.encode(asked) + b"\n")
                await process.stdin.drain()
                line = await self._line(process)
        except TimeoutError:
            raise self._broken(
                f"did not answer {operation.f!r} within its {self._timeout_s:g} s (and as much "
                "of grace); expected a completion, if only of type info"
            ) from None
        except (ConnectionError, EOFError):
            return await self._ended(operation)
        return self._completion(operation, line)

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None, "opened with a pipe"
        process.stdin.close()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSING_LIMIT_S):
                    await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # it, or children that it left
            with contextlib.suppress(TimeoutError):  # a child in a session of its own may hold on
                async with asyncio.timeout(CLOSING_LIMIT_S):
                    await _drained(process)
            if self._hearing is not None:
                self._hearing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._hearing

    def _completion(self, operation: Operation, line: bytes) -> Completion:
        try:
            answer = _decode(line)
        except msgspec.MsgspecError as wrong:
            raise self._broken(
                f"answered {operation.f!r} with {_shown(line)}, which is no completion ({wrong}); "
                f'expected one such as {{"id": {self._asked}, "type": "ok", "value": 5}}'
            ) from wrong
        if answer.id != self._asked:
            raise self._broken(
                f"was asked operation {self._asked} and answered {answer.id}: {_shown(line)}; "
                "expected one answer to each operation, with its id"
            )
        self._speakers.answered = True
        return Completion(answer.type, answer.value, answer.error)

    async def _line(self, process: asyncio.subprocess.Process) -> bytes:
        """Raises EOFError where the program ended."""
        assert process.stdout is not None, "opened with a pipe"
        while (end := self._read.find(b"\n")) < 0:
            data = await process.stdout.read(READ_BYTES)
            if not data:
                raise EOFError
            self._read += data
            if len(self._read) > LINE_BYTES_MAX:
                raise self._broken(f"wrote {LINE_BYTES_MAX:,} bytes without the end of a line")
        line = bytes(self._read[:end])
        del self._read[: end + 1]
        return line

    async def _ended(self, operation: Operation) -> Completion:
        assert self._process is not None, "it has just ended"
        try:
            async with asyncio.timeout(CLOSING_LIMIT_S):
                status = await self._process.wait()
        except TimeoutError:
            raise self._broken(
                f"closed its standard output during {operation.f!r} and ran on"
            ) from None
        if not self._speakers.answered:
            await self._heard()
            raise self._broken(
                f"ended with status {status} without an answer to {operation.f!r}, and no client "
                "has answered anything yet; where a node cannot be reached, answer with fail"
            )
        words = f"the client program ended with status {status} during {operation.f!r}"
        return Completion("info", None, Error("client-ended", words))

    async def _hear(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None, "opened with a pipe"
        rest = b""
        while data := await process.stderr.read(READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            self._complaints.extend(map(_complaint, lines))
            rest = rest[:LINE_BYTES_HEARD]
        if rest:
            self._complaints.append(_complaint(rest))

    async def _heard(self) -> None:
        """Until its last words are in; a child that it left may hold them open."""
        if self._hearing is not None:
            await asyncio.wait([self._hearing], timeout=CLOSING_LIMIT_S)

    def _broken(self, what: str) -> BrokenClient:
        said = "".join(f"\n  {line}" for line in self._complaints)
        told = f"Its last lines on standard error:{said}" if said else "It said nothing about it."
        return BrokenClient(
            f"The client program for node {self._node}, {' '.join(self._argv)!r}, {what}. This "
            f"says nothing about the system under test. {told}"
        )


async def _drained(process: asyncio.subprocess.Process) -> None:
    """Until it is gone. Nobody reads any more what it wrote, and asyncio takes a process for gone
    only when its pipes have ended."""
    assert process.stdout is not None, "opened with a pipe"
    while await process.stdout.read(READ_BYTES):
        pass
    await process.wait()


def _complaint(line: bytes) -> str:
    return line[:LINE_BYTES_HEARD].decode(errors="replace").rstrip()[:LINE_SHOWN]


def _shown(line: bytes) -> str:
    text = line.strip().decode(errors="replace")
    return repr(text if len(text) <= LINE_SHOWN else f"{text[:LINE_SHOWN]}...")
