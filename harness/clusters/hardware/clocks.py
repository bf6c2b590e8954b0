"""The clocks of real hosts, per process: nemesis.capabilities.Clocks by libfaketime and time
namespaces. The machine's own clock is never touched.

Rules
1. Wall clocks: programs start with libfaketime (see faketime) and an offset of 0 in a file; a fault
   replaces the file, at once and without a restart. A drift is an offset that is moved on every
   STEP_S; libfaketime's own rate counts from the start of each process, and would jump.
2. Monotonic clocks: a node restarts in a time namespace (see uptime). Only offsets, as from the
   machine's own clock, and none that would make it negative.
3. Nothing of this is put on a node unless a planned fault needs it.
4. What a clock shows is asked from a program that was started as the node's are, and from the
   kernel, for the process of the node.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from harness.clock import MonotonicClock, sleep
from harness.clusters.hardware import faketime
from harness.clusters.hardware.programs import past_libc
from harness.contracts import Command, EnvironmentTrouble
from nemesis.capabilities import ClockReading
from nemesis.faults import Fault, SkewClock

STEP_S = 0.01
GAP_S = 0.1  # between the two readings of which a rate is made
ANSWER_LIMIT_S = 5.0
NS_PER_S, NS_PER_MS, MS_PER_S = 1_000_000_000, 1_000_000, 1000
MARGIN_MS = 1000.0  # how long the machine must have run before a monotonic clock is set back
HERE = Path(__file__).parent
UPTIME = Path("/proc/uptime")

Restart = Callable[[Sequence[str]], Awaitable[None]]
Pid = Callable[[str], int | None]


class HostClocks:
    """Implements Clocks and Judging.

    `folders`: a directory of each node, outside of its data, that its programs can read. `program`:
    what the nodes run, to judge whether libfaketime reaches it. `restart`: stops those of the given
    nodes that run, politely, and starts them again through `wraps`; whoever was paused is paused
    again. `pid`: the process of a node, as seen from here; None while it has none.
    """

    def __init__(
        self, folders: Mapping[str, Path], program: Command, *, restart: Restart, pid: Pid
    ) -> None:
        self._folders = {node: folder.absolute() for node, folder in folders.items()}
        self._program, self._restart, self._pid = program, restart, pid
        self._clock = MonotonicClock()
        self._faults: dict[int, tuple[SkewClock, int]] = {}  # with the time of its beginning
        self._library: Path | None = None  # None: no wall clock is to be skewed
        self._probes: dict[str, _Probe] = {}
        self._true: _Probe | None = None
        self._drifting: asyncio.Task[None] | None = None

    async def open(self, planned: Iterable[Fault]) -> None:
        """What these faults need, before the nodes start. Raises EnvironmentTrouble."""
        skews = [fault for fault in planned if isinstance(fault, SkewClock)]
        if not skews:
            return
        for folder in self._folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        if any(fault.clock == "wall" for fault in skews):
            self._library = self._adapted()
            for node in self._folders:
                faketime.set_offset(self._file(node), 0.0)
        self._true = await _Probe.started({})
        for node in self._folders:
            self._probes[node] = await _Probe.started(self._environment(node))

    async def close(self) -> None:
        """Idempotent."""
        if self._drifting is not None:
            self._drifting.cancel()
            await asyncio.wait([self._drifting])
            self._drifting = None
        probes = [*self._probes.values(), *([self._true] if self._true else [])]
        self._probes, self._true = {}, None
        for probe in probes:
            await probe.close()

    def wraps(self, command: Command, node: str) -> Command:
        """The command as it must be started for its clocks to be ours."""
        offset_ms = self._monotonic_ms(node)
        argv = command.argv
        if offset_ms:
            offset_ns = str(round(offset_ms * NS_PER_MS))
            argv = (sys.executable, "-IS", str(HERE / "uptime.py"), offset_ns, *argv)
        env = {**self._environment(node), **command.env}
        preloads = [
            e["LD_PRELOAD"] for e in (self._environment(node), command.env) if "LD_PRELOAD" in e
        ]
        if preloads:
            env["LD_PRELOAD"] = " ".join(dict.fromkeys(preloads))
        return msgspec.structs.replace(command, argv=argv, env=env)

    def refusal(self, fault: SkewClock) -> str | None:
        if fault.clock == "monotonic":
            return _monotonic_trouble(fault)
        program = self._program.argv[0]
        why = past_libc(program, self._program.env)
        if why is not None:
            return (
                f"the wall clock of {Path(program).name} cannot be skewed per process: it {why}; "
                "skew its monotonic clock (clock: monotonic), or pick packages without clocks"
            )
        if faketime.installed() is None:
            return (
                "a wall clock is skewed by libfaketime, which is not installed: install it "
                "(apt-get install faketime)"
            )
        return None

    async def apply(self, id: int, fault: SkewClock) -> None:  # noqa: A002
        if id in self._faults:
            return
        strangers = [node for node in fault.nodes if node not in self._probes]
        if strangers or (fault.clock == "wall" and self._library is None):
            raise ValueError(f"no {fault.clock} clock of {', '.join(fault.nodes)} was prepared")
        self._faults[id] = fault, self._clock.now_ns()
        await self._changed(fault)

    async def undo(self, id: int) -> None:  # noqa: A002
        fault, _ = self._faults.pop(id, (None, 0))
        if fault is not None:
            await self._changed(fault)

    async def measure(self) -> dict[str, ClockReading]:
        if self._true is None:
            return {node: ClockReading(0.0, 1.0, 0.0) for node in self._folders}
        true = await self._true.read()
        first = {node: await probe.read() for node, probe in self._probes.items()}
        await sleep(self._clock, GAP_S)
        readings = {}
        for node, probe in self._probes.items():
            (began, showed), (now, shows) = first[node], await probe.read()
            offset_ms = ((shows - now) - (true[1] - true[0])) / NS_PER_MS
            rate = (shows - showed) / (now - began)
            readings[node] = ClockReading(offset_ms, rate, self._uptime_ms(node))
        return readings

    def _uptime_ms(self, node: str) -> float:
        """How far the kernel says the monotonic clock of the node's process is ahead."""
        pid = self._pid(node)
        lines = ""
        if pid is not None:
            with contextlib.suppress(OSError):  # it died meanwhile
                lines = Path(f"/proc/{pid}/timens_offsets").read_text()
        for line in lines.splitlines():
            name, seconds, rest_ns = line.split()
            if name == "monotonic":
                return int(seconds) * MS_PER_S + int(rest_ns) / NS_PER_MS
        return 0.0

    async def _changed(self, fault: SkewClock) -> None:
        if fault.clock == "monotonic":
            await self._restart(fault.nodes)
            return
        for node in fault.nodes:
            faketime.set_offset(self._file(node), self._wall_ms(node))
        drifts = any(other.drift for other, _ in self._faults.values())
        if drifts and self._drifting is None:
            self._drifting = asyncio.create_task(self._drift())
        if not drifts and self._drifting is not None:
            self._drifting.cancel()
            self._drifting = None

    async def _drift(self) -> None:
        while True:
            await sleep(self._clock, STEP_S)
            for node in {
                n for fault, _ in self._faults.values() if fault.drift for n in fault.nodes
            }:
                faketime.set_offset(self._file(node), self._wall_ms(node))

    def _wall_ms(self, node: str) -> float:
        now_ns = self._clock.now_ns()
        return sum(
            fault.offset_ms + fault.drift * (now_ns - since_ns) / NS_PER_MS
            for fault, since_ns in self._faults.values()
            if node in fault.nodes and fault.clock == "wall"
        )

    def _monotonic_ms(self, node: str) -> float:
        faults = (fault for fault, _ in self._faults.values() if node in fault.nodes)
        return sum(fault.offset_ms for fault in faults if fault.clock == "monotonic")

    def _environment(self, node: str) -> Mapping[str, str]:
        if self._library is None:
            return {}
        return faketime.environment(self._library, self._file(node))

    def _file(self, node: str) -> Path:
        return self._folders[node] / "clock-offset"

    def _adapted(self) -> Path:
        source = faketime.installed()
        if source is None:
            raise EnvironmentTrouble("libfaketime is not installed: apt-get install faketime")
        target = next(iter(self._folders.values())) / "libfaketime.so"
        try:
            faketime.adapted(source, target)
        except (ValueError, OSError) as wrong:
            raise EnvironmentTrouble(f"libfaketime cannot be adapted: {wrong}") from None
        return target


