"""`antipaxos replay` of simulated runs: the same, byte for byte, or what is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checkers.verdict import Kind
from harness import cases, cli, replay
from harness.cases import Case
from harness.keeping import write
from harness.settle import settle
from harness.simulate import simulate
from harness.store.folder import RunFolder
from harness.stored import find
from tests.harness import toy_machine

Antipaxos = Callable[..., tuple[int, str, str]]
SETTINGS = {
    "cluster": "simulated",
    "nodes": 3,
    "clients": 3,
    "time_limit_s": 1.0,
    "rate": 30.0,
    "recovery_s": 0.0,
    "faults": "none",
    "workload_options": {"cas_share": 0},
    "seed": 1,
}


@pytest.fixture
def antipaxos(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Antipaxos:
    """Runs a command in an empty directory; exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["antipaxos", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        return left.value.code if isinstance(left.value.code, int) else 0, out, err

    return call


def _case(folder: Path, flaw: str = "none") -> Case:
    system = str(toy_machine.written(folder))
    return Case(trial=settle(None, {**SETTINGS, "system": system, "options": {"flaw": flaw}}))


def _kept(folder: Path, case: Case) -> RunFolder:
    """The folder of its run, without verdict and report."""
    kept = RunFolder.create(folder / "antipaxos-runs", case.trial, "20260101T000000Z")
    write(kept, simulate(case))
    return kept


def test_a_stored_run_is_the_same_byte_for_byte(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """Its files are compared, and the exit code is that of its verdict."""
    kept = _kept(tmp_path, _case(tmp_path))
    code, out, _ = antipaxos("replay", str(kept.path))
    lines = len(kept.history.read_bytes().splitlines())
    assert f"the same, byte for byte: {lines} lines of history.jsonl" in out
    assert "INVALID Key q0" in out
    assert Kind.INVALID.exit_code == code


def test_every_way_to_name_a_run_finds_it(tmp_path: Path) -> None:
    """Its folder, its case.json, its trial.yaml and its history, the folder of its trial, the store
    and a link are one run."""
    kept = _kept(tmp_path, _case(tmp_path))
    ways = (
        kept.path,
        kept.case,
        kept.trial,
        kept.history,
        kept.path.parent,
        kept.path.parent / "latest",
        tmp_path / "antipaxos-runs",
    )
    expected = find(kept.path)
    assert [expected.case] * len(ways) == [find(way).case for way in ways]
    assert [kept.path] * len(ways) == [find(way).folder.path for way in ways]


def test_a_run_without_a_case_is_repeated_by_its_trial_and_plan(tmp_path: Path) -> None:
    """As `antipaxos run --cluster simulated` leaves it: what was planned is what is done, also if
    the schedule that its trial names is gone."""
    case = _case(tmp_path)
    trial = msgspec.structs.replace(case.trial, faults=str(tmp_path / "gone.json"))
    kept = _kept(tmp_path, case)
    kept.case.unlink()
    kept.write_trial(trial, {})
    found = find(kept.path)
    assert found.case is not None
    now = replay.left_by(simulate(found.case))
    assert replay.compare(replay.stored_files(found), now).same


def test_the_first_line_that_differs_is_shown(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """Of the first file that does, as it was stored and as it is now, and the code is 255."""
    kept = _kept(tmp_path, _case(tmp_path))
    lines = kept.history.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"time":', b'"time":9')
    kept.history.write_bytes(b"".join(lines))
    code, out, _ = antipaxos("replay", str(kept.path))
    assert "not the same: history.jsonl differs from line 4" in out
    assert '"time":9' in out
    assert 255 == code


def test_versions_that_changed_are_told_with_the_difference(tmp_path: Path) -> None:
    """What is not as it was when the run was recorded, and not when and by whom it was."""
    case = _case(tmp_path)
    kept = _kept(tmp_path, case)
    _, environment = kept.read_trial()
    kept.write_trial(case.trial, {**environment, "python": "3.2.1", "started": "?", "command": "?"})
    (told,) = replay.changes_since(find(kept.path))
    assert told.startswith("python: 3.2.1 then, ")


def test_files_that_changed_are_told_with_the_difference(tmp_path: Path) -> None:
    """Modules of the program that were written since the run began."""
    case = _case(tmp_path)
    kept = _kept(tmp_path, case)
    _, environment = kept.read_trial()
    kept.write_trial(case.trial, {**environment, "started": "1990-01-01T00:00:00+00:00"})
    (told,) = replay.changes_since(find(kept.path))
    assert told.startswith("changed since the run began: ")


def test_a_run_that_was_cut_off_is_told_so(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """By a signal or by its live check: a replay goes on to the end, and must differ."""
    kept = _kept(tmp_path, _case(tmp_path))
    kept.history.write_bytes(kept.history.read_bytes().splitlines(keepends=True)[0])
    kept.write_notices(["Interrupted by SIGINT: what was recorded until then is judged."])
    code, out, _ = antipaxos("replay", str(kept.path))
    assert "(has ended)" in out
    assert "the stored run was cut off: Interrupted by SIGINT" in out
    assert 255 == code


def test_what_has_ended_sooner_differs_where_it_ends() -> None:
    """A run that was cut off is not the same as the whole one; both ways round."""
    shorter, longer = {"history.jsonl": b"a\n"}, {"history.jsonl": b"a\nb\n"}
    found = replay.compare(shorter, longer).difference
    assert replay.Difference("history.jsonl", 2, None, "b") == found
    found = replay.compare(longer, shorter).difference
    assert replay.Difference("history.jsonl", 2, "b", None) == found


def test_a_missing_end_of_line_differs_too() -> None:
    """Byte for byte means every byte."""
    assert replay.compare({"trace.jsonl": b"a"}, {"trace.jsonl": b"a\n"}).same is False


def test_nothing_stored_is_never_called_the_same(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """A case.json on its own is carried out, and there is nothing to compare it with."""
    cases.write(tmp_path / "one.json", _case(tmp_path))
    code, out, _ = antipaxos("replay", "one.json")
    assert "no history and no trace to compare with" in out
    assert 1 == code
    assert replay.compare({}, {"history.jsonl": b""}).same is None


@pytest.mark.parametrize("flaw", ["none", "set"])
def test_fresh_processes_show_what_is_not_deterministic(
    flaw: str, tmp_path: Path, antipaxos: Antipaxos
) -> None:
    """A machine that walks through a set of strings differs in two processes with two hash seeds;
    one that does not is the same."""
    cases.write(tmp_path / "one.json", _case(tmp_path, flaw))
    code, out, _ = antipaxos("replay", "one.json", "--check-determinism")
    assert (flaw == "none") == ("the same in two fresh processes" in out)
    assert (flaw != "none") == ("the system is not deterministic" in out)
    assert (1 if flaw == "none" else 255) == code


def test_a_clock_out_of_the_fence_s_sight_makes_the_replay_differ(
    tmp_path: Path, antipaxos: Antipaxos
) -> None:
    """The trace is not the stored one, nothing has changed since, and that is what is said."""
    kept = _kept(tmp_path, _case(tmp_path, "hidden-clock"))
    code, out, _ = antipaxos("replay", str(kept.path))
    assert "not the same: trace.jsonl differs from line" in out
    assert 255 == code


def test_a_machine_that_reads_the_clock_dies_and_is_told(
    tmp_path: Path, antipaxos: Antipaxos
) -> None:
    """The fence raises in it; the run goes on without that node, and the replay says so."""
    cases.write(tmp_path / "one.json", _case(tmp_path, "clock"))
    _, out, _ = antipaxos("replay", "one.json")
    assert "ended by itself: its machine raised" in out
    assert "FenceError: a machine called time.monotonic()" in out


def test_the_story_is_told_about_the_violation(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """--trace tells less than --all, both in the order of time; --node and --key tell their own."""
    kept = str(_kept(tmp_path, _case(tmp_path)).path)
    _, about, _ = antipaxos("replay", kept, "--trace")
    _, everything, _ = antipaxos("replay", kept, "--all")
    told = _told(everything)
    assert told
    assert set(_told(about)) <= set(told)
    assert sorted(told, key=lambda line: float(line.split()[0])) == told
    _, of_node, _ = antipaxos("replay", kept, "--node", "n2")
    assert _told(of_node)
    assert all("n2" in line for line in _told(of_node))
    _, of_key, _ = antipaxos("replay", kept, "--key", "q0")
    assert all("q0" in line for line in _told(of_key))


def _told(out: str) -> list[str]:
    return [line for line in out.splitlines() if " s  " in line and line.startswith("    ")]


def test_json_says_the_same(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """For programs: the verdict, the comparison and the story."""
    kept = _kept(tmp_path, _case(tmp_path))
    code, out, _ = antipaxos("replay", str(kept.path), "--json", "--trace")
    told: dict[str, Any] = json.loads(out)
    assert told["same"] is True
    assert told["difference"] is None
    assert "invalid" == told["verdict"]["kind"]
    assert told["story"]
    assert 1 == code


def test_every_bad_path_is_a_sentence(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """Never a traceback, and code 254."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.json").write_text("{}")
    (tmp_path / "dangling").mkdir()
    (tmp_path / "dangling" / "latest").symlink_to("gone")
    (tmp_path / "seedless").mkdir()
    (tmp_path / "seedless" / "trial.yaml").write_text("nodes: 3\n")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "trial.yaml").write_text("- 1\n")
    expected = {
        "nowhere": "there is no nowhere",
        "empty": "has neither case.json nor trial.yaml",
        "bad.json": "is not a case",
        "dangling": "points to a run that is gone",
        "seedless": "has no seed",
        "torn": "is not the trial of a run",
    }
    for path, sentence in expected.items():
        for command in ("replay", "shrink"):
            code, out, err = antipaxos(command, path)
            assert (254, "") == (code, out), (command, path)
            assert sentence in err, (command, path)
            assert "Traceback" not in err


def test_a_run_whose_system_is_gone_is_told(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """The file of the system is named, and where the run is."""
    kept = _kept(tmp_path, _case(tmp_path))
    (tmp_path / "toy.yaml").unlink()
    code, _, err = antipaxos("replay", str(kept.path))
    assert 254 == code
    assert "cannot be carried out again" in err
    assert "toy.yaml" in err


def test_flags_that_do_not_fit_are_refused(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """A simulated run is the same each time, and has the nodes that it has."""
    kept = str(_kept(tmp_path, _case(tmp_path)).path)
    for words in (("--times", "3"), ("--budget", "5"), ("--node", "n9")):
        code, _, err = antipaxos("replay", kept, *words)
        assert 254 == code
        assert words[0] in err


def test_a_run_on_real_machines_has_no_story(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """What needs the simulated world is refused for others, and what was not recorded is told."""
    folder = RunFolder(tmp_path)
    folder.write_trial(settle(None, {"seed": 1}), {})
    for flag in ("--trace", "--all", "--check-determinism", "--key=r1"):
        code, _, err = antipaxos("replay", str(tmp_path), flag)
        assert 254 == code
        assert "a run on real machines" in err
    code, _, err = antipaxos("replay", str(tmp_path))
    assert 254 == code
    assert "has no schedule.json" in err
    code, _, err = antipaxos("shrink", str(tmp_path), "--time-limit", "5")
    assert 254 == code
    assert "give --budget" in err


def test_shrink_leaves_a_run_that_is_repeated_the_same(
    tmp_path: Path, antipaxos: Antipaxos
) -> None:
    """The command writes a folder like any other, and says how to see it again."""
    kept = _kept(tmp_path, _case(tmp_path))
    code, out, err = antipaxos("shrink", str(kept.path), "--json")
    told = json.loads(out)
    assert 1 == code, err
    assert told["ended"]
    assert told["choices"][1] <= told["choices"][0] / 5
    code, out, _ = antipaxos("replay", told["folder"], "--trace")
    assert "the same, byte for byte" in out
    assert 1 == code
    code, out, _ = antipaxos("shrink", told["folder"])
    assert "again       antipaxos replay" in out


def test_shrink_refuses_what_does_not_fail(tmp_path: Path, antipaxos: Antipaxos) -> None:
    """A run without a violation, and a law that is not broken, are bad input."""
    kept = str(_kept(tmp_path, _case(tmp_path)).path)
    code, _, err = antipaxos("shrink", kept, "--law", "p2c")
    assert 254 == code
    assert "the run does not break 'p2c'. Valid are: linearizable" in err
    sound = Case(trial=settle(None, {**SETTINGS, "workload_options": {}}))
    code, _, err = antipaxos("shrink", str(_kept(tmp_path, sound).path))
    assert 254 == code
    assert "breaks no law" in err
