"""Judging many histories: a line each, totals, and one exit code for all.

Rules
1. Whatever one history does, the others are judged: bad input and trouble are answers, too.
2. Over many, any INVALID wins, then trouble (255), then bad input (254), then UNKNOWN (2): what was
   found is certain, what could not be looked at is worse than what could not be decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

from checkers.budget import Budget
from checkers.formats import FormatError
from checkers.history import HistoryError
from checkers.trace import TraceError
from checkers.verdict import Verdict
from harness import recheck
from harness.console import tell
from harness.contracts import EnvironmentTrouble
from harness.explaining import long_form
from harness.jobs import each
from harness.report import words
from harness.report.terminal import verdict_lines
from harness.trial import TrialError

SENTENCE_MAX = 120  # characters of a line's sentence

Answer = Literal["valid", "invalid", "unknown", "bad-input", "trouble"]

# Rule 2, the worst first.
EXIT_CODES: dict[Answer, int] = {
    "invalid": 1,
    "trouble": 255,
    "bad-input": 254,
    "unknown": 2,
    "valid": 0,
}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one history. `operations`: of clients, None where it could not be read;
    `verdict`: None for bad input and trouble. `lines`: for a terminal."""

    path: str
    answer: Answer
    summary: str
    operations: int | None = None
    seconds: float = 0.0
    notices: Sequence[str] = ()
    verdict: Verdict | None = None
    lines: Sequence[str] = ()

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.answer]


def show_one(
    paths: Sequence[Path], asked: recheck.Asked, jobs: int, *, explain: bool, as_json: bool
) -> int:
    """Judges the one path and prints its verdict; the exit code.

    Raises as recheck.check does.
    """
    (path,) = paths
    try:
        judged = recheck.check(path, msgspec.structs.replace(asked, threads=jobs, explain=explain))
    except HistoryError as wrong:
        wrong.args = (f"{path}: {wrong}",)
        raise
    tell(judged.notices, aside=True)
    if as_json:
        tell([msgspec.json.format(msgspec.json.encode(judged.verdict), indent=2).decode()])
    else:
        tell(lines(judged, explain=explain))
    return judged.verdict.kind.exit_code


def show_many(
    paths: Sequence[Path], asked: recheck.Asked, jobs: int, *, explain: bool, as_json: bool
) -> int:
    """Judges the paths, prints a line for each and the totals; the exit code of all."""
    clock = Budget(None)
    done: list[Row] = []
    for each_row in rows(paths, asked, jobs, explain=explain):
        done.append(msgspec.structs.replace(each_row, verdict=None, lines=()))
        if as_json:
            tell([as_json_line(each_row)])
            continue
        tell([table_line(each_row)])
        if explain and each_row.answer != "valid":
            tell([f"    {line}" for line in each_row.lines])
    if not as_json:
        tell([totals(done, clock.elapsed_s())])
    tell(notices_of(done), aside=True)
    return exit_code(done)


def rows(
    paths: Sequence[Path], asked: recheck.Asked, jobs: int, *, explain: bool = False
) -> Iterator[Row]:
    """A row for each path, in their order, each as soon as it and all before it are there."""
    asked = msgspec.structs.replace(asked, explain=explain)
    if jobs == 1 or len(paths) == 1:
        share = msgspec.structs.replace(asked, threads=jobs)
        yield from (row(path, share, explain=explain) for path in paths)
        return
    share = msgspec.structs.replace(asked, threads=1)
    if asked.memory_limit is not None:
        limit = asked.memory_limit // min(jobs, len(paths))
        share = msgspec.structs.replace(share, memory_limit=limit)
    yield from each(paths, partial(row, asked=share, explain=explain), _lost, jobs)


