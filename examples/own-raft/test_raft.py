"""Run me: pytest examples/own-raft. The first test fails, and says why; the others pass."""

import pytest

RAFT = "raft.py:build"  # the function in the file beside this one
RIGHT = {"reads": "log"}


@pytest.mark.antipaxos(workload="register", nodes=3, runs=20)
def test_as_it_is(antipaxos) -> None:
    assert antipaxos(RAFT, faults="partitions")


@pytest.mark.antipaxos(workload="register", nodes=3, options=RIGHT, runs=3)
@pytest.mark.parametrize("faults", ["none", "partitions", "crashes", "pauses", "links", "chaos"])
def test_with_reads_through_the_log(antipaxos, faults: str) -> None:
    assert antipaxos(RAFT, faults=faults)


@pytest.mark.antipaxos(workload="register", nodes=5, options=RIGHT)
def test_five_nodes(antipaxos) -> None:
    assert antipaxos(RAFT, faults="partitions+crashes", time_limit_s=20)
