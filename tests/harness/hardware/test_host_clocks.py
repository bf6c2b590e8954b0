"""Clocks of real processes: they jump, drift and come back, live, and probes show it."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from harness.clusters.hardware import faketime
from harness.clusters.hardware.clocks import HostClocks
from harness.contracts import Command
from nemesis.faults import Fault, SkewClock
from nemesis.symptoms import is_right, of_clocks, of_right_clocks
from tests.harness.hardware.nodes import Nodes
from tests.harness.namespaces.inside import run_inside

PAIR = ("n1", "n2")
N1 = ("n1",)

# What a program sees: its wall clock, its monotonic clock, and how long a sleep took.
PYTHON = """
import sys, time
for _ in sys.stdin:
    began = time.monotonic()
    time.sleep(0.01)
    print(time.time(), time.monotonic(), time.monotonic() - began, flush=True)
"""

JAVA = """
class Clocks {
    public static void main(String[] arguments) throws Exception {
        while (System.in.read() >= 0) {
            long began = System.nanoTime();
            Thread.sleep(10);
            double slept = (System.nanoTime() - began) / 1e9;
            System.out.println(System.currentTimeMillis() / 1e3 + " 0 " + slept);
        }
    }
}
"""

Play = Callable[[Nodes, HostClocks], Coroutine[Any, Any, None]]


def played(play: Play, *planned: Fault, program: Path | None = None) -> None:
    if faketime.installed() is None:
        pytest.skip("libfaketime is not installed: apt-get install faketime")

    async def play_it(folder: Path) -> None:
        nodes = Nodes(PAIR, folder, PYTHON)
        if program is not None:
            nodes.command = Command(argv=("java", "-XX:TieredStopAtLevel=1", str(program)))
        clocks = HostClocks(nodes.disks, nodes.command, restart=nodes.again, pid=nodes.pid)
        nodes.wraps = clocks.wraps
        await clocks.open(planned)
        try:
            await nodes.restart(PAIR)
            await play(nodes, clocks)
        finally:
            await nodes.kill(PAIR)
            await clocks.close()
            await clocks.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play_it(Path(folder)))


async def shown(nodes: Nodes) -> tuple[float, float]:
    """How far n1 is ahead of n2, by the wall clock and by the monotonic one, in seconds; on both,
    sleeps last as long as they should."""
    first, second = [[float(word) for word in (await nodes.asked(name)).split()] for name in PAIR]
    assert 0.009 < first[2] < 5
    assert 0.009 < second[2] < 5
    return first[0] - second[0], first[1] - second[1]


def wall_clocks(play_java: bool) -> None:
    async def play(nodes: Nodes, clocks: HostClocks) -> None:
        before = await clocks.measure()
        assert all(is_right(clock) for clock in before.values())
        ahead = SkewClock(nodes=N1, offset_ms=30_000.0)
        await clocks.apply(1, ahead)
        await clocks.apply(1, ahead)
        assert 25 < (await shown(nodes))[0] < 35
        assert of_clocks(ahead, before, await clocks.measure()).in_effect
        assert is_right((await clocks.measure())["n2"])
        back = SkewClock(nodes=N1, offset_ms=-60_000.0)
        await clocks.apply(2, back)  # both: half a minute behind
        assert -35 < (await shown(nodes))[0] < -25
        await nodes.again(N1)  # a new life has the same clock
        assert -35 < (await shown(nodes))[0] < -25
        await clocks.undo(1)
        assert -65 < (await shown(nodes))[0] < -55
        await clocks.undo(2)
        await clocks.undo(2)
        assert -5 < (await shown(nodes))[0] < 5
        assert of_right_clocks(PAIR, await clocks.measure()).in_effect

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "Clocks.java"
        source.write_text(JAVA)
        played(play, SkewClock(offset_ms=1.0), program=source if play_java else None)


def drifting_clocks() -> None:
    async def play(_: Nodes, clocks: HostClocks) -> None:
        before = await clocks.measure()
        fast = SkewClock(nodes=N1, drift=1.0, offset_ms=500.0)
        slow = SkewClock(nodes=("n2",), drift=-0.5)
        await clocks.apply(1, fast)
        await clocks.apply(2, slow)
        early = await clocks.measure()
        late = await clocks.measure()
        assert of_clocks(fast, before, late).in_effect
        assert of_clocks(slow, before, late).in_effect
        assert late["n1"].offset_ms > early["n1"].offset_ms > 500
        assert late["n2"].offset_ms < early["n2"].offset_ms < 0
        await clocks.undo(1)
        await clocks.undo(2)
        assert of_right_clocks(PAIR, await clocks.measure()).in_effect

    played(play, SkewClock(drift=0.1))


def monotonic_clocks() -> None:
    async def play(nodes: Nodes, clocks: HostClocks) -> None:
        before = await clocks.measure()
        first = nodes.pid("n1")
        ahead = SkewClock(nodes=N1, offset_ms=50_000.5, clock="monotonic")
        await clocks.apply(1, ahead)
        assert nodes.pid("n1") != first  # it takes a restart
        wall_s, monotonic_s = await shown(nodes)
        assert -5 < wall_s < 5
        assert 45 < monotonic_s < 55
        now = await clocks.measure()
        assert now["n1"].monotonic_ms == 50_000.5
        assert of_clocks(ahead, before, now).in_effect
        behind = SkewClock(nodes=("n2",), offset_ms=-10_000.25, clock="monotonic")
        await clocks.apply(2, behind)
        assert 55 < (await shown(nodes))[1] < 65
        assert (await clocks.measure())["n2"].monotonic_ms == -10_000.25
        await clocks.undo(1)
        await clocks.undo(2)
        assert -5 < (await shown(nodes))[1] < 5
        assert of_right_clocks(PAIR, await clocks.measure()).in_effect

    played(play, SkewClock(offset_ms=1.0, clock="monotonic"))


@pytest.mark.parametrize("unprivileged", [False, True])
def test_wall_clocks_of_python_jump(*, unprivileged: bool) -> None:
    """Forth and back, live, adding up, over a restart; of one process, while it sleeps well."""
    run_inside(wall_clocks, False, unprivileged=unprivileged)


def test_wall_clocks_of_java_jump() -> None:
    """The same for a virtual machine with threads of its own."""
    if shutil.which("java") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("in CI a Java runtime is installed")
        pytest.skip("no java here: apt-get install default-jdk-headless")
    run_inside(wall_clocks, True)


def test_wall_clocks_drift() -> None:
    """Faster and slower, from an offset on, until they are set right."""
    run_inside(drifting_clocks)


@pytest.mark.parametrize("unprivileged", [False, True])
def test_monotonic_clocks_jump_with_a_restart(*, unprivileged: bool) -> None:
    """To before and after the machine's own, the wall clock unmoved; the kernel says how far."""
    run_inside(monotonic_clocks, unprivileged=unprivileged)


