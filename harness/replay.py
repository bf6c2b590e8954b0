"""Replay: carrying a simulated run out again, and saying whether it is the same, byte for byte.

Rules
1. What is compared is what a run leaves: the lines of its history and of its trace. The first that
   differs is shown as it was and as it is; nothing is called the same that was not compared.
2. A run that is not the same has one of two causes, and both are looked for: something changed
   since (versions, files of the program), or the system is not deterministic. The latter shows in
   two fresh processes with different hash seeds, for the order of a set of strings is theirs.

`python -m harness.replay CASE FOLDER` carries out one case and writes what is compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from pathlib import Path

import msgspec

from checkers.verdict import Verdict
from harness import cases
from harness.cases import Case
from harness.contracts import EnvironmentTrouble
from harness.loop import ClientBug, GeneratorError
from harness.report.deliveries import messages
from harness.report.explanations import explanations
from harness.report.spacetime.focus import choose, focus
from harness.report.story import Only, story, telling
from harness.run import environment
from harness.simulate import Simulated, simulate
from harness.simulation.loop import Stalled
from harness.stored import Stored
from harness.trial import TrialError
from harness.worldlog import CLIENT

HASH_SEEDS = (1, 2)
STORY_MESSAGES_MAX = 80
STORY_LINES_MAX = 200
_CUTS = ("Interrupted by", "The live check stopped")  # how notices of such runs begin
_ALWAYS_OTHERS = frozenset({"started", "command"})  # of an environment


class Difference(msgspec.Struct, frozen=True):
    """The first line of `file` (counted from 1) in which two runs differ; None where one of them
    has ended."""

    file: str
    line: int
    stored: str | None
    now: str | None


class Compared(msgspec.Struct, frozen=True):
    """`lines`: how many are the same, by file; a file that was not stored is not among them.
    `difference`: None where all of them are."""

    lines: Mapping[str, int]
    difference: Difference | None

    @property
    def same(self) -> bool | None:
        """None where there was nothing to compare with."""
        if self.difference is not None:
            return False
        return True if self.lines else None


def left_by(simulated: Simulated) -> dict[str, bytes]:
    """What a run writes that must be the same each time, by the name of the file."""
    return {
        "history.jsonl": msgspec.json.Encoder().encode_lines(list(simulated.history)),
        "trace.jsonl": b"".join(line + b"\n" for line in simulated.lines),
    }


def compare(stored: Mapping[str, bytes], now: Mapping[str, bytes]) -> Compared:
    """Two runs by what they left; a file that `stored` lacks is not compared."""
    lines: dict[str, int] = {}
    for file, content in now.items():
        if file not in stored:
            continue
        difference = _first_difference(file, stored[file], content)
        if difference is not None:
            return Compared(lines, difference)
        lines[file] = content.count(b"\n")
    return Compared(lines, None)


def _first_difference(file: str, stored: bytes, now: bytes) -> Difference | None:
    if stored == now:
        return None
    both = zip_longest(stored.splitlines(), now.splitlines())
    for number, (one, other) in enumerate(both, 1):
        if one != other:
            return Difference(file, number, _text(one), _text(other))
    # The same lines, and yet not the same bytes: the end of the last line was changed by hand.
    return Difference(file, stored.count(b"\n") + 1, None, None)


def _text(line: bytes | None) -> str | None:
    return None if line is None else line.decode(errors="replace")


def stored_files(stored: Stored) -> dict[str, bytes]:
    """What the run left, as far as it is there."""
    files = (stored.folder.history, stored.folder.trace)
    return {file.name: file.read_bytes() for file in files if file.exists()}


def changes_since(stored: Stored) -> list[str]:
    """What is not as it was when the run was recorded, as sentences: versions, options, files; and
    what cut the run off, if something did."""
    cut = [
        f"the stored run was cut off: {notice}"
        for notice in stored.folder.read_notices()
        if notice.startswith(_CUTS)
    ]
    then, now = stored.environment, environment(stored.trial)
    if not then:
        return [*cut, "the run has no trial.yaml beside it: where it was recorded is not known"]
    told = cut + [
        f"{name}: {then.get(name, 'not recorded')} then, {now.get(name, 'gone')} now"
        for name in sorted({*then, *now} - _ALWAYS_OTHERS)
        if str(then.get(name)) != str(now.get(name))
    ]
    changed = _changed_files(str(then.get("started", "")))
    if changed:
        more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
        told.append(f"changed since the run began: {', '.join(changed[:5])}{more}")
    return told


def _changed_files(started: str) -> list[str]:
    """The files of loaded modules that were written after that moment, the newest first."""
    try:
        began_s = datetime.fromisoformat(started).timestamp()
    except ValueError:
        return []
    found: dict[str, float] = {}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file is None or not file.endswith((".py", ".so")) or "site-packages" in file:
            continue
        try:
            changed_s = Path(file).stat().st_mtime
        except OSError:
            continue
        if changed_s > began_s:
            found[os.path.relpath(file)] = changed_s
    return sorted(found, key=lambda file: -found[file])


# --- determinism ---


def in_fresh_processes(case: Case) -> Compared:
    """The case in two processes that differ in their hash seeds, one compared with the other: its
    `stored` are the lines of the first.

    Raises EnvironmentTrouble where one of them cannot carry it out.
    """
    with tempfile.TemporaryDirectory(prefix="antipaxos-") as place:
        file = Path(place) / "case.json"
        cases.write(file, case)
        processes = [_started(file, Path(place) / str(seed), seed) for seed in HASH_SEEDS]
        one, other = (_ended(process, folder) for process, folder in processes)
    return compare(one, other)


def _started(case: Path, folder: Path, seed: int) -> tuple[subprocess.Popen[str], Path]:
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.replay", str(case), str(folder)],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    return process, folder


def _ended(process: subprocess.Popen[str], folder: Path) -> dict[str, bytes]:
    _, said = process.communicate()
    if process.returncode != 0:
        raise EnvironmentTrouble(
            f"a fresh process could not carry out the case: {said.strip() or process.returncode}"
        )
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def _carry_out(case: Path, folder: Path) -> None:
    for name, content in left_by(simulate(cases.read(case))).items():
        (folder / name).write_bytes(content)


# --- the story ---


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What of the story to tell: all, or about the violation; only of these nodes and keys."""

    everything: bool = False
    nodes: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()


def story_of(simulated: Simulated, verdict: Verdict, told: Told) -> list[str]:
    """The message story of a run that was carried out with its log."""
    only = Only(nodes=told.nodes, keys=told.keys)
    events = simulated.world
    if told.everything:
        return story(events, only, most=len(events))
    recording = simulated.recording
    on = focus(explanations(verdict, recording), recording)
    if told.nodes or told.keys:
        last_ns = max((moment.time_ns for moment in on.moments), default=None)
        return story(events, only, most=STORY_LINES_MAX, around_ns=last_ns)
    nodes = (CLIENT, *simulated.case.trial.node_names)
    chosen = choose(events, list(messages(events).values()), on, nodes, STORY_MESSAGES_MAX)
    left_out = len(events) - len(chosen.positions)
    rest = [f"… {left_out:,} events about other things are left out: --all tells them"]
    return [*telling(events, chosen.positions), *(rest if left_out else [])]


def _main(arguments: Sequence[str]) -> int:
    case, folder = map(Path, arguments)
    try:
        _carry_out(case, folder)
    except (EnvironmentTrouble, ClientBug, GeneratorError, Stalled, TrialError) as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
