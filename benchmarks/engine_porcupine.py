"""Side by side with another checker: how many times faster is the engine, history by history?

    python -m benchmarks.engine_porcupine --against COMMAND [--recorded FOLDER] [--sizes 1000 10000]
                                          [--rounds 6] [--limit 60] [--only TEXT]

COMMAND is a process that times one history a line, its own parsing excluded. It reads lines
`KIND PATH SECONDS` (kind: etcd, kv, kv-whole, register or bank; the limit in seconds) and answers
`VERDICT SECONDS` (verdict: Ok, Illegal or Unknown), as it is easily made around Porcupine's
CheckEventsTimeout. A process that dies, of memory perhaps, is started again and counts as `died`.

FOLDER is Porcupine's test data: `jepsen/*.log` and `kv/*.txt`; kv-whole is the latter without
partition into keys, where the engine goes by key all the same, as the answer is the same. Histories
made here (benchmarks.histories) are handed over as lines `call ID F [A [B]]` and `return ID ANSWER`
in the order of events; the answer is `ok`, `refused`, `unknown`, `value V` or `balances B ...`.
Unknown outcomes return at the end, and calls that say nothing are left out.

The two take turns; for each the median of the rounds counts, and in a round, where a run is short,
the median of some in a row. A failed compare-and-set is evidence
for both. Where the other checker does not finish, its limit stands for its time.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from benchmarks.histories import FAIL, INFO, KINDS, NIL, OK, Columns, register
from benchmarks.measure import insist, need_engine, search
from benchmarks.objects import ACCOUNTS, BALANCE, simulate
from checkers.formats import read_history
from checkers.history import COMPARE_FAILED, Error, Operation
from checkers.linearizability import engine
from checkers.models import Model, model

LINEARIZABLE = {"Ok": True, "Illegal": False}
SHORT_S, IN_A_ROW = 0.005, 9


class Job(NamedTuple):
    """One history: for the other checker a kind and a path, for the engine a table and a model."""

    kind: str
    name: str
    path: Path
    table: Any
    model: Model


class Other:
    """The other checker's process."""

    def __init__(self, command: str) -> None:
        self._words = shlex.split(command)
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(self._words, stdin=pipe, stdout=pipe, text=True)

    def time(self, kind: str, path: Path, limit_s: float) -> tuple[str, float]:
        """What it says of the history, and its seconds; the limit where it says nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{kind} {path} {limit_s}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().split()
        if len(answer) == 2:
            return answer[0], float(answer[1])
        self.close()
        self._process = self._start()
        return "died", limit_s

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--against", required=True, metavar="COMMAND")
    parser.add_argument("--recorded", type=Path, metavar="FOLDER")
    parser.add_argument("--sizes", nargs="*", type=int, default=[1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--limit", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--only", default="", metavar="TEXT")
    given = parser.parse_args()
    need_engine()
    other = Other(given.against)
    print(f"{'history':<38}{'other':>10}{'ms':>12}{'engine ms':>12}{'ratio':>10}")
    with tempfile.TemporaryDirectory() as folder:
        recorded = recorded_jobs(given.recorded, given.only) if given.recorded else ()
        ratios = [compare(job, other, given.rounds, given.limit) for job in recorded]
        summary("recorded", ratios)
        made = made_jobs(Path(folder), given.sizes, given.only)
        ratios = [compare(job, other, given.rounds, given.limit) for job in made]
        summary("made here", ratios)
    other.close()


def summary(which: str, ratios: list[float]) -> None:
    if ratios:
        print(
            f"\n{len(ratios)} histories {which}: ratio at least {min(ratios):,.1f}, median "
            f"{statistics.median(ratios):,.1f}, at most {max(ratios):,.1f}\n"
        )


def compare(job: Job, other: Other, rounds: int, limit_s: float) -> float:
    """The two in turn. Prints a line; the ratio of the medians. Raises AssertionError where both
    have a verdict and they differ."""
    theirs, ours = [], []
    said = "?"
    for _ in range(rounds):
        said, took_s = warm(lambda: other.time(job.kind, job.path, limit_s))
        theirs.append(took_s)
        found, took_s = warm(lambda: engine_time(job, limit_s))
        ours.append(took_s)
        if said not in LINEARIZABLE:
            break  # one wait of that length is enough
        insist(found, LINEARIZABLE[said], job.name)
    their_s, our_s = statistics.median(theirs), statistics.median(ours)
    more = ">" if said not in LINEARIZABLE else ""
    print(
        f"{job.kind + ' ' + job.name:<38}{said:>10}{1e3 * their_s:>12.3f}{1e3 * our_s:>12.4f}"
        f"{more + format(their_s / our_s, ',.1f'):>10}",
        flush=True,
    )
    return their_s / our_s


def warm(measure: Callable[[], tuple[Any, float]]) -> tuple[Any, float]:
    """What was said, and the median of some runs in a row; of one, where that takes long."""
    said, took_s = measure()
    if took_s > SHORT_S:
        return said, took_s
    return said, statistics.median(measure()[1] for _ in range(IN_A_ROW))


def engine_time(job: Job, limit_s: float) -> tuple[bool | None, float]:
    found = search(job.table, job.model, time_s=limit_s, threads=2)
    return found.linearizable, found.took_s


def recorded_jobs(folder: Path, only: str) -> Iterator[Job]:
    for path in (
        p for p in sorted((folder / "jepsen").glob("*.log")) if only in p.name and p.stat().st_size
    ):
        operations = [_evident(o) for o in read_history(path).history]
        yield Job("etcd", path.stem, path, engine.table_of(operations), model("cas-register"))
    for kind in ("kv", "kv-whole"):
        for path in (p for p in sorted((folder / "kv").glob("*.txt")) if only in p.name):
            if kind == "kv" or "c50" not in path.name:  # without partition nobody waits for those
                table = engine.table_of(read_history(path).history)
                yield Job(kind, path.stem, path, table, model("kv"))


def _evident(operation: Operation) -> Operation:
    """Porcupine reads a failed compare-and-set in these logs as one that did not match."""
    if (operation.type, operation.f) != ("fail", "cas"):
        return operation
    return msgspec.structs.replace(operation, error=Error(COMPARE_FAILED))


def made_jobs(folder: Path, sizes: list[int], only: str) -> Iterator[Job]:
    for calls in sizes:
        for kind in (kind for kind in KINDS if only in str(kind)):
            history = register(kind, calls)
            yield _made(folder, "register", f"{calls} {kind}", history, model(kind.model))
        bank = model("bank", {"accounts": ACCOUNTS, "balance": BALANCE})
        for bad in (False, True):
            name = f"{calls} bank{' bad' if bad else ''}"
            if only in name:
                yield _made(folder, "bank", name, simulate("bank", calls, bad=bad), bank)


def _made(folder: Path, kind: str, name: str, history: Columns, by: Model) -> Job:
    path = folder / f"{name.replace(' ', '-')}.txt"
    path.write_text("\n".join(lines(history)) + "\n")
    return Job(kind, name, path, history.table(), by)


def lines(history: Columns) -> Iterator[str]:
    """The history as the other checker reads it."""
    observes = history.names.index("read")
    at_the_end = []
    for place in np.argsort(np.concatenate((history.invoked, history.ended))).tolist():
        row = place % history.calls
        outcome = history.outcome[row]
        if outcome == FAIL and not history.code[row]:
            continue
        if outcome == INFO and history.f[row] == observes:
            continue
        if place < history.calls:
            words = [history.names[history.f[row]], *_operands(history.value(history.input[row]))]
            yield f"call {row} {' '.join(words)}"
        elif outcome == INFO:
            at_the_end.append(f"return {row} unknown")
        elif history.f[row] != observes:
            yield f"return {row} {'ok' if outcome == OK else 'refused'}"
        else:
            yield f"return {row} {_answer(history.value(history.output[row]))}"
    yield from at_the_end


def _operands(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [str(member) for member in value.values()]
    return [_word(v) for v in value] if isinstance(value, list) else [_word(value)]


def _answer(value: Any) -> str:
    if isinstance(value, dict):
        return f"balances {' '.join(str(balance) for balance in value.values())}"
    return f"value {_word(value)}"


def _word(value: Any) -> str:
    return "nil" if value is None or value == NIL else str(value)


if __name__ == "__main__":
    main()