class _Probe:
    """A running clock_probe."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    @classmethod
    async def started(cls, env: Mapping[str, str]) -> _Probe:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-IS", str(HERE / "clock_probe.py")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the terminal is not for it
            env=dict(env),
        )
        return cls(process)

    async def read(self) -> tuple[int, int]:
        """Monotonic and wall time, in nanoseconds. Raises EnvironmentTrouble."""
        asking, answering = self._process.stdin, self._process.stdout
        assert asking is not None
        assert answering is not None
        async with self._turn:
            line = b""
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(ANSWER_LIMIT_S):
                    asking.write(b"\n")
                    await asking.drain()
                    line = await answering.readline()
        if not line:
            raise EnvironmentTrouble(
                "the probe of a clock does not answer: libfaketime may be broken"
            )
        monotonic, wall = line.split()
        return int(monotonic), int(wall)

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


def _monotonic_trouble(fault: SkewClock) -> str | None:
    if fault.drift:
        return (
            "a monotonic clock takes an offset_ms only: its rate is the machine's (use clock: wall)"
        )
    up_ms = float(UPTIME.read_text().split()[0]) * MS_PER_S
    if -fault.offset_ms > up_ms - MARGIN_MS:
        return f"a monotonic clock cannot be set back by more than it shows, {up_ms:.0f} ms"
    if not Path("/proc/self/ns/time").exists():
        return "a monotonic clock is skewed by a time namespace, which needs Linux 5.6"
    return None
