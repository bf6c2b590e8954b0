"""The switch as a process: it ends with the harness, its end is told, orders are checked."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from harness.clusters.namespaces import hosts
from harness.contracts import EnvironmentTrouble
from nemesis.faults import CLIENT, Corrupt, Hold, Lose, Throttle
from tests.harness.namespaces.inside import ROOT, run_inside
from tests.harness.namespaces.switch_bench import AB, HOSTS, LIMIT_S, Post, numbered, reading, wired

HARNESS = """
import asyncio
from tests.harness.namespaces.switch_bench import wired

async def main():
    async with wired():
        print("wired", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


def switches() -> list[psutil.Process]:
    """All of this world: processes of other worlds cannot be seen from it."""
    return [
        process
        for process in psutil.process_iter()
        if any(word.endswith("switch_process") for word in process.cmdline())
    ]


def end_of_the_harness() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS], stdout=subprocess.PIPE, env=environment
    ) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == b"wired\n"
        (switch,) = switches()
        harness.kill()
    assert os.getpid() == 1, "an orphan comes to us"
    assert switch.pid in psutil.pids()
    signal.alarm(int(LIMIT_S))
    ended, status = os.waitpid(switch.pid, 0)
    signal.alarm(0)
    assert (switch.pid, 0) == (ended, status)


def test_the_switch_ends_with_the_harness() -> None:
    """SIGKILL of the harness closes the switch's input, and so ends it."""
    run_inside(end_of_the_harness)


def end_of_the_switch() -> None:
    async def scene() -> None:
        async with wired() as network:
            (switch,) = switches()
            switch.kill()
            for _ in range(2):
                with pytest.raises(EnvironmentTrouble, match="ended with status -9"):
                    await network.counters()

    asyncio.run(scene())


def test_the_end_of_the_switch_is_told() -> None:
    """An order to a switch that was killed says so, at once and ever after."""
    run_inside(end_of_the_switch)


def orders_that_are_refused() -> None:
    async def scene() -> None:
        async with wired() as network:
            with pytest.raises(ValueError, match=r"no link a>nobody.*nearest"):
                await network.apply(1, Hold(links=(AB, ("a", "nobody"))))
            with pytest.raises(ValueError, match=r"probability 1\.5"):
                await network.apply(1, Lose(links=(AB,), probability=1.5))
            await network.apply(1, Throttle(links=(AB,)))
            with pytest.raises(ValueError, match="in force already"):
                await network.apply(1, Hold(links=(AB,)))
            await network.undo(1)
            with Post("a") as a, Post("b") as b:
                a.send("b", *numbered(3))
                assert numbered(3) == await b.until(3)
            assert (3, 0) == ((await reading(network)).forwarded, (await reading(network)).delayed)
            assert network.refusal(Hold(links=(AB,))) is None
            assert "probability" in (network.refusal(Corrupt(probability=-1)) or "")

    asyncio.run(scene())


def test_a_refused_order_touches_nothing() -> None:
    """A fault with an unknown link, a wrong number or a taken id is refused whole, by its name."""
    run_inside(orders_that_are_refused)


def one_wiring_after_another(tun: bool) -> None:
    async def scene() -> None:
        for _ in range(2):
            async with wired(tun=tun):
                await echo_from_a()
            await hosts.unwire()
            await hosts.wire(HOSTS)
            await echo_from_a()
            await hosts.unwire()
        assert [(1, "lo")] == socket.if_nameindex()

    async def echo_from_a() -> None:
        with Post("a") as a, Post(CLIENT) as client:
            client.send("a", b"there")
            assert [b"there"] == await a.until(1)
            a.send(CLIENT, b"and back")
            assert [b"and back"] == await client.until(1)

    asyncio.run(scene())


@pytest.mark.parametrize("tun", [True, False])
def test_a_world_can_be_wired_anew(tun: bool) -> None:
    """By a switch, a bridge, and a switch again: what the one leaves is taken down for the next."""
    run_inside(one_wiring_after_another, tun)


def trouble_at_the_start() -> None:
    async def scene() -> None:
        Path("/run/netns/b").touch()
        with pytest.raises(EnvironmentTrouble, match="b"):
            async with wired():
                pass
        assert [] == switches()

    asyncio.run(scene())


def test_what_cannot_be_wired_leaves_no_process() -> None:
    """Where a host cannot be made it is said, and the switch is gone."""
    run_inside(trouble_at_the_start)
