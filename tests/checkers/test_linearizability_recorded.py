"""The checker on recorded histories of real systems, whose verdicts are known."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from checkers.formats import read_history
from checkers.history import Error, History, Operation
from checkers.linearizability import check_linearizability
from checkers.linearizability.certificate import fault_of_witness
from checkers.models import model
from checkers.verdict import Kind

RECORDED = Path(__file__).parents[2].parent / "shared" / "histories"


def expected() -> list[tuple[str, str, bool]]:
    """File, model, and whether it is linearizable; empty where the recordings are absent."""
    table = RECORDED / "expected.tsv"
    if not table.is_file():
        return []
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    return [(file, name, verdict == "true") for file, name, verdict in rows]


CASES = expected()
pytestmark = pytest.mark.skipif(not CASES, reason=f"no recorded histories in {RECORDED}")


def with_evidence(history: History) -> History:
    """Every failed cas taken for a compare that did not match."""
    return History(
        msgspec.structs.replace(o, error=Error("compare-failed"))
        if o.type == "fail" and o.f == "cas"
        else o
        for o in history
    )


@pytest.mark.parametrize(("file", "name", "linearizable"), CASES, ids=[c[0] for c in CASES])
def test_recorded(file: str, name: str, linearizable: bool) -> None:
    """The known verdict, with its certificate; and for etcd the same whether or not a failed cas is
    evidence, so the recordings do not tell which of the two is meant."""
    history = read_history(RECORDED / file).history
    m = model(name)
    evidence = with_evidence(history)
    for given in [history] if evidence == history else [history, evidence]:
        verdict = check_linearizability(given, m, witness=True)

        assert (Kind.VALID if linearizable else Kind.INVALID) is verdict.kind, verdict.summary
        for calls, witness in zip(
            given.by_key().values(), verdict.evidence.get("witness", ()), strict=linearizable
        ):
            assert fault_of_witness(m, calls, witness["order"]) is None


def test_the_operations_are_those_that_the_models_read() -> None:
    """Nothing of a recording is passed over silently: each has calls, and a key where it should."""
    for file, name, _ in CASES:
        history = read_history(RECORDED / file).history
        read = [c for c in history.calls() if model(name).read(c) is not None]

        assert read, file
        assert (name == "kv") is isinstance(history.calls()[0].key, str)
        assert all(isinstance(o, Operation) for o in history)
