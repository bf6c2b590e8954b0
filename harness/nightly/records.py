"""What a night leaves: one record a run, one a group of failures, one a night.

Rules
1. A record stands alone: whoever reads it needs no folder, and no code of the system.
2. Times are UTC, ISO 8601, to the second; addresses are relative to the archive's root.
"""

from __future__ import annotations

from typing import Literal

import msgspec

# How a run ended: its verdict, or why there is none. `idle` is UNKNOWN for want of coverage; `lost`
# ended its process twice; `hung` was ended at its time limit, with its stacks.
End = Literal["valid", "invalid", "unknown", "idle", "trouble", "hung", "lost"]


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run. `id`: its number in the night. `cell`: which line of the plan it belongs to, as
    in 'paxos register chaos simulated 5'. `system`, `workload`, `faults`, `cluster`, `nodes`,
    `seed`: of its trial, as drawn. `end`: its verdict, or why there is none. `why`: a sentence,
    where it is neither valid nor invalid.

    `fingerprint`, `law`, `shape`, `sentence`: of an INVALID run; what is broken, and how it is
    told. `operations`, `ok`: how many were called, and how many of those are known to have
    happened. `failed_after_s`: of an INVALID run, the time in it at which the violation was
    complete; None where the evidence names no operation. `in_effect`: kinds of faults that took
    effect, with how often.

    `started`, `seconds`: when it began, and what it took with its judging. `tries`: 2 where the
    first process died. `worker`: who ran it, a host and a process. `folder`: where it is kept,
    empty if only this summary is."""

    id: int
    cell: str
    system: str
    workload: str
    faults: str
    cluster: str
    nodes: int
    seed: int
    end: End
    why: str = ""
    fingerprint: str = ""
    law: str = ""
    shape: str = ""
    sentence: str = ""
    operations: int = 0
    ok: int = 0
    failed_after_s: float | None = None
    in_effect: dict[str, int] = {}
    started: str = ""
    seconds: float = 0.0
    tries: int = 1
    worker: str = ""
    folder: str = ""


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Failures of one fingerprint in one system, over all nights. `fingerprint`, `system`:
    which. `law`, `shape`, `sentence`: what is broken, without and with its names and numbers.
    `nights`: how many runs failed so, by the name of the night. `folder`: the kept run.
    `shrunk`: the choices before and after it was made small, None where it was not. `unshrunk`:
    why it was not. `replay`: the command that repeats it.

    `aliases`: fingerprints of runs that came to this one when they were made small. `cells`: of
    the last night that saw it, by cell, how many runs failed so and how many were judged.
    `quiet`: how many runs of those cells were judged since. `gone`: the last night that found it
    gone; it may have come back after that."""

    fingerprint: str
    system: str
    law: str
    shape: str
    sentence: str
    nights: dict[str, int]
    folder: str = ""
    shrunk: tuple[int, int] | None = None
    unshrunk: str = ""
    replay: str = ""
    aliases: tuple[str, ...] = ()
    cells: dict[str, tuple[int, int]] = {}
    quiet: dict[str, int] = {}
    gone: str = ""


class Cell(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the plan, summed over a night. `name`: of the cell. `runs`, `invalid`: how many
    there were, and how many of them failed. `next_seed`: where the next night goes on.
    `operations`, `seconds`: of all its runs. `in_effect`: as in RunRecord, summed. `unjudged`:
    runs that were neither valid nor invalid. `why`: the first of them was not."""

    name: str
    runs: int
    invalid: int
    next_seed: int
    operations: int
    seconds: float
    in_effect: dict[str, int] = {}
    unjudged: int = 0
    why: str = ""


class Night(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One night. `name`: its UTC time as in '20261123T220000Z', which is its folder. `spec`: the
    file of its plan. `started`, `ended`: the latter when this was written. `stopped`: why it
    ended, a sentence. `ends`: how many runs ended how. `cells`: their sums. `new`, `known`,
    `gone`: fingerprints; known failed again, gone failed before and no longer, in so many runs
    that it is hardly chance. `seconds`: that it took. `workers`: runs at the same time.
    `notices`: what else its readers should know, as sentences: combinations that were left out,
    what a night that was cut off left behind, what this one could not do."""

    name: str
    spec: str
    started: str
    ended: str
    stopped: str
    ends: dict[str, int]
    cells: list[Cell]
    new: list[str] = []
    known: list[str] = []
    gone: list[str] = []
    seconds: float = 0.0
    workers: int = 0
    notices: list[str] = []
