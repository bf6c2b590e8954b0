"""`antipaxos nightly`, as people and systemd call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from harness.commands.nightly import command, exit_code
from harness.nightly.archive import Archive
from harness.nightly.night import Over
from harness.nightly.records import Group, Night
from tests.harness.nightly import evil
from tests.harness.real import needs

LIMIT_S = 60
SHORT = "settings: {time_limit_s: 1, rate: 30, recovery_s: 0.1, clients: 3}\n"
PLAN = f"systems: evil.yaml\nfaults: none\nnodes: 3\nstore: runs\nshrink_s: 0\n{SHORT}"


def plan(folder: Path, more: str = "") -> Path:
    evil.written(folder)
    file = folder / "night.yaml"
    file.write_text(PLAN + more)
    return file


def started(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "nightly", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def over(ends: dict[str, int], troubles: Sequence[str] = (), new: Sequence[str] = ()) -> Over:
    night = Night(
        name="20261123T220000Z",
        spec="night.yaml",
        started="",
        ended="",
        stopped="",
        ends=ends,
        cells=[],
        new=list(new),
    )
    return Over(night, [], (), troubles)


@pytest.mark.parametrize(
    ("came", "fail_on", "code"),
    [
        (over({"valid": 9, "idle": 2, "unknown": 1}), "any", 0),
        (over({"valid": 9, "invalid": 1}), "any", 1),
        (over({"valid": 9, "invalid": 1}), "new", 0),
        (over({"valid": 9, "invalid": 1}, new=["a-1"]), "new", 1),
        (over({"valid": 9, "invalid": 1}, ["the disk is full"]), "any", 1),
        (over({"valid": 9}, ["the disk is full"]), "any", 255),
        (over({"valid": 9, "hung": 1}), "any", 255),
        (over({"invalid": 9, "idle": 1}), "new", 2),
        (over({"idle": 9, "unknown": 3}), "any", 2),
        (over({}), "any", 2),
    ],
)
def test_exit_codes(came: Over, fail_on: str, code: int) -> None:
    """A failure stands whatever else went wrong; then trouble; then that nothing was learnt."""
    assert code == exit_code(came, fail_on)


def test_a_failure_that_is_back_rings_as_a_new_one() -> None:
    """It was mended, and is broken again: once, in the night that finds it."""
    group = Group(
        fingerprint="a-1",
        system="paxos",
        law="a",
        shape="s",
        sentence="s",
        nights={"20261120T220000Z": 1, "20261123T220000Z": 1},
        gone="20261121T220000Z",
    )
    back = over({"valid": 9, "invalid": 1})
    assert 1 == exit_code(msgspec.structs.replace(back, groups=[group]), "new")
    never_gone = msgspec.structs.replace(group, gone="")
    assert 0 == exit_code(msgspec.structs.replace(back, groups=[never_gone]), "new")


def test_sigterm_ends_a_night_in_order(tmp_path: Path) -> None:
    """As systemd ends one: the night is written whole, its summary told, no process is left."""
    night = started([str(plan(tmp_path, "workers: 1\n"))])
    runs = tmp_path / "runs" / "nights"
    while not any(file.stat().st_size for file in runs.glob("*/runs.jsonl")):
        assert night.poll() is None
    night.send_signal(signal.SIGTERM)
    out, told = night.communicate(timeout=LIMIT_S)
    assert night.returncode == 1, told
    assert "it was ended by SIGTERM" in out
    archive = Archive(str(tmp_path / "runs"))
    last = archive.last_night()
    assert last is not None
    assert last.ends == {"invalid": len(archive.records(last.name))}
    assert archive.groups()[0].folder
    assert {"night.json", "summary.md", "junit.xml", "spec.yaml"} <= {
        file.name for file in runs.glob("*/*")
    }
    with pytest.raises(ProcessLookupError):
        os.killpg(night.pid, 0)


def test_a_run_that_hangs_has_its_stacks_in_the_archive(tmp_path: Path) -> None:
    """And the night goes on to the other cell."""
    more = (
        "run_time_limit_s: 1\nstop: {runs: 3}\nworkers: 1\nworkloads: register\n"
        "cells:\n  - {system: evil.yaml, faults: none, name: stuck, options: {does: hangs}}\n"
    )
    night = started([str(plan(tmp_path, more)), "--json"])
    out, told = night.communicate(timeout=LIMIT_S)
    assert night.returncode == 1, told
    assert set(json.loads(out)["night"]["ends"]) == {"invalid", "hung"}
    stacks, *_ = (tmp_path / "runs" / "nights").glob("*/stacks/*.txt")
    assert "_misbehave" in stacks.read_text()


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """A real one, of one megabyte: what fits is kept and can be read, the rest is said."""
    needs("unshare", "util-linux")
    folder = tmp_path / "small"
    folder.mkdir()
    night = [sys.executable, "-m", "harness.cli", "nightly", str(plan(tmp_path)), "--json"]
    more = ["--store", str(folder), "--workers", "1", "--budget", "30s"]
    check = [sys.executable, "-m", "harness.cli", "nightly", "--trends", "--store", str(folder)]
    script = (
        f'mount -t tmpfs -o size=200k none {folder} || exit 99; "$@"; code=$?; '
        f"{' '.join(check)} >&2; exit $code"
    )
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    done = subprocess.run(
        [*inside, *night, *more], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no mount in a namespace of a user's own here: {done.stderr.strip()}")
    told = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert told["night"]["stopped"] == "the archive takes nothing more"
    assert any("No space left" in trouble for trouble in told["troubles"])
    assert "1 nights in" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give the plan of the night"),
        (["absent.yaml"], "cannot read absent.yaml"),
        (["night.yaml", "--budget", "8"], "--budget '8': give a duration"),
        (["night.yaml", "--store", "s4://nights"], "s4"),
        (["night.yaml", "--fail-on", "old"], "'old' is not one of"),
    ],
)
def test_mistakes_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str], told: str
) -> None:
    """Each in a sentence, before anything is written."""
    plan(tmp_path)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, arguments)
    assert told in f"{result.output} {result.exception}"
    assert not (tmp_path / "runs").exists()


def test_trends_of_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a night there is nothing to compare, as text and as JSON."""
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(command, ["--trends"])
    assert "nothing to compare" in told.output
    as_json = CliRunner().invoke(command, ["--trends", "--json"])
    assert msgspec.json.decode(as_json.output)["nights"] == []
