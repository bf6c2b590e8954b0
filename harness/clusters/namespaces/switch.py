"""The network of whole hosts by a switch in user space: the harness's side of it.

Rules
1. The switch is a process of its own (see switch_process), in the namespaces of the harness; it
   ends when its input does. If it ends before, the hosts have no network any more: every later
   order raises.
2. It does every fault of links, cuts included, on packets of any kind, and holds and releases in
   order. What it does to a link is the sum of the faults in force there.
3. An order is over when the switch has answered it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

import harness
from harness.clusters.namespaces import switch_devices
from harness.clusters.namespaces.firewall import PROBE_PORT
from harness.clusters.namespaces.hosts import configure
from harness.clusters.namespaces.shaping_links import InForce, links_between, mistake
from harness.contracts import EnvironmentTrouble
from nemesis.capabilities import LinkReading
from nemesis.faults import Link, LinkFault

ANSWER_LIMIT_S = 10.0


class SwitchNetwork:
    """Joins hosts (name to address) and the clients, in our own network at `client_ip`. Implements
    network.Shaper, and nemesis.capabilities.Judging.

    What the switch complains of goes to `log`. Datagrams from and to `probe_port` are probes: they
    meet the faults like all others, but are counted nowhere and shift no draws.
    """

    carries = True

    def __init__(
        self,
        hosts: Mapping[str, str],
        client_ip: str,
        seed: int,
        *,
        log: Path,
        probe_port: int = PROBE_PORT,
    ) -> None:
        self._hosts = dict(hosts)
        self._client_ip = client_ip
        self._seed = seed
        self._log = log
        self._probe_port = probe_port
        self._in_force = InForce(links_between(self._hosts))
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._stopping = False
        self._lost = ""
        self.by_tun = False  # else by packet sockets

    def refusal(self, fault: LinkFault) -> str | None:
        return mistake(fault)

    async def wire(self) -> None:
        """Makes a network namespace for every host, named as the host is, with `eth0` in it; for
        the harness a device of its own. Of an earlier wiring nothing is left (hosts.unwire).
        Raises EnvironmentTrouble."""
        self._stopping, self._lost = False, ""
        try:
            await self._begin()  # it gets ready, in some 70 ms, while the networks are made
            await configure(["ip", "-batch", "-"], [f"netns add {name}" for name in self._hosts])
            await self._connect()
        except BaseException:
            await self.close()
            raise

    async def apply(self, id: int, fault: LinkFault) -> None:  # noqa: A002
        if self._in_force.admit(id, fault):
            await self._order(do="apply", id=id, fault=fault)

    async def undo(self, id: int) -> None:  # noqa: A002
        if self._in_force.dismiss(id) is not None:
            await self._order(do="undo", id=id)

    async def counters(self) -> dict[Link, LinkReading]:
        """What the switch counted, of every link; what a probe would tell is not told."""
        counted = await self._order(do="count")
        return {
            (src, dst): LinkReading(reachable=False, delay_ms=None, **counts)
            for src, dst, counts in counted
        }

    async def close(self) -> None:
        """Ends the switch; what devices hosts have lead nowhere from now on. Idempotent."""
        self._stopping = True
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None, "opened with a pipe"
        process.stdin.close()
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await process.wait()
        except TimeoutError:  # it may have been stopped (SIGSTOP)
            process.kill()
            await process.wait()
        if self._listening is not None:
            await self._listening
        self._in_force.clear()

    async def _begin(self) -> None:
        with self._log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-SP",  # no site: what it imports lies in two known places, and it starts sooner
                "-m",
                "harness.clusters.namespaces.switch_process",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_places())},
                start_new_session=True,
            )
        self._listening = asyncio.create_task(self._listen(self._process))

    async def _connect(self) -> None:
        self.by_tun = switch_devices.tun_can_be_opened()
        await self._order(
            do="wire",
            hosts=self._hosts,
            client=self._client_ip,
            seed=self._seed,
            probe_port=self._probe_port,
            tun=self.by_tun,
        )

    async def _order(self, **order: Any) -> Any:
        if self._lost or self._process is None:
            raise EnvironmentTrouble(self._lost or "the hosts are not wired: wire them first")
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        assert self._process.stdin is not None, "opened with a pipe"
        self._process.stdin.write(msgspec.json.encode({**order, "number": number}) + b"\n")
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                return await answer
        except TimeoutError:
            raise EnvironmentTrouble(
                f"the switch did not answer '{order['do']}' within {ANSWER_LIMIT_S} s: is the "
                "machine overloaded, or the switch stopped?"
            ) from None
        finally:
            del self._waiting[number]

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None, "opened with a pipe"
        while line := await process.stdout.readline():
            said = msgspec.json.decode(line)
            answer = self._waiting.get(said["number"])
            if answer is None or answer.done():
                continue
            if "error" in said:
                answer.set_exception(EnvironmentTrouble(f"the switch failed: {said['error']}"))
            else:
                answer.set_result(said["value"])
        status = await process.wait()
        if not self._stopping:
            self._lost = (
                f"the switch between the hosts ended with status {status} though nobody ended it; "
                f"what it said is in {self._log}. Was it killed by hand, or by the out-of-memory "
                "killer?"
            )
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(EnvironmentTrouble(self._lost or "the switch was ended"))


def _places() -> list[str]:
    """Where the switch finds what it imports."""
    files = (harness.__file__, msgspec.__file__)
    return list(dict.fromkeys(str(Path(file).parent.parent) for file in files))
