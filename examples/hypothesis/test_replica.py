"""Run me: pytest examples/hypothesis. The first test fails, and shows the smallest failing run."""

from pathlib import Path

from hypothesis import Phase, given, settings

from checkers.verdict import Kind
from harness.simulate import simulate
from harness.strategies import Case, trials

# All but the phase that explains: it traces every line, and a simulator has many.
PHASES = (Phase.reuse, Phase.generate, Phase.shrink)
SYSTEM = str(Path(__file__).with_name("system.yaml"))


@settings(max_examples=300, deadline=None, phases=PHASES)
@given(trials(system=SYSTEM, options={"reads": "local"}))
def test_with_local_reads(case: Case) -> None:
    verdict = simulate(case).verdict()

    assert verdict.kind is not Kind.INVALID, verdict.summary


@settings(max_examples=50, deadline=None, phases=PHASES)
@given(trials(system=SYSTEM, options={"reads": "primary"}))
def test_with_reads_of_the_primary(case: Case) -> None:
    verdict = simulate(case).verdict()

    assert verdict.kind is not Kind.INVALID, verdict.summary
