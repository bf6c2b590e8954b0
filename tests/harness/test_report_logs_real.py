"""Log lines of real nodes stand where what they tell of happened, though clocks were skewed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import pytest

from checkers.faults import FaultInterval, fault_intervals
from checkers.formats import read_history
from checkers.trace import read_trace
from harness import beside
from harness.clusters.hardware import faketime
from harness.clusters.namespaces import world
from harness.report.logs import LogLine
from harness.store.folder import RunFolder
from harness.systems.etcd import binaries
from tests.command import Command, schedule

NS_PER_S = 1_000_000_000
OFFSET_MS = 7000.0
KILL = (0.6, 1.2, {"fault": "kill", "target": "one"})
SKEW = (0.2, 1.9, {"fault": "skew-clock", "target": "all", "offset_ms": OFFSET_MS})
STARTING_S = 3.0  # a node may take so long between its start and its first word, where all is slow


class Told:
    """What a run that has ended has to say of its nodes."""

    def __init__(self, command: Command) -> None:
        assert command.end() in (0, 2), command.err
        self.folder = RunFolder(command.folder)
        history = read_history(self.folder.history).history
        self.faults = fault_intervals(history)
        self.clocks = beside.clocks_of(history)
        self.notices: list[str] = []
        self.lines = self.of_logs()

    def of_logs(self, *, corrected: bool = True) -> Sequence[LogLine]:
        clocks = self.clocks if corrected else ()
        return beside.logs_of(self.folder.path, self.notices, clocks=clocks)

    def killed(self) -> tuple[str, FaultInterval]:
        """Which node was, and when."""
        kill = next(fault for fault in self.faults if fault.kind == "kill")
        assert kill.applied is not None
        return kill.applied["nodes"][0], kill

    def second_life(self, said: str, lines: Sequence[LogLine]) -> int:
        """When the node that was killed logs that it starts, for the second time."""
        node, _ = self.killed()
        starts = [line.time_ns for line in lines if line.node == node and said in line.text]
        assert 2 == len(starts), lines
        return starts[1]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Command]]:
    """Both at once: they wait most of their time."""
    plain = ["--time-limit", "2", "--rate", "40", "--seed", "3"]
    with contextlib.ExitStack() as stack:

        def started(
            name: str, faults: Sequence[tuple[float, float, object]], cluster: str, nodes: str
        ) -> None:
            home = tmp_path_factory.mktemp(name)
            file = schedule(home, 2, *faults)  # type: ignore[arg-type]
            words = ["--system", name, "--cluster", cluster, "--faults", file]
            found[name] = stack.enter_context(
                Command(home, "run", *words, "--nodes", nodes, *plain)
            )

        found: dict[str, Command] = {}
        if _why_no_skew() is None:
            started("paxos", [SKEW, KILL], "namespaces", "3")
        if _why_no_etcd() is None:
            started("etcd", [KILL], "local", "1")
        yield found


def _why_no_skew() -> str | None:
    if faketime.installed() is None:
        return "no libfaketime on this machine: apt install faketime"
    return world.obstacle()


def _why_no_etcd() -> str | None:
    return binaries.lack(binaries.default_version())


def test_a_skewed_node_of_the_reference_starts_when_it_did(runs: dict[str, Command]) -> None:
    """The trace has its restart by another clock, which was right. The log's stamps have no day and
    whole seconds only: the line is up to one second early."""
    if "paxos" not in runs:
        pytest.skip(str(_why_no_skew()))
    told = Told(runs["paxos"])
    node, _ = told.killed()
    trace = read_trace(told.folder.trace, [])
    restart = [event for event in trace if event.event == "restart" and event.node == node][1]
    line_ns = told.second_life("starts, process", told.lines)
    assert -1.5 * NS_PER_S < line_ns - restart.time < 0.5 * NS_PER_S
    off_ns = told.second_life("starts, process", told.of_logs(corrected=False)) - line_ns
    assert OFFSET_MS / 1e3 == off_ns / NS_PER_S
    assert any("put back by its offset" in notice for notice in told.notices)
    assert {("n1", OFFSET_MS), ("n2", OFFSET_MS), ("n3", OFFSET_MS)} == {
        (span.node, span.offset_ms) for span in told.clocks
    }
    for span in told.clocks:
        assert span.observed_ms is not None
        assert abs(span.observed_ms - OFFSET_MS) < 100


def test_an_etcd_starts_when_it_was_restarted(runs: dict[str, Command]) -> None:
    """On the run's own host nothing needs to be put right."""
    if "etcd" not in runs:
        pytest.skip(str(_why_no_etcd()))
    told = Told(runs["etcd"])
    _, kill = told.killed()
    assert kill.effect_ns is not None
    assert kill.end_ns is not None
    line_ns = told.second_life("starting an etcd server", told.lines)
    assert kill.effect_ns < line_ns < kill.end_ns + STARTING_S * NS_PER_S
    assert [] == [*told.clocks, *told.notices]
