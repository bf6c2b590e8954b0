"""The tutorial, as a reader follows it: every block typed in turn, in the directories it makes.

The installation is what every other test begins with. Searches are made short; what the page shows
of their outcome is of the seeds it names, which are looked at by themselves.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 120.0
SHORTER = {
    "--seed 1": "--seed 1 --time-limit 6",
    "--seeds 200": "--seeds 2 --first 122 --shrink 1",  # in 123 a node votes twice
}


class Typed(NamedTuple):
    command: str
    exit_code: int
    output: str


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> list[Typed]:
    """All commands of the page after the installation, with what came."""
    here = tmp_path_factory.mktemp("reader")
    (here / "examples").symlink_to(ROOT / "examples")
    environment = {
        **{name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTEST_ADDOPTS": "-q -p no:asyncio",
    }
    done = []
    for kind, text in BLOCK.findall(PAGE.read_text())[1:]:
        if kind == "python":
            (here / "test_raft.py").write_text(text)
        if kind:
            continue
        for line in text.splitlines():
            if line.startswith("cd "):
                here = here / line.removeprefix("cd ")
                continue
            for long, short in SHORTER.items():
                line = line.replace(long, short)
            ended = subprocess.run(
                ["sh", "-c", line],
                cwd=here,
                env=environment,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
            done.append(Typed(line, ended.returncode, ended.stdout + ended.stderr))
    return done


def found(session: list[Typed], words: str) -> list[Typed]:
    return [typed for typed in session if words in typed.command]


def test_a_broken_reference_is_found(session: list[Typed]) -> None:
    """Step 2: exit code 1, the law, a report."""
    (run,) = found(session, "accepted-forgotten")

    assert 1 == run.exit_code, run.output
    assert "accepted-kept" in run.output
    assert "report " in run.output


def test_the_bug_is_found_and_told_as_the_page_says(session: list[Typed]) -> None:
    """Step 3: the very output that the page shows, and in step 5 nothing any more."""
    before, after = found(session, "pytest test_raft.py")

    assert (1, 0) == (before.exit_code, after.exit_code), before.output + after.output
    shown = next(text for kind, text in BLOCK.findall(PAGE.read_text()) if kind == "text")
    for line in shown.splitlines():
        if line.strip() != "..." and not line.startswith(("report", "again")):
            assert line in before.output
    assert "4 passed" in after.output


def test_the_run_comes_again_and_tells_who_said_what(session: list[Typed]) -> None:
    """Step 4: the same run, and the lines that the page explains."""
    (replayed,) = found(session, "replay")

    assert "the same, byte for byte" in replayed.output
    _, shown = (text for kind, text in BLOCK.findall(PAGE.read_text()) if kind == "text")
    for line in shown.splitlines():
        assert line in replayed.output


def test_more_worlds_find_nothing_or_the_votes(session: list[Typed]) -> None:
    """Step 5: the Raft that is right is not blamed; the one that forgets its votes is."""
    right, forgetful = found(session, "antipaxos simulate ")

    assert 0 == right.exit_code, right.output
    assert 1 == forgetful.exit_code, forgetful.output


def test_the_example_fails_where_it_says_so(tmp_path: Path) -> None:
    """examples/own-raft, by itself: its first test finds the bug, the others find nothing."""
    shutil.copytree(ROOT / "examples" / "own-raft", tmp_path / "own-raft")

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "own-raft"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert 1 == ended.returncode
    assert "1 failed, 7 passed" in ended.stdout
    assert "FAILED own-raft/test_raft.py::test_as_it_is" in ended.stdout
    assert "partition of " in ended.stdout
