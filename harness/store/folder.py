"""The run folder: everything that a run leaves behind, readable after a crash at any instant.

Rules
1. Files appear in the order in which they become true: trial.yaml and plan.json before the first
   process starts, history.jsonl line by line, schedule.json, trace.jsonl and notices.json before
   anything is checked, verdict.json before the report is drawn.
2. Whole files are replaced atomically; a reader never sees half of one.
3. `latest` points to the newest run, beside the runs and at the root.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from checkers.verdict import StateDigest, Verdict
from harness.contracts import EnvironmentTrouble
from harness.trial import Trial

ROOT = Path("antipaxos-runs")  # in the working directory, unless --store names another place


class RunFolder:
    """Names of the parts of one run's folder; `path` is absolute."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.trial = self.path / "trial.yaml"  # every setting, the seed drawn, the environment
        self.history = self.path / "history.jsonl"  # of the clients and the nemesis
        self.plan = self.path / "plan.json"  # the schedule as drawn
        self.schedule = self.path / "schedule.json"  # as carried out, all faults concrete
        self.origin = self.path / "origin_ns"  # of the run, on the clock that nodes trace by
        self.wall = self.path / "wall_clock.json"  # and what the wall clock showed then
        self.scenario = self.path / "scenario.yaml"  # where faults and operations were a script's
        self.played = self.path / "played.json"  # and what came of its steps
        self.ledger = self.path / "ledger.jsonl"  # faults before they act, for heal
        self.trace = self.path / "trace.jsonl"  # of the protocol, all nodes on one clock
        self.world = self.path / "world.jsonl"  # of a simulated run: all that its world did
        self.choices = self.path / "choices.json"  # and all that it decided by chance
        self.case = self.path / "case.json"  # what a simulated run follows from
        self.digests = self.path / "digests.json"  # of the replicas, when everything was over
        self.nodes = self.path / "nodes"  # of each its log, its data, its own trace
        self.notices = self.path / "notices.json"  # what the report says beside the verdict
        self.verdict = self.path / "verdict.json"  # of every check, with its evidence
        self.report = self.path / "report.html"  # one page, which needs no network
        self.log = self.path / "run.log"  # of the harness

    @classmethod
    def create(cls, root: Path, trial: Trial, started_utc: str) -> RunFolder:
        """Make the folder of a new run. `started_utc`: as in '20260131T235959Z'.

        Raises EnvironmentTrouble where nothing can be written.
        """
        assert trial.seed is not None, "a trial is resolved before its folder is made"
        parent = root / trial.label
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path = _fresh(parent, f"{started_utc}-{trial.seed}")
            (path / "nodes").mkdir()
            _point(parent / "latest", path)
            _point(root / "latest", path)
        except OSError as wrong:
            raise EnvironmentTrouble(
                f"The run folder cannot be written: {wrong.strerror} ({wrong.filename}). Free the "
                "disk, fix the permissions, or choose another place with --store."
            ) from wrong
        return cls(path)

    def write_trial(self, trial: Trial, environment: dict[str, Any]) -> None:
        settings = msgspec.to_builtins(trial) | {"environment": environment}
        self.write(self.trial, yaml.safe_dump(settings, sort_keys=False).encode())

    def read_trial(self) -> tuple[Trial, dict[str, Any]]:
        """The trial and its environment. Raises OSError, ValueError, yaml.YAMLError and
        msgspec.ValidationError where the file is not what write_trial wrote."""
        settings = yaml.safe_load(self.trial.read_text(encoding="utf-8"))
        if not isinstance(settings, dict):
            raise ValueError(f"it holds {settings!r} where a mapping of settings is expected")
        environment = settings.pop("environment", {})
        return msgspec.convert(settings, Trial), environment

    def write_notices(self, notices: Sequence[str]) -> None:
        self.write(self.notices, msgspec.json.format(msgspec.json.encode(notices), indent=2))

    def read_notices(self) -> list[str]:
        """None where the run was killed before it could write any, or somebody changed them."""
        try:
            return msgspec.json.decode(self.notices.read_bytes(), type=list[str])
        except (OSError, msgspec.MsgspecError):
            return []

    def read_digests(self) -> list[StateDigest]:
        """Empty where the system shows none. Raises ValueError where somebody changed them."""
        if not self.digests.exists():
            return []
        return msgspec.json.decode(self.digests.read_bytes(), type=list[StateDigest])

    def node_traces(self) -> list[Path]:
        """The traces that nodes wrote, each with that node's own clock."""
        return sorted(self.nodes.glob("*/trace.jsonl"))

    def write_verdict(self, verdict: Verdict) -> None:
        self.write(self.verdict, msgspec.json.format(msgspec.json.encode(verdict), indent=2))

    def write(self, file: Path, content: bytes) -> None:
        """Replace a file atomically. Raises EnvironmentTrouble if the disk does not take it."""
        draft = file.with_name(f".{file.name}.draft")
        try:
            draft.write_bytes(content)
            draft.replace(file)
        except OSError as wrong:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise EnvironmentTrouble(
                f"{file} cannot be written: {wrong.strerror}. What was recorded before is kept in "
                f"{self.path}; free the disk and run 'antipaxos check {self.path}'."
            ) from wrong


def _fresh(parent: Path, name: str) -> Path:
    """Two runs of one seed within a second get folders of their own."""
    for suffix in ("", *(f"-{i}" for i in range(2, 1000))):
        path = parent / (name + suffix)
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{parent / name} and 998 more of the same second exist")


def _point(link: Path, target: Path) -> None:
    # Renamed over, so that the link never misses: a reader may follow it at any time.
    draft = link.with_name(f".latest-{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.symlink_to(os.path.relpath(target, link.parent), target_is_directory=True)
    draft.replace(link)
