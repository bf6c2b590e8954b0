"""The ready files of examples/nightly, each tried: systemd's, cron's, GitHub's, and the plan."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.nightly import spec
from harness.nightly.archive import Archive

EXAMPLES = Path("examples/nightly").absolute()
BIN = Path(sys.executable).parent
TIME_LIMIT_S = 60


def unit(name: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(EXAMPLES / name)
    return parser


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The example's plan, with a budget that a test has."""
    text = (EXAMPLES / "nightly.yaml").read_text()
    path = tmp_path / "nightly.yaml"
    path.write_text(text.replace("budget: 8h", "budget: 3s\nshrink_s: 0\nworkers: 1"))
    return path


def test_the_plan_is_one() -> None:
    """Six cells of the product, and the canary."""
    read = spec.read(EXAMPLES / "nightly.yaml")
    assert (7, ()) == (len(read.cells), read.left_out)
    assert {"canary"} == {cell.trial.name for cell in read.cells} - {""}


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Every setting is known to it. The program is named by one that is there."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here (Debian: apt install systemd)")
    for name in ("antipaxos-nightly.service", "antipaxos-nightly.timer"):
        text = (EXAMPLES / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/antipaxos/bin/antipaxos", "/bin/true"))
    came = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / "antipaxos-nightly.timer")],
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert (0, "", "") == (came.returncode, came.stdout, came.stderr)
    when = unit("antipaxos-nightly.timer")["Timer"]["OnCalendar"]
    subprocess.run([analyze, "calendar", when], check=True, capture_output=True)


