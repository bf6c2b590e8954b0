"""The swarm: what a run is follows from its seed, and what the user set is not drawn."""

from __future__ import annotations

from harness import swarm
from harness.cases import Case
from harness.fingerprint import Fingerprint
from harness.simulation.settings import mistakes_of
from harness.swarm import PACKAGES, STORM, Found, Passed, draw
from nemesis import packages


def _drawn(count: int) -> list[Case]:
    base, fixed = swarm.base_of(None, {})
    return [draw(base, fixed, seed) for seed in range(count)]


def test_a_seed_is_a_case() -> None:
    """The same seed gives the same case; others give others."""
    assert _drawn(30) == _drawn(30)
    assert len({str(case) for case in _drawn(30)}) == 30


def test_what_the_user_set_is_not_drawn() -> None:
    """A setting that is given stays, whatever the seed; options that are given stay among drawn
    ones."""
    given = {"nodes": 7, "rate": 11.0, "faults": "crashes", "cluster_options": {"order": "fifo"}}
    base, fixed = swarm.base_of(None, given)
    for seed in range(20):
        trial = draw(base, fixed, seed).trial
        assert (7, 11.0, "crashes") == (trial.nodes, trial.rate, trial.faults)
        assert "fifo" == trial.cluster_options["order"]


def test_every_feature_is_left_out_now_and_then_and_drawn_now_and_then() -> None:
    """Leaving out is the point of a swarm: no package is in every run, and none in no run."""
    drawn = [set(case.trial.faults.split("+")) for case in _drawn(300)]
    for name in (*PACKAGES, STORM):
        assert 0 < sum(name in names for names in drawn) < len(drawn), name


def test_what_is_drawn_can_be_run() -> None:
    """Packages exist, a correct system stands them, and the world knows its options."""
    for case in _drawn(100):
        assert [] == packages.mistakes(case.trial.faults)
        assert [] == mistakes_of(case.trial.cluster_options)
        assert "byzantine" not in case.trial.faults
        assert "corruption" not in case.trial.faults


def test_a_correct_system_passes_and_a_broken_one_is_found() -> None:
    """Results say so, and a finding carries the case that repeats it."""
    base, fixed = swarm.base_of(None, {"workload": "consensus"})
    assert isinstance(swarm.run(draw(base, fixed, 1)), Passed)
    broken, fixed = swarm.base_of(None, {"options": {"mutant": "shared-ballots"}})
    results = [swarm.run(draw(broken, fixed, seed)) for seed in range(5)]
    found = next(r for r in results if isinstance(r, Found))
    assert isinstance(found.fingerprint, Fingerprint)
    assert found.fingerprint == getattr(swarm.run(found.case), "fingerprint", None)
