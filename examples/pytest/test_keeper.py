"""Run me: pytest examples/pytest."""

import pytest

from checkers.verdict import Kind


@pytest.mark.parametrize("faults", ["crashes", "partitions", "pauses"])
def test_it_holds(antipaxos, faults: str) -> None:
    assert antipaxos("keeper.py:build", faults=faults)


@pytest.mark.antipaxos("keeper.py:build_early", faults="disks")
class TestAnsweringEarly:
    def test_is_found_out(self, antipaxos) -> None:
        assert not antipaxos(runs=20)

    def test_by_a_write_that_is_lost(self, antipaxos) -> None:
        verdict = antipaxos(runs=20)

        assert verdict.kind is Kind.INVALID
        assert "cannot be placed" in verdict.summary