def test_the_service_can_be_stopped_in_the_middle(plan: Path, tmp_path: Path) -> None:
    """Its command, in its directory; SIGTERM as systemd sends it. What came is in the archive."""
    service = unit("antipaxos-nightly.service")["Service"]
    command = service["ExecStart"].replace("/opt/antipaxos/bin", str(BIN))
    state = tmp_path / "state"
    state.mkdir()
    command = command.replace("/etc/antipaxos/nightly.yaml", str(plan))
    command = command.replace(service["WorkingDirectory"], str(state))
    plan.write_text(plan.read_text().replace("budget: 3s", "budget: 8h"))
    nightly = subprocess.Popen(
        command.split(), cwd=state, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    runs = None
    try:
        assert nightly.stderr is not None
        assert "night " in nightly.stderr.readline()
        _until_first_record(state / "nights")
        nightly.send_signal(getattr(signal, service["KillSignal"]))
        told, _ = nightly.communicate(timeout=float(service["TimeoutStopSec"]))
    finally:
        nightly.kill()
        nightly.wait()
    runs = Archive(str(state / "nights")).last_night()
    assert runs is not None
    assert "SIGTERM" in runs.stopped
    assert sum(runs.ends.values()) >= 1
    assert runs.name in told


def _until_first_record(archive: Path) -> None:
    """A run takes a second: watch the file system until its record is there."""
    found = subprocess.run(
        [
            "sh",
            "-c",
            'until cat "$0"/nights/2*/runs.jsonl 2>/dev/null | grep -q .; do sleep .1; done',
            archive,
        ],
        timeout=TIME_LIMIT_S,
    )
    assert 0 == found.returncode


def test_the_line_of_cron_runs_as_cron_runs_it(plan: Path, tmp_path: Path) -> None:
    """With cron's environment and shell; what it prints would be mailed: a new failure is."""
    [line] = [
        line
        for line in (EXAMPLES / "crontab").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    found = re.fullmatch(r"(?:[\d*,/-]+\s+){5}(\S.*)", line)
    assert found is not None
    assert "%" not in found[1], "cron makes a line break of it"
    nights = tmp_path / "nights"
    nights.mkdir()
    shutil.move(plan, nights / "nightly.yaml")
    text = (nights / "nightly.yaml").read_text()
    (nights / "nightly.yaml").write_text(canary_only(text))
    (nights / ".venv").mkdir()
    (nights / ".venv" / "bin").symlink_to(BIN)
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    mails = [
        subprocess.run(
            ["/bin/sh", "-c", found[1]],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
        )
        for _ in range(2)
    ]
    assert "accepted-kept-" in mails[0].stdout
    assert ("", "") == (mails[1].stdout, mails[1].stderr)
    assert 2 == len(Archive(str(nights / "antipaxos-runs")).nights())


def canary_only(text: str) -> str:
    """A plan with nothing but the canary, which seed 1 finds."""
    settings = yaml.safe_load(text)
    for axis in ("systems", "workloads", "faults", "clusters"):
        del settings[axis]
    settings |= {"budget": "30s", "stop": {"runs": 1}}
    return str(yaml.safe_dump(settings))


# --- GitHub ---


def workflow() -> dict[Any, Any]:
    found = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
    assert isinstance(found, dict)
    return found


def test_the_workflow_has_what_github_asks_for() -> None:
    """Essentials of its schema: events, jobs on a machine, steps that either run or use."""
    found = workflow()
    events = found[True]  # YAML 1.1 reads `on` so
    assert all(re.fullmatch(r"([\d*,/-]+ ){4}[\d*,/-]+", e["cron"]) for e in events["schedule"])
    known = {"name", "on", True, "concurrency", "permissions", "jobs"}
    assert {*found} <= known
    for job in found["jobs"].values():
        assert {"runs-on", "steps"} <= {*job} <= {
            "runs-on", "steps", "timeout-minutes", "env",
        }  # fmt: skip
        ids = {step.get("id") for step in job["steps"]}
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert {*step} <= {"run", "uses", "with", "id", "if", "env", "name"}
            assert re.fullmatch(r"[\w-]+/[\w/-]+@v\d+", step.get("uses", "actions/x@v1"))
            for name in re.findall(r"steps\.(\w+)\.outputs", str(step)):
                assert name in ids


def test_every_step_of_the_workflow_runs(plan: Path, tmp_path: Path) -> None:
    """Under `bash -e` as the runner does it, with its files; the last tells of the new failure."""
    plan.write_text(canary_only(plan.read_text()))
    [job] = workflow()["jobs"].values()
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "antipaxos").symlink_to(BIN / "antipaxos")
    (tools / "pip").write_text('#!/bin/sh\ntest "$*" = "install antipaxos"\n')
    (tools / "pip").chmod(0o755)
    output, summary = tmp_path / "output", tmp_path / "step-summary.md"
    runner = {
        **os.environ,
        "PATH": f"{tools}:/usr/bin:/bin",
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
    }
    codes = list(_steps(job, runner, output, tmp_path))
    assert [0, 0, 0, 1] == codes
    assert "# 1 new in 1 run" in summary.read_text()
    for step in job["steps"]:
        for path in str(step.get("with", {}).get("path", "")).splitlines():
            assert (tmp_path / _filled(path, output)).exists()
    folder = tmp_path / _filled("${{ steps.night.outputs.folder }}", output)
    assert {"spec.yaml", "runs.jsonl", "night.json", "summary.md", "junit.xml"} <= {
        path.name for path in folder.iterdir()
    }


def _steps(
    job: Mapping[str, Any], runner: Mapping[str, str], output: Path, folder: Path
) -> Iterator[int]:
    for step in job["steps"]:
        if "run" not in step:
            continue
        given = {name: str(value) for name, value in job["env"].items()} | {"BUDGET": "30s"}
        own = {name: _filled(value, output) for name, value in step.get("env", {}).items()}
        came = subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            env={**runner, **given, **own},
            cwd=folder,
            timeout=TIME_LIMIT_S,
            capture_output=True,
        )
        yield came.returncode


def _filled(text: str, output: Path) -> str:
    """With the outputs of the night's step in their places."""
    pairs = output.read_text().splitlines() if output.exists() else []
    for name, value in (pair.split("=", 1) for pair in pairs):
        text = text.replace(f"${{{{ steps.night.outputs.{name} }}}}", value)
    return text
