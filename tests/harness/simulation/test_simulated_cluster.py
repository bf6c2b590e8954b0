"""The simulated cluster keeps the contract of all clusters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from harness.contracts import Address
from harness.simulation.choices import Choices
from harness.simulation.cluster import SimulatedCluster
from harness.simulation.fence import Fence
from harness.simulation.loop import VirtualLoop
from harness.simulation.settings import settings
from harness.systems import system
from harness.systems.jsonlines import ask_once
from tests.harness.conformance import CLAUSES, Stage, play


class SimulatedStage:
    """Three nodes of the reference in a world of their own."""

    def __init__(self, loop: VirtualLoop, fence: Fence) -> None:
        self.cluster = SimulatedCluster(
            system("paxos"),
            ("n1", "n2", "n3"),
            loop=loop,
            workload="consensus",
            options={},
            choices=Choices(1),
            settings=settings({}),
            fence=fence,
        )

    async def ask(self, address: Address) -> bool:
        return await ask_once(address, "status", 0.5) is not None


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_conformance(clause: Callable[[Stage], Awaitable[None]]) -> None:
    """Every clause of the kit, in virtual time."""
    loop = VirtualLoop()
    with Fence() as fence:

        async def main() -> None:
            await play(SimulatedStage(loop, fence), clause)

        loop.run_until_complete(main())
    loop.close()
