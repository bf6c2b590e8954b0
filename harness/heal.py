"""Undoing what a run left behind that was killed, from its ledger.

Rules
1. A run whose harness still lives is left alone: what it started is its own.
2. A process is ended only if it is the one that was started: its time of creation must match, for
   process ids are used again.
3. Faults on links need nothing: they lived in the harness and died with it.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from harness.contracts import EnvironmentTrouble
from nemesis.ledger import Entry, Ledger, LedgerError, ProcessEntry, open_entries

LEDGER = "ledger.jsonl"
HARNESS = "harness"  # the name under which a run enters its own process
GONE_LIMIT_S = 5.0


def stored_runs(store: Path) -> list[Path]:
    """The folders of the runs in a store that have a ledger, oldest first."""
    found = {ledger.parent.resolve() for ledger in store.glob("*/*/ledger.jsonl")}
    return sorted(found, key=lambda folder: folder.name)  # names begin with the time


def heal(folders: Iterable[Path]) -> list[str]:
    """Undo what is open; a sentence for each thing done, none where all is well.

    Raises EnvironmentTrouble where ledgers cannot be read or written, after all others are healed.
    """
    told: list[str] = []
    troubles: list[str] = []
    for folder in folders:
        try:
            told += _heal(folder)
        except (LedgerError, OSError) as wrong:
            troubles.append(
                f"the undo ledger cannot be read: {wrong} Until then, nothing runs in this store: "
                f"fix it, or move {folder} elsewhere."
            )
    if troubles:
        raise EnvironmentTrouble("\n".join([*told, *troubles]))
    return told


def goes_on(folder: Path) -> int | None:
    """The process of the harness that still drives the run in `folder`; None if there is none.

    Raises as `heal` does.
    """
    try:
        return _harness_of(open_entries(folder / LEDGER))
    except (LedgerError, OSError) as wrong:
        raise EnvironmentTrouble(f"the undo ledger cannot be read: {wrong}") from wrong


def _heal(folder: Path) -> list[str]:
    path = folder / LEDGER
    entries = open_entries(path)
    if not entries or _harness_of(entries) is not None:
        return []
    ended = _end([e for e in entries if isinstance(e, ProcessEntry) and e.name != HARNESS])
    with Ledger(path) as ledger:
        for entry in entries:
            ledger.done(entry.number)
    return [f"{folder}: ended process {e.pid} ({e.name}), left by a run that died." for e in ended]


def _harness_of(entries: Sequence[Entry]) -> int | None:
    processes = [e for e in entries if isinstance(e, ProcessEntry) and e.name == HARNESS]
    return next((e.pid for e in processes if _alive(e) is not None), None)


def _alive(entry: ProcessEntry) -> psutil.Process | None:
    try:
        process = psutil.Process(entry.pid)
        # psutil rounds to the clock tick, and so may two of its versions differ by one.
        same = abs(process.create_time() - entry.created_s) < 0.05
        # A zombie holds nothing any more: it waits for a parent that does not look.
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _end(entries: Sequence[ProcessEntry]) -> list[ProcessEntry]:
    ended, processes = [], []
    for entry in entries:
        process = _alive(entry)
        if process is not None:
            _kill(process)
            ended.append(entry)
            processes.append(process)
    psutil.wait_procs(processes, timeout=GONE_LIMIT_S)
    return ended


def _kill(process: psutil.Process) -> None:
    """With its children, where it leads a group: nodes and their keeper do."""
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