def host_clocks(folder: Path, program: str) -> HostClocks:
    nodes = Nodes(PAIR, folder)
    command = Command(argv=(program,))
    return HostClocks(nodes.disks, command, restart=nodes.again, pid=nodes.pid)


def test_what_cannot_be_done_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs past libc, a drift of the monotonic clock, more than the machine's own life, a
    library that is missing."""
    monkeypatch.setattr(
        "harness.clusters.hardware.clocks.past_libc",
        lambda program, _: "is written in Go" if program == "etcd" else None,
    )
    go, other = host_clocks(tmp_path / "go", "etcd"), host_clocks(tmp_path / "other", "python3")
    wall = SkewClock(offset_ms=10.0)
    assert "etcd cannot be skewed per process: it is written in Go" in str(go.refusal(wall))
    assert go.refusal(SkewClock(offset_ms=10.0, clock="monotonic")) is None
    assert "an offset_ms only" in str(other.refusal(SkewClock(drift=0.1, clock="monotonic")))
    uptime = tmp_path / "uptime"
    uptime.write_text("30.5 12.0\n")
    monkeypatch.setattr("harness.clusters.hardware.clocks.UPTIME", uptime)
    far_back = SkewClock(offset_ms=-40_000.0, clock="monotonic")
    assert "more than it shows, 30500 ms" in str(other.refusal(far_back))
    monkeypatch.setattr(faketime, "installed", lambda: None)
    assert "apt-get install faketime" in str(other.refusal(wall))


def test_nothing_is_put_on_nodes_that_need_nothing(tmp_path: Path) -> None:
    """Without a planned skew, programs start as they are, and every clock reads as right."""
    clocks = host_clocks(tmp_path, "python3")
    command = Command(argv=("python3",), env={"LD_PRELOAD": "own.so"})

    async def look() -> None:
        await clocks.open([])
        assert clocks.wraps(command, "n1") == command
        assert all(is_right(clock) for clock in (await clocks.measure()).values())
        with pytest.raises(ValueError, match="no wall clock of n1 was prepared"):
            await clocks.apply(1, SkewClock(nodes=N1, offset_ms=5.0))
        await clocks.close()

    asyncio.run(look())