def row(path: Path, asked: recheck.Asked, *, explain: bool = False) -> Row:
    """Judges one history. Raises nothing but KeyboardInterrupt."""
    clock = Budget(None)
    try:
        judged = recheck.check(path, asked)
        return Row(
            path=str(path),
            answer=judged.verdict.kind.value,
            summary=judged.verdict.summary,
            operations=judged.operations,
            seconds=round(clock.elapsed_s(), 3),
            notices=judged.notices,
            verdict=judged.verdict,
            lines=lines(judged, explain=explain),
        )
    except (TrialError, HistoryError, FormatError, TraceError) as wrong:
        return _failed(path, "bad-input", str(wrong), clock)
    except EnvironmentTrouble as wrong:
        return _failed(path, "trouble", str(wrong), clock)
    except MemoryError:
        return _failed(path, "trouble", "there was not enough memory to judge it", clock)
    except OSError as wrong:
        return _failed(path, "trouble", f"the machine refused: {wrong}", clock)
    except Exception as wrong:  # noqa: BLE001 - rule 1: told in full, and the others go on
        bug = f"this is a bug of antipaxos, please report it: {type(wrong).__name__}: {wrong}"
        return _failed(path, "trouble", bug, clock)


def lines(judged: recheck.Judged, *, explain: bool) -> list[str]:
    """The verdict on one history for a terminal: short, or with everything that is known."""
    shown = verdict_lines(judged.verdict, judged.recording)
    if judged.excerpt:
        # What was streamed is here only in part: its statistics would be of that part.
        shown = [line for line in shown if not line.startswith(("operations  ", "faults  "))]
        shown.append(f"operations  {judged.operations:,} recorded")
    return [*shown, *long_form(judged)] if explain else shown


def table_line(row: Row) -> str:
    """Verdict, operations, seconds, path and what there is to say."""
    operations = "-" if row.operations is None else f"{row.operations:,}"
    sentence = "" if row.answer == "valid" else "  " + words.clip(_on_one_line(row), SENTENCE_MAX)
    return f"{row.answer.upper():<10}{operations:>11}{row.seconds:>9.2f} s  {row.path}{sentence}"


def as_json_line(row: Row) -> str:
    """One object on one line: path, answer, summary, operations, seconds, notices, verdict."""
    told = {name: getattr(row, name) for name in row.__struct_fields__ if name != "lines"}
    return msgspec.json.encode(told).decode()


def totals(all_rows: Sequence[Row], seconds: float) -> str:
    counted = Counter(row.answer for row in all_rows)
    by_answer = ", ".join(f"{counted[answer]} {answer}" for answer in EXIT_CODES if counted[answer])
    operations = sum(row.operations or 0 for row in all_rows)
    count = len(all_rows)
    histories = "1 history" if count == 1 else f"{count:,} histories"
    return f"{histories}: {by_answer}; {operations:,} operations in {seconds:.1f} s"


def notices_of(all_rows: Sequence[Row]) -> list[str]:
    """Each notice once, with the history that it is about, or how many."""
    about: dict[str, list[str]] = {}
    for each_row in all_rows:
        for notice in each_row.notices:
            about.setdefault(notice, []).append(each_row.path)
    return [
        f"{paths[0] if len(paths) == 1 else f'{len(paths)} histories'}: {notice}"
        for notice, paths in about.items()
    ]


def exit_code(all_rows: Sequence[Row]) -> int:
    """Of many (rule 2)."""
    answers = {row.answer for row in all_rows}
    return next(code for answer, code in EXIT_CODES.items() if answer in answers)


def _on_one_line(row: Row) -> str:
    text = " ".join(row.summary.split())
    return "".join(c if c.isprintable() else "�" for c in text)


def _failed(path: Path, answer: Any, summary: str, clock: Budget) -> Row:
    seconds = round(clock.elapsed_s(), 3)
    return Row(path=str(path), answer=answer, summary=summary, seconds=seconds)


def _lost(path: Path, code: int | None) -> Row:
    ended = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
    return Row(
        path=str(path),
        answer="trouble",
        summary=f"the process that judged it ended {ended}, probably for want of memory. Judge it "
        "alone (--jobs 1), or with a --memory-limit.",
    )
