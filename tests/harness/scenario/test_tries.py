"""A scenario is played until it hits, and what came of each try is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from checkers.verdict import Kind
from harness import cases
from harness.cases import Case
from harness.contracts import EnvironmentTrouble
from harness.fingerprint import fingerprint
from harness.recheck import check
from harness.replay import compare, left_by, stored_files
from harness.scenario import (
    Break,
    Do,
    Expect,
    Heal,
    Hit,
    Leader,
    Passed,
    Repeat,
    Scenario,
    Wait,
    encode,
    read,
)
from harness.settle import scenario_of, settle
from harness.simulate import simulate
from harness.store.folder import RunFolder
from harness.stored import find
from harness.trial import TrialError
from harness.tries import Tried, play
from nemesis.faults import Betray, Kill, Partition

SIMULATED = {"cluster": "simulated", "seed": 1}
MUTANT = {"options": {"mutant": "local-reads"}}

STALE_READ = Scenario(
    name="stale-read",
    trial={"workload": "register", "nodes": 3, **MUTANT},
    load=False,
    steps=(
        Wait(condition=Leader(into="old")),
        Do(f="write", at="old", key="x", value=1, expect=Expect()),
        Break(fault=Partition(topology="isolate", target="old")),
        Wait(condition=Leader(becomes="changed", than="old", into="new")),
        Do(f="write", at="new", key="x", value=2, expect=Expect()),
        Do(f="read", at="old", key="x", into="stale"),
    ),
    repeat=Repeat(tries=5),
)
SOUND = msgspec.structs.replace(STALE_READ, trial={"workload": "register", "nodes": 3})
NEVER = Scenario(
    name="never",
    trial={"nodes": 3},
    load=False,
    steps=(Wait(condition=Passed(operations=1), within_s=0.5),),
)


def changed(scenario: Scenario, **fields: Any) -> Scenario:
    return msgspec.structs.replace(scenario, **fields)


def counts(came: Tried) -> tuple[int, int, int]:
    return len(came.ended("hit")), len(came.ended("miss")), len(came.ended("not reached"))


def test_it_ends_at_the_first_hit_and_keeps_it(tmp_path: Path) -> None:
    """A violation of a broken system is a hit; its folder holds the scenario and what was seen."""
    came = play(STALE_READ, tmp_path, flags=SIMULATED)

    assert (1, (1, 0, 0)) == (came.exit_code, counts(came))
    assert came.folder is not None
    assert {"scenario.yaml", "played.json", "report.html"} <= {
        f.name for f in came.folder.iterdir()
    }
    assert "linearizable" in came.tries[0].laws


def test_all_tries_are_played_where_that_is_asked_for(tmp_path: Path) -> None:
    """Each by a seed of its own."""
    told: list[int] = []

    came = play(
        STALE_READ, tmp_path, flags=SIMULATED, until_hit=False, told=lambda t: told.append(t.number)
    )

    assert (5, 0, 0) == counts(came)
    assert [1, 2, 3, 4, 5] == told == [t.seed for t in came.tries]


def test_a_sound_system_is_missed(tmp_path: Path) -> None:
    """All tries are reached and VALID: exit code 0."""
    came = play(SOUND, tmp_path, flags=SIMULATED)

    assert (0, (0, 5, 0)) == (came.exit_code, counts(came))
    assert {Kind.VALID} == {t.kind for t in came.tries}


def test_what_is_not_reached_is_counted_apart(tmp_path: Path) -> None:
    """Neither hit nor miss: exit code 2, with what was seen, in the notices of the run as well."""
    came = play(NEVER, tmp_path, flags=SIMULATED, tries=2)

    assert (2, (0, 0, 2)) == (came.exit_code, counts(came))
    assert "not within 0.5 s; 0 of 1 operations" in came.tries[0].played.why
    assert came.folder is not None
    assert ["The scenario was not reached: " + came.tries[0].played.why] == RunFolder(
        came.folder
    ).read_notices()
    (script,) = (p for p in check(came.folder).verdict.parts if p.checker == "scenario")
    assert (Kind.UNKNOWN, "coverage") == (script.kind, script.cause), "it would be VALID without"
    assert came.tries[0].played.why in script.summary


def test_the_budget_ends_it(tmp_path: Path) -> None:
    """No try begins when the time is over."""
    assert (0, 1, 0) == counts(play(SOUND, tmp_path, flags=SIMULATED, budget_s=0))


def test_a_hit_may_be_an_answer(tmp_path: Path) -> None:
    """The value that an operation of the script ended in, whatever the verdict."""
    stale, fresh = (changed(STALE_READ, hit=Hit(results={"stale": v})) for v in (1, 2))

    assert (1, 0, 0) == counts(play(stale, tmp_path, flags=SIMULATED, tries=1))
    missed = play(fresh, tmp_path, flags=SIMULATED, tries=1)
    assert (0, 1, 0) == counts(missed)
    assert 1 == missed.exit_code  # for it is INVALID all the same


def test_a_hit_may_be_of_one_law(tmp_path: Path) -> None:
    """Another violation is none, and is not hidden."""
    asked = changed(STALE_READ, hit=Hit(law="promise-kept"))

    came = play(asked, tmp_path, flags=SIMULATED, tries=1)

    assert (1, (0, 1, 0)) == (came.exit_code, counts(came))


def test_the_same_seed_plays_the_same(tmp_path: Path) -> None:
    """In memory, from a case that was written and read, and with a load beside the script."""
    file = tmp_path / "s.yaml"
    file.write_bytes(encode(changed(STALE_READ, load=True)))
    trial = settle(None, {"scenario": str(file), **SIMULATED, "rate": 100.0})
    case = Case(trial=trial, scenario=scenario_of(trial))
    (tmp_path / "case.json").write_bytes(cases.encode(case))

    one, other = simulate(case), simulate(cases.read(tmp_path / "case.json"))

    assert one.digest() == other.digest()
    assert one.played == other.played
    assert 30 < sum(o.type == "ok" for o in one.history)


def test_a_stored_try_is_carried_out_again_byte_for_byte(tmp_path: Path) -> None:
    """By its folder alone."""
    came = play(STALE_READ, tmp_path, flags=SIMULATED)
    assert came.folder is not None
    stored = find(came.folder)
    assert stored.case is not None

    again = simulate(stored.case)

    assert compare(stored_files(stored), left_by(again)).same
    assert read(came.folder / "scenario.yaml").steps == STALE_READ.steps


def test_a_hit_that_is_written_down_still_fails(tmp_path: Path) -> None:
    """As operations and faults at their times it can be made small."""
    file = tmp_path / "s.yaml"
    file.write_bytes(encode(STALE_READ))
    trial = settle(None, {"scenario": str(file), **SIMULATED})
    simulated = simulate(Case(trial=trial, scenario=scenario_of(trial)))

    explicit = simulate(simulated.explicit)

    found = fingerprint(simulated.verdict())
    assert found is not None
    assert found == fingerprint(explicit.verdict())


def test_it_hits_on_real_processes(tmp_path: Path) -> None:
    """The same scenario, on the local cluster, in one try."""
    came = play(STALE_READ, tmp_path, flags={"seed": 1}, tries=3)

    assert (1, 1) == (came.exit_code, counts(came)[0])
    assert came.tries[-1].played.results["stale"].value == 1
    assert came.folder is not None
    ledger = (came.folder / "ledger.jsonl").read_text()
    assert '"fault":{"fault":"partition"' in ledger.replace(" ", "")


def test_load_and_script_go_side_by_side(tmp_path: Path) -> None:
    """Clients go on while the script breaks and asks, and the script's end ends them."""
    scenario = Scenario(
        name="beside",
        trial={"nodes": 3, "clients": 4, "rate": 200.0},
        steps=(
            Wait(condition=Passed(operations=50)),
            Break(fault=Kill(target="leader")),
            Do(f="write", at="others", key="x", value=1, expect=Expect(), again_s=5.0),
            Heal(),
            Wait(condition=Passed(operations=50)),
        ),
    )

    came = play(scenario, tmp_path, flags=SIMULATED, tries=1)

    assert came.tries[0].played.reached, came.tries[0].played.why
    history = simulate(find(came.folder).case).history  # type: ignore[arg-type]
    load, script = set(range(4)), {4, 5, 6}
    writes = [(int(o.process) % 7, o.key) for o in history if o.by_client and o.f == "write"]
    assert load == {worker for worker, key in writes if key != "x"}
    assert script >= {worker for worker, key in writes if key == "x"} > set()


def test_a_fault_that_the_cluster_lacks_is_refused_before_the_run(tmp_path: Path) -> None:
    """As for every schedule."""
    scenario = changed(NEVER, steps=(Break(fault=Betray(target="leader")),))

    with pytest.raises(EnvironmentTrouble, match="'betray' needs nodes that can be made to lie"):
        play(scenario, tmp_path, flags=SIMULATED)


def test_mistakes_in_a_scenario_from_python_are_told(tmp_path: Path) -> None:
    """As for one that was read, with the file that it was written to."""
    with pytest.raises(TrialError, match=r"scenarios/never.yaml:\d+: .*nobody is called 'nobody'"):
        play(changed(NEVER, steps=(Do(f="read", at="nobody"),)), tmp_path)
    with pytest.raises(TrialError, match="Give one without '/'"):
        play(changed(NEVER, name="../x"), tmp_path)
